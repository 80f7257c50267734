"""async_downloads."""
