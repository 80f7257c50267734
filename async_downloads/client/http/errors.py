"""Context managers that turn the errors of each layer into errors of the next layer.

socket ──map_socket_errors──▶ httpcore ──map_httpcore_errors──▶ httpx ──map_httpx_errors──▶ TransientError or final
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import httpcore
import httpx

from ...errors import BadResponse, BadStatus, NetworkError, NoSuchHost, RefusedRedirect, Stalled, TlsError
from ..decisions.retries import TransientError

__all__ = ["CONNECTING", "READING", "WRITING", "map_httpcore_errors", "map_httpx_errors", "map_socket_errors"]


_Table = Mapping[type[Exception], type[Exception]]  # the first entry that matches an error counts
CONNECTING: Final[_Table] = {
    TimeoutError: httpcore.ConnectTimeout,  # before OSError, its base class
    OSError: httpcore.ConnectError,
    UnicodeError: httpcore.ConnectError,  # DNS allows no such name
}
READING: Final[_Table] = {TimeoutError: httpcore.ReadTimeout, OSError: httpcore.ReadError}
WRITING: Final[_Table] = {TimeoutError: httpcore.WriteTimeout, OSError: httpcore.WriteError}
_HTTPCORE: Final[_Table] = {
    getattr(httpcore, name): getattr(httpx, name)
    for name in (
        "ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout", "TimeoutException",
        "ConnectError", "ReadError", "WriteError", "NetworkError",
        "LocalProtocolError", "RemoteProtocolError", "ProtocolError",
        "ProxyError", "UnsupportedProtocol",
    )
}  # fmt: skip


@contextmanager
def _map_errors(table: _Table) -> Iterator[None]:
    try:
        yield
    except tuple(table) as error:
        raise next(mapped for kind, mapped in table.items() if isinstance(error, kind))(str(error)) from error


def map_socket_errors(table: _Table) -> AbstractContextManager[None]:
    """Turn an error of a socket into httpcore's exception. `table` is CONNECTING, READING or WRITING."""
    return _map_errors(table)


def map_httpcore_errors() -> AbstractContextManager[None]:
    """Turn an exception of httpcore into httpx's exception of the same name."""
    return _map_errors(_HTTPCORE)


@contextmanager
def map_httpx_errors() -> Iterator[None]:
    """Turn an exception of httpx into TransientError if another attempt may succeed, else FetchError or ValueError."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        raise ValueError(f"the request is not valid: {error}") from error
    except httpx.TransportError as error:
        raise _mapped(error) from error


_LOST: Final = "the connection was lost"
_SIGNS_OF_LOSS: Final = ("disconnected", "closed", "EOF")
# The name has no address, or none of the chosen IP version. Some systems lack one of the numbers.
_NO_HOST: Final = {getattr(socket, name, socket.EAI_NONAME) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")}
_TRANSIENT: Final = {"408", "425", "429"}  # statuses from 400 to 499 that are transient
_NOISE: Final = re.compile(  # parts of messages that do not help users
    r"\[SSL\b[^]]*\] ?| ?\(_ssl\.c:\d+\)|Multiple exceptions: |\[Errno \d+\] "
)
_RECEIVED: Final = re.compile(r": bytearray\(.*", re.DOTALL)  # h11 appends the bytes that it could not parse
# In TLS 1.3, a server refuses the certificate of the client after the handshake, when the client reads.
_REFUSED: Final = re.compile(r"alert (?:certificate|bad certificate|unknown ca|access denied)")
_UNTRUSTED: Final = {18, 19, 20, 21}  # X509_V_ERR_*: self-signed, or the issuer is unknown


def _mapped(error: httpx.TransportError) -> Exception:
    text = _text(error)
    match error:
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return TransientError(Stalled("no bytes arrived for too long"))
        case httpx.ConnectTimeout():
            return TransientError(NetworkError(f"connecting took too long{_by_proxy(error)}"))
        case httpx.ConnectError():
            return _connect_error(error, text)
        case httpx.ProxyError():
            return _proxy_error(text)
        case httpx.RemoteProtocolError():
            return _protocol_error(_RECEIVED.sub("", text))
        case _:
            return _broken(error, text)


def _broken(error: httpx.TransportError, text: str) -> Exception:
    """Return the exception for a connection that broke after the handshake."""
    if any(isinstance(cause, ssl.SSLError) and _REFUSED.search(str(cause)) for cause in _causes(error)):
        return TlsError(f"{text} (--cert FILE names the certificate of this client)")
    return TransientError(NetworkError(text), crashed=True)


def _connect_error(error: httpx.ConnectError, text: str) -> Exception:
    host = error.request.url.host
    for cause in _causes(error):
        match cause:
            case (
                ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLError(reason="UNEXPECTED_EOF_WHILE_READING")
            ):  # the connection ended in the handshake, so TLS itself may be right
                return TransientError(NetworkError(_LOST))
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):  # the first bytes are not a TLS record
                return TlsError("the server does not speak TLS on this port")
            case ssl.SSLError():
                return TlsError(f"{text}{_advice(cause)}")
            case socket.gaierror():
                kind = NoSuchHost if cause.errno in _NO_HOST else NetworkError
                return TransientError(kind(f"{cause.strerror or 'no address'}: {_proxy_of(error) or host}"))
            case UnicodeError():
                return TransientError(NoSuchHost(f"no host can have this name: {host}"))
    return TransientError(NetworkError(f"{text}{_by_proxy(error)}"))


def _protocol_error(text: str) -> Exception:
    if "location header" in text:
        return RefusedRedirect("the redirect leads to an invalid URL")
    if any(sign in text for sign in _SIGNS_OF_LOSS):
        return TransientError(NetworkError(_LOST), crashed=True)
    return TransientError(BadResponse(f"the server does not speak HTTP: {text}"), malformed=True)


def _advice(error: ssl.SSLError) -> str:
    """Return a hint if the only problem of the certificate is its unknown issuer."""
    untrusted = getattr(error, "verify_code", None) in _UNTRUSTED
    return " (--cacert FILE or SSL_CERT_FILE names the certificates to trust)" if untrusted else ""


def _proxy_error(text: str) -> Exception:
    """Return the exception for a proxy that refuses to connect, from its status or from the text of a SOCKS proxy."""
    message, status = f"the proxy responded {text}", text[:3]
    if status.isdigit() and status.startswith("4") and status not in _TRANSIENT:
        return BadStatus(int(status), message)
    return TransientError(NetworkError(message))


def _by_proxy(error: httpx.TransportError) -> str:
    """Return a hint if the request went to a proxy, because the proxy itself may fail."""
    proxy = _proxy_of(error)
    return f" (by the proxy {proxy})" if proxy else ""


def _proxy_of(error: httpx.TransportError) -> str:
    """Return host and port of the proxy that `FastTransport` has stored in the request."""
    return str(error.request.extensions.get("proxy", ""))


def _text(error: BaseException) -> str:
    """Return the system's text for the error number, because asyncio and other libraries write their own texts."""
    numbers = (
        each.errno for each in _causes(error) if isinstance(each, OSError) and not isinstance(each, ssl.SSLError)
    )
    text = next((os.strerror(number) for number in numbers if number and number > 0), None)
    return text or _NOISE.sub("", str(error)) or _LOST


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
