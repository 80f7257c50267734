"""Read a request for a page: whether it asks for HTML or JSON, and the URLs that the page needs."""

from ..access.signature_parameter import FOLDER_SIGNATURE, PARAMETER
from ..request_target import has_parameter
from ..sending import Scope

__all__ = ["base_of", "is_browser", "link_to", "signature_of", "wants_json"]


def wants_json(scope: Scope) -> bool:
    """Return whether the query asks for JSON, or the Accept field names JSON and not HTML."""
    if has_parameter(scope["query_string"], b"json"):
        return True
    accept = _accept(scope)
    return b"application/json" in accept and b"text/html" not in accept


def is_browser(scope: Scope) -> bool:
    """Return whether the client accepts HTML by name, as browsers do and most programs do not."""
    return b"text/html" in _accept(scope)


def _accept(scope: Scope) -> bytes:
    return b",".join([value for name, value in scope["headers"] if name == b"accept"]).lower()


def base_of(scope: Scope) -> str:
    """Return the relative URL of the site's top folder, for the path that the browser requested.

    >>> base_of({"path": "/a/b/c", "raw_path": b"/a/b/c"}), base_of({"path": "/mount/a", "root_path": "/mount"})
    ('../../', '')
    """
    raw: bytes = (scope.get("raw_path") or b"").partition(b"?")[0] or scope["path"].encode()
    root = scope.get("root_path", "")
    is_below = f"{scope['path']}/".startswith(f"{root}/")
    return "../" * (raw.count(b"/") - 1 - (root.count("/") if is_below else 0))


def link_to(scope: Scope) -> str:
    """Return the absolute URL of a request without its query, with the host that the client named."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    host = hosts[0].decode("latin-1") if hosts else "localhost"
    raw: bytes = (scope.get("raw_path") or b"").partition(b"?")[0] or scope["path"].encode()
    return f"{scope.get('scheme', 'http')}://{host}{raw.decode('latin-1')}"


def signature_of(scope: Scope, *, opens_page: bool) -> str:
    """Return the query with the signature of the folder through which the request has access; "" if there is none.

    With `opens_page`, the query opens the page about the file, not the file itself.
    """
    token = scope.get(FOLDER_SIGNATURE)
    return f"?{'view&' if opens_page else ''}{PARAMETER}={token}" if token else ""
