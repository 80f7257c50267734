"""Bytes of files that go to a socket past the transport."""
