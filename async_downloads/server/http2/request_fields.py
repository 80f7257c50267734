"""The fields of requests (RFC 9113 §8.2-8.3): decode them within limits, check them, and convert them to HTTP/1.1."""

import re
from collections.abc import Iterable
from typing import Any, Final

from h2.errors import ErrorCodes
from hpack import Decoder, HPACKError, OversizedHeaderListError

from ...semantics.tokens import TOKEN
from ..content_length import LENGTH_DIGITS
from ..http1.request_head import HOST, MAX_FIELDS, BadRequest, Field, ParsedHead, encoded_target
from .field_names import HTTP1_ONLY, LOWER_NAME
from .frames import ConnectionFault

__all__ = ["LIST_BYTES", "MalformedRequest", "RequestDecoder", "check_trailers", "parse_fields", "request_line"]


LIST_BYTES: Final = 16 * 1024  # of a decoded list, with 32 bytes for each field (RFC 9113 §6.5.2)
_DECODED_BYTES: Final = 2 * LIST_BYTES  # up to here a request is only refused; a longer list ends the connection
_FIELD_BYTES: Final = 32  # that count for each field besides its name and value

# Changes of the table's size, as integers of 5 bits and more (RFC 7541 §5.1, §6.3). A client needs two of them before a
# list (§4.2), but a list could have thousands: each one takes a microsecond, in which all clients wait.
_RESIZINGS: Final = re.compile(rb"(?:[\x20-\x3e]|\x3f[\x80-\xff]*[\x00-\x7f]){3}")
_METHOD: Final = re.compile(TOKEN.encode())
_NOT_A_VALUE: Final = re.compile(rb"[\r\n\0]|\A[ \t]|[ \t]\Z")
_PATH: Final = re.compile(rb"/[!-~\x80-\xff]*|\*")
_PSEUDO: Final = frozenset((b":method", b":scheme", b":path", b":authority"))


class MalformedRequest(Exception):
    """The request breaks a rule of HTTP/2, so its stream is reset with PROTOCOL_ERROR (RFC 9113 §8.1.1)."""


class RequestDecoder(Decoder):
    """Decodes lists of fields and keeps the last list as `fields`.

    h2 gets an empty list. With one malformed request, h2 would end the connection and all other streams.
    """

    def __init__(self) -> None:
        super().__init__(max_header_list_size=_DECODED_BYTES)
        self.fields: list[Field] = []

    def decode(self, data: bytes, raw: bool = False) -> Iterable[Any]:  # noqa: ARG002 - as in hpack
        """Decode a list. Raises OversizedHeaderListError as soon as it is twice as long as allowed.

        Raises ConnectionFault if it is malformed: then the two tables differ (RFC 9113 §4.3), but h2 would report
        another error.
        """
        if _RESIZINGS.match(data):
            raise ConnectionFault(ErrorCodes.COMPRESSION_ERROR)
        try:
            self.fields = [(bytes(name), bytes(value)) for name, value in super().decode(data, raw=True)]
        except OversizedHeaderListError:
            raise
        except HPACKError as error:
            raise ConnectionFault(ErrorCodes.COMPRESSION_ERROR) from error
        return []


def parse_fields(fields: list[Field], *, body_comes: bool) -> ParsedHead:
    """Return the request that a list of fields describes.

    Raises MalformedRequest if it breaks a rule of HTTP/2, BadRequest if it breaks a rule of every HTTP version.
    """
    pseudo, regular = _split(fields)
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not method or method == b"CONNECT" or not path or not pseudo.get(b":scheme"):
        raise MalformedRequest
    length = _body_length(regular, body_comes=body_comes)
    size = sum([len(name) + len(value) + _FIELD_BYTES for name, value in fields])
    if len(fields) > MAX_FIELDS or size > LIST_BYTES:
        raise BadRequest(431)
    if not _METHOD.fullmatch(method) or not _PATH.fullmatch(path) or (path == b"*" and method != b"OPTIONS"):
        raise BadRequest(400)
    expects = body_comes and any(name == b"expect" and value.lower() == b"100-continue" for name, value in regular)
    lines = _with_one_cookie(_with_host(regular, pseudo.get(b":authority")))
    return ParsedHead(method.decode(), encoded_target(path), "2", lines, True, length, expects)


def request_line(fields: list[Field]) -> bytes:
    """Return the request line in the form of HTTP/1.1, for the log."""
    known = dict(fields)
    return b"%s %s HTTP/2" % (known.get(b":method", b""), known.get(b":path", b""))


def check_trailers(fields: list[Field]) -> None:
    """Raise MalformedRequest if the fields after a body break a rule of HTTP/2."""
    if _split(fields)[0]:
        raise MalformedRequest


def _split(fields: list[Field]) -> tuple[dict[bytes, bytes], list[Field]]:
    """Return the pseudo-fields, which come first, and the other fields."""
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    for name, value in fields:
        if _NOT_A_VALUE.search(value):
            raise MalformedRequest
        if not name.startswith(b":"):
            _check_name(name, value)
            regular.append((name, value))
        elif regular or name in pseudo or name not in _PSEUDO:
            raise MalformedRequest
        else:
            pseudo[name] = value
    return pseudo, regular


def _check_name(name: bytes, value: bytes) -> None:
    if not LOWER_NAME.fullmatch(name) or name in HTTP1_ONLY or (name == b"te" and value.lower() != b"trailers"):
        raise MalformedRequest


def _body_length(fields: list[Field], *, body_comes: bool) -> int | None:
    """Return the length of the body in bytes; None if it is not known."""
    lengths = {value for name, value in fields if name == b"content-length"}
    if not lengths:
        return None if body_comes else 0
    text = lengths.pop()
    if lengths or not text.isdigit() or len(text) > LENGTH_DIGITS:
        raise MalformedRequest
    if not body_comes and int(text):
        raise MalformedRequest
    return int(text)


def _with_host(fields: list[Field], authority: bytes | None) -> list[Field]:
    """Return the fields with one Host. `:authority` has the same meaning as Host (RFC 9113 §8.3.1)."""
    hosts = [value for name, value in fields if name == b"host"]
    if authority is not None:
        hosts.append(authority)
    if not hosts or len({host.lower() for host in hosts}) > 1 or not HOST.fullmatch(hosts[-1]):
        raise BadRequest(400)
    return [(b"host", hosts[-1]), *(field for field in fields if field[0] != b"host")]


def _with_one_cookie(fields: list[Field]) -> list[Field]:
    """Return the fields with the pieces of Cookie joined (RFC 9113 §8.2.3)."""
    cookies = [value for name, value in fields if name == b"cookie"]
    if len(cookies) < 2:
        return fields
    return [*(field for field in fields if field[0] != b"cookie"), (b"cookie", b"; ".join(cookies))]
