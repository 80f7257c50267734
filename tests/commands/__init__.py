"""Tests of async_downloads.commands."""
