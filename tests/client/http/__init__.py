"""Tests of async_downloads.client.http."""
