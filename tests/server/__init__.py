"""Tests of async_downloads.server."""
