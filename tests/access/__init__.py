"""Tests of async_downloads.access."""
