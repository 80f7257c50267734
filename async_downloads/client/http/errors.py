"""What httpx raises as what it means here: whether it may pass, and what there is to tell of it."""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx

from ...errors import BadResponse, BadStatus, NetworkError, NoSuchHost, RefusedRedirect, Stalled, TlsError
from ..decisions.retries import TransientError

__all__ = ["map_httpx_errors"]


_LOST: Final = "the connection was lost"
_SIGNS_OF_LOSS: Final = ("disconnected", "closed", "EOF")
_NO_HOST: Final = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}  # not every system has both
_OPENSSL: Final = re.compile(r"\[SSL\b[^]]*\] ?| ?\(_ssl\.c:\d+\)")  # where in its source it says so
_WHAT_CAME: Final = re.compile(r": bytearray\(.*", re.DOTALL)  # as h11 shows it
_UNTRUSTED: Final = {18, 19, 20, 21}  # X509_V_ERR_*: signed by itself, or by nobody who is known


@contextmanager
def map_httpx_errors() -> Iterator[None]:
    """Raise what httpx raises as what it means here."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        raise ValueError(f"cannot ask for this: {error}") from error
    except httpx.TransportError as error:
        raise _meaning(error) from error


def _meaning(error: httpx.TransportError) -> Exception:
    text = _text(error)
    match error:
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return TransientError(Stalled("nothing came for too long"))
        case httpx.ConnectTimeout():
            return TransientError(NetworkError(f"no connection within the time for it{_by_proxy(error)}"))
        case httpx.ConnectError():
            return _unconnected(error, text)
        case httpx.ProxyError():
            return BadStatus(407) if text.startswith("407") else TransientError(NetworkError(f"the proxy says: {text}"))
        case httpx.RemoteProtocolError():
            return _broken_protocol(_WHAT_CAME.sub("", text))
        case _:
            return TransientError(NetworkError(text))


def _unconnected(error: httpx.ConnectError, text: str) -> Exception:
    host = error.request.url.host
    for cause in _causes(error):
        match cause:
            case (
                ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLError(reason="UNEXPECTED_EOF_WHILE_READING")
            ):  # about TLS it says nothing
                return TransientError(NetworkError(_LOST))
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):  # what came is no record of any version
                return TlsError("the server does not speak TLS on this port")
            case ssl.SSLError():
                return TlsError(f"{text}{_advice(cause)}")
            case socket.gaierror():
                kind = NoSuchHost if cause.errno in _NO_HOST else NetworkError
                return TransientError(kind(f"{cause.strerror or 'no address'}: {host}{_by_proxy(error)}"))
            case UnicodeError():
                return TransientError(NoSuchHost(f"no host can have this name: {host}"))
    return TransientError(NetworkError(f"{text}{_by_proxy(error)}"))


def _broken_protocol(text: str) -> Exception:
    if "location header" in text:
        return RefusedRedirect("a redirect to what is no URL")
    if any(sign in text for sign in _SIGNS_OF_LOSS):
        return TransientError(NetworkError(_LOST))
    return TransientError(BadResponse(f"the server does not speak HTTP: {text}"))


def _advice(error: ssl.SSLError) -> str:
    """Say what helps when the certificate is right, and only those who have signed it are not known."""
    untrusted = getattr(error, "verify_code", None) in _UNTRUSTED
    return " (SSL_CERT_FILE can name the certificates to trust)" if untrusted else ""


def _by_proxy(error: httpx.TransportError) -> str:
    """Say when the environment names a proxy: then it may be that one that cannot be reached."""
    url, proxies = error.request.url, getproxies()
    named = (url.scheme in proxies or "all" in proxies) and not proxy_bypass(url.host)
    return " (the environment names a proxy for it)" if named else ""


def _text(error: BaseException) -> str:
    """Return what the system says of it; asyncio and others say it in ways of their own."""
    numbers = (
        each.errno for each in _causes(error) if isinstance(each, OSError) and not isinstance(each, ssl.SSLError)
    )
    told = next((os.strerror(number) for number in numbers if number and number > 0), None)
    return told or _OPENSSL.sub("", str(error)) or _LOST


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
