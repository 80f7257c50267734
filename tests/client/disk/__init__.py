"""Tests of async_downloads.client.disk."""
