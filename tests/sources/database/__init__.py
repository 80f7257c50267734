"""Tests of async_downloads.sources.database."""
