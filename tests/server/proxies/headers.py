"""Headers of the PROXY protocol, made by its specification."""

import socket
from typing import Final

__all__ = ["SIGNATURE", "VERSION_1", "VERSION_2", "VERSION_2_IPV6", "version_2"]

SIGNATURE: Final = bytes((0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A))


def version_2(family: int, addresses: bytes, *, command: int = 0x21, tlvs: bytes = b"") -> bytes:
    """Return a header of version 2."""
    rest = addresses + tlvs
    return SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2) + rest


def _packed(family: int, source: str, destination: str) -> bytes:
    return socket.inet_pton(family, source) + socket.inet_pton(family, destination) + bytes((0x12, 0x34, 0x01, 0xBB))


VERSION_1: Final = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
VERSION_2: Final = version_2(0x11, _packed(socket.AF_INET, "192.0.2.1", "198.51.100.1"))
VERSION_2_IPV6: Final = version_2(0x21, _packed(socket.AF_INET6, "2001:db8::1", "2001:db8::2"))
