"""Tests of async_downloads.client.decisions."""
