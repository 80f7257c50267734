"""IP addresses: one form of each, which ones belong to one client, and which are in a network."""

import ipaddress
from typing import Final

__all__ = ["MAX_PORT", "IPAddress", "Network", "client_of", "plain_address", "plain_network", "unmapped"]


MAX_PORT: Final = 65535
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")  # the addresses of IPv4 as a socket of IPv6 sees them


def unmapped(address: IPAddress) -> IPAddress:
    """Return an address. If it is an IPv4 address in the form of IPv6, return the IPv4 address.

    A socket of IPv6 reports its IPv4 clients in this form.
    """
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def plain_address(text: str) -> IPAddress:
    """Return the unmapped address in a text, without its zone. Raises ValueError if the text is no address.

    >>> str(plain_address("::ffff:192.0.2.1")), str(plain_address("fe80::1%eth0"))
    ('192.0.2.1', 'fe80::1')
    """
    return unmapped(ipaddress.ip_address(text.partition("%")[0]))


def plain_network(text: str, *, strict: bool = True) -> Network:
    """Return a network or a single address; one of IPv4 that is written in IPv6 as the IPv4 that it is.

    Raises ValueError as `ipaddress.ip_network` does.

    >>> str(plain_network("::ffff:192.0.2.0/120"))
    '192.0.2.0/24'
    """
    network = ipaddress.ip_network(text, strict=strict)
    if not isinstance(network, ipaddress.IPv6Network) or not network.subnet_of(_MAPPED):
        return network
    packed = network.network_address.packed[-4:]
    return ipaddress.IPv4Network((packed, network.prefixlen - _MAPPED.prefixlen))


def client_of(address: tuple[str, int | None] | None) -> str | None:
    """Return the host of an IPv4 address, or the network (/64) of an IPv6 address; None for a UNIX socket."""
    if address is None or address[1] is None:
        return None
    host = address[0].partition("%")[0]
    if ":" not in host:
        return host
    try:
        parsed = ipaddress.IPv6Address(host)
    except ValueError:  # another server may have copied any text into the scope
        return host
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))
