"""Tests of `async_downloads.testing`."""
