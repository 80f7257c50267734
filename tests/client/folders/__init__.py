"""Tests of async_downloads.client.folders."""
