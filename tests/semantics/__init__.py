"""Tests of `async_downloads.semantics`, with tables from the RFCs and other people's parsers as judges."""
