"""The lines that a server prints when it accepts connections: its URLs, and a QR code for the camera of a phone.

The server also starts if standard output is full or closed, or if no program reads it.
"""

import io
import ipaddress
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from ..config import Settings
from ..server.line_writer import print_nowait
from .messages import print_error

__all__ = ["announce", "warn_of_missing_paths", "warn_of_plain_passwords"]


def announce(what: str, urls: Sequence[str], *, qr: bool | None) -> None:
    """Print the URLs, and a QR code of the first one that other machines can open.

    `qr` says whether to print the code. If it is None, the code is printed if standard output is a terminal.
    """
    print_nowait(f"Serving {what} on {', '.join(urls)} (press Ctrl-C to stop)\n")
    url = next(filter(_is_reachable, urls), None)
    if url and (qr or (qr is None and sys.stdout.isatty())):
        print_nowait(_qr_code(url))


def warn_of_plain_passwords(urls: Sequence[str]) -> None:
    """Warn if passwords would cross a network without encryption."""
    if plain := [url for url in urls if url.startswith("http:") and _is_reachable(url)]:
        print_error(
            f"warning: {plain[0]} is not encrypted, so others in the network can read passwords and files: use "
            "--certfile and --keyfile, or put a proxy with TLS in front"
        )


def warn_of_missing_paths(settings: Settings) -> None:
    """Warn if a path that should be private does not exist."""
    from ..site.access import missing_paths

    for path in missing_paths(settings):
        print_error(f"warning: --auth-path {path} protects nothing yet, because there is no such folder")


def _is_reachable(url: str) -> bool:
    """Return whether a URL has an address that other machines may reach."""
    host = urlsplit(url).hostname if not url.startswith("unix:") else None
    return host is not None and not ipaddress.ip_address(host).is_loopback


def _qr_code(url: str) -> str:
    """Draw a QR code with half blocks, or with colours alone if the terminal has no such characters."""
    import segno

    drawn = io.StringIO()
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    segno.make_qr(url).terminal(out=drawn, compact=encoding == "utf8")
    return drawn.getvalue().rstrip("\n") + "\n"
