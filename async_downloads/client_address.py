"""Which addresses are those of one client."""

import ipaddress

__all__ = ["client_of"]


def client_of(address: tuple[str, int | None] | None) -> str | None:
    """Return the host of an address, or its network for IPv6; None for a UNIX socket."""
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
