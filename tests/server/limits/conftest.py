"""Fixtures of the tests of limits."""

from server.http1.conftest import serve_http1
from server.http2.conftest import serve_http2

__all__ = ["serve_http1", "serve_http2"]
