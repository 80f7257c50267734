"""Tests of `async_downloads.semantics`, with tables from the RFCs and independent parsers."""
