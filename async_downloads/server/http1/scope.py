"""The connection scope of ASGI 3: the part that all requests of a connection share, and the part of one request."""

from typing import Any
from urllib.parse import unquote

from ...sending import ZERO_COPY_SEND, Scope
from ..proxies.proxy_protocol import NamedClient
from ..proxies.trusted import Address
from .request_head import ParsedHead
from .zero_copy import ZeroCopyWriter

__all__ = ["address_of", "base_scope", "request_scope"]


def base_scope(transport: Any, zero_copy: ZeroCopyWriter | None, named: NamedClient | None = None) -> Scope:
    """Return the part of the scope that is the same for all requests of a connection.

    The client is the one that a proxy has named, or else the other end of the connection.
    """
    extensions: dict[str, Any] = {}
    if zero_copy is not None:
        extensions[ZERO_COPY_SEND] = {
            "acknowledged": zero_copy.acknowledged,
            "taken": zero_copy.taken,
            "room": zero_copy.room,
        }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "https" if transport.get_extra_info("ssl_object") else "http",
        "root_path": "",
        "client": named.address if named else address_of(transport.get_extra_info("peername")),
        "server": address_of(transport.get_extra_info("sockname")),
        "extensions": extensions,
    }


def request_scope(base: Scope, head: ParsedHead, state: dict[str, Any]) -> Scope:
    """Return the scope of one request; `state` is the one that the app filled in its lifespan."""
    raw_path, _, query = head.target.partition(b"?")
    path = raw_path.decode("ascii")
    return {
        **base,
        "http_version": head.version,
        "method": head.method,
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": head.fields.copy(),
        "state": state.copy(),
    }


def address_of(name: Any) -> Address | None:
    """Return an address in the form of ASGI. The path of a UNIX socket has no port, and its clients have no address."""
    return (name[0], name[1]) if isinstance(name, tuple) else (name, None) if name else None
