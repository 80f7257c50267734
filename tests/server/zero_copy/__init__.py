"""Tests of async_downloads.server.zero_copy."""
