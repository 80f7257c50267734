r"""The header of the PROXY protocol, versions 1 and 2, with which a proxy begins a connection to name its client.

    1    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", or "PROXY UNKNOWN" and anything up to the end of the line
    2    12 bytes of signature, version and command, family and protocol, length (16 bits), addresses, TLVs

The specification is `doc/proxy-protocol.txt` of HAProxy. TLVs are skipped, and so is a checksum among them.
"""

import ipaddress
import re
import struct
from typing import Final, NamedTuple

from ...client_address import MAX_PORT, unmapped
from .trusted import Address

__all__ = ["HEADER_BYTES", "MalformedHeader", "NamedClient", "missing_bytes", "parse_header"]


HEADER_BYTES: Final = 4096  # of version 2 with its TLVs
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_BEGINNINGS: Final = (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN")
_SHORTEST_BYTES: Final = len(b"PROXY UNKNOWN\r\n")
_LINE_BYTES: Final = 107  # of version 1, with its end
_FIXED_BYTES: Final = 16  # of version 2, before the addresses
_PORT: Final = r"(0|[1-9][0-9]{0,4})"
_LINE: Final = re.compile(rf"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) {_PORT} {_PORT}\r\n")
_LOCAL: Final = 0x20  # version and command: a connection of the proxy itself, for example a health check
_PROXY: Final = 0x21


class MalformedHeader(Exception):
    """The connection does not begin with a header of the PROXY protocol; the message says what is wrong."""


class NamedClient(NamedTuple):
    """The client that a header names: its address, as ASGI has it; None for a UNIX socket."""

    address: Address | None


class _Family(NamedTuple):
    """How version 2 writes source and destination of a family of addresses."""

    layout: struct.Struct
    kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address] | None


_FAMILIES: Final = {
    1: _Family(struct.Struct("!4s4sHH"), ipaddress.IPv4Address),
    2: _Family(struct.Struct("!16s16sHH"), ipaddress.IPv6Address),
    3: _Family(struct.Struct("!108s108s"), None),
}


def missing_bytes(data: bytes) -> int:
    """Return the least number of bytes that follow these bytes of a header; 0 if the header is complete.

    Raises MalformedHeader as soon as these bytes cannot begin a header.
    """
    if _SIGNATURE.startswith(data[: len(_SIGNATURE)]):
        return max(_SHORTEST_BYTES - len(data), 0) or _missing_of_version_2(data)
    if any(beginning.startswith(data[: len(beginning)]) for beginning in _BEGINNINGS):
        return max(_SHORTEST_BYTES - len(data), 0) or _missing_of_version_1(data)
    raise MalformedHeader("no PROXY header")


def _missing_of_version_1(data: bytes) -> int:
    if data.endswith(b"\r\n"):
        return 0
    if len(data) >= _LINE_BYTES:
        raise MalformedHeader(f"the PROXY line is longer than {_LINE_BYTES} bytes")
    return 1 if data.endswith(b"\r") or len(data) == _LINE_BYTES - 1 else 2


def _missing_of_version_2(data: bytes) -> int:
    if len(data) < _FIXED_BYTES:
        return _FIXED_BYTES - len(data)
    size = _FIXED_BYTES + int.from_bytes(data[14:16])
    if size > HEADER_BYTES:
        raise MalformedHeader(f"the PROXY header is longer than {HEADER_BYTES} bytes")
    return size - len(data)


def parse_header(data: bytes) -> NamedClient | None:
    """Return the client that a complete header names; None if the proxy made the connection for itself.

    Raises MalformedHeader.
    """
    return _parse_version_2(data) if data.startswith(_SIGNATURE) else _parse_version_1(data)


def _parse_version_1(data: bytes) -> NamedClient | None:
    if data.startswith(b"PROXY UNKNOWN") and data[13:14] in b" \r":
        return None
    line = _LINE.fullmatch(data.decode("latin-1"))
    if line is None:
        raise MalformedHeader("the PROXY line is malformed")
    family, source, destination, *ports = line.groups()
    kind = ipaddress.IPv4Address if family == "TCP4" else ipaddress.IPv6Address
    try:
        client, _ = kind(source), kind(destination)
    except ValueError as error:
        raise MalformedHeader("the PROXY line has a malformed address") from error
    if any(int(port) > MAX_PORT for port in ports):
        raise MalformedHeader("the PROXY line has a port above 65535")
    return NamedClient((str(unmapped(client)), int(ports[0])))


def _parse_version_2(data: bytes) -> NamedClient | None:
    command, family = data[12], data[13] >> 4
    if command not in {_LOCAL, _PROXY}:
        raise MalformedHeader(f"version and command of the PROXY header are {command:#x}")
    if command == _LOCAL or not family:
        return None
    if family not in _FAMILIES or data[13] & 0xF not in {1, 2}:
        raise MalformedHeader(f"family and protocol of the PROXY header are {data[13]:#x}")
    layout, kind = _FAMILIES[family]
    if len(data) < _FIXED_BYTES + layout.size:
        raise MalformedHeader("the PROXY header is too short for its addresses")
    source, _, *ports = layout.unpack_from(data, _FIXED_BYTES)
    return NamedClient((str(unmapped(kind(source))), ports[0]) if kind else None)
