"""The URLs of a listening socket, with addresses that clients can open: those of the network interfaces."""

import ctypes
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from ..client_address import IPAddress

__all__ = ["interface_addresses", "urls_of"]


_UP: Final = 0x1  # a flag of an interface (net/if.h)
# The offset of an address in its `sockaddr`, and its length in bytes: the same on Linux and macOS.
_PLACES: Final[dict[int, tuple[int, int]]] = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}
# By IP version: addresses for documentation (RFC 5737, RFC 3849). No packet is sent to them.
_ELSEWHERE: Final = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}
_DISCARD_PORT: Final = 9


def urls_of(sock: socket.socket, *, secure: bool) -> list[str]:
    """Return the URLs of a listening socket; for a UNIX socket, `unix:` and its path.

    A socket of all addresses has one URL for each address of this machine. First comes the address from which this
    machine reaches other networks, last come the loopback addresses.
    """
    if sock.family == socket.AF_UNIX:
        return [f"unix:{sock.getsockname()}"]
    host, port = sock.getsockname()[:2]
    address = ipaddress.ip_address(host.partition("%")[0])
    hosts = list(map(str, _reachable(sock))) if address.is_unspecified else []
    scheme = "https" if secure else "http"
    return [f"{scheme}://{f'[{each}]' if ':' in each else each}:{port}/" for each in hosts or [host]]


def _reachable(sock: socket.socket) -> list[IPAddress]:
    """Return the addresses of this machine at which a socket of all addresses accepts connections."""
    versions = {4}
    if sock.family == socket.AF_INET6:
        versions = {6} if sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) else {4, 6}
    preferred = {_outbound(version) for version in versions}
    found = [address for address in interface_addresses() if address.version in versions]
    return sorted(found, key=lambda address: (address.is_loopback, str(address) not in preferred, address.version))


def _outbound(version: int) -> str | None:
    """Return the address from which this machine reaches other networks; None if it reaches none."""
    family, host = _ELSEWHERE[version]
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((host, _DISCARD_PORT))
        return str(sock.getsockname()[0])
    return None


class _Interface(ctypes.Structure):
    """An element of the list of `getifaddrs(3)`, without the members that are not needed."""


_Interface._fields_ = [
    ("next", ctypes.POINTER(_Interface)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]


def interface_addresses() -> list[IPAddress]:
    """Return the IP addresses of all interfaces that are up, in the order of the system.

    IPv6 addresses of one link are left out: a URL cannot name the link.
    """
    library: Any = ctypes.CDLL(None)
    first = ctypes.POINTER(_Interface)()
    if library.getifaddrs(ctypes.byref(first)):
        return []
    try:
        return [address for address in _addresses(first) if not (address.version == 6 and address.is_link_local)]
    finally:
        library.freeifaddrs(first)


def _addresses(interface: Any) -> Iterator[IPAddress]:
    while interface:
        found = interface.contents
        if found.flags & _UP and found.address and (place := _PLACES.get(_family(found.address))):
            yield ipaddress.ip_address(ctypes.string_at(found.address + place[0], place[1]))
        interface = found.next


def _family(address: int) -> int:
    """Read the family of a `sockaddr`. On macOS the first byte is its length."""
    first, second = ctypes.string_at(address, 2)
    return second if sys.platform == "darwin" else int.from_bytes((first, second), sys.byteorder)
