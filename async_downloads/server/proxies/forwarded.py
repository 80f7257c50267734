"""Read the fields that proxies add to a request: Forwarded (RFC 7239) and the X-Forwarded fields.

Each proxy appends to these fields, but the client may have forged their beginning. So they are read from the right, one
proxy after the other, as long as the proxies are trusted. If a request has X-Forwarded-For, its Forwarded field is
ignored: most proxies set only X-Forwarded-For, and pass on a Forwarded that the client has made.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from ...client_address import MAX_PORT, plain_address
from ...semantics.tokens import TOKEN, TOKEN_CHARACTERS
from ..http1.request_head import HOST, Field
from .trusted import Address

__all__ = ["Origin", "origin_of", "parse_node"]


_FIELDS: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
_MAX_HOPS: Final = 32  # proxies in a row; a client that is trusted itself could name thousands
_ELEMENT_BYTES: Final = 1024  # of one element of Forwarded
_HOST_BYTES: Final = 255
_SCHEMES: Final = {b"http": "http", b"https": "https"}
# Values may have colons and brackets without quotes: RFC 7239 requires quotes, but many proxies leave them out.
_PAIR: Final = rf"""{TOKEN}=(?:"(?:[^"\\]|\\.)*"|[{TOKEN_CHARACTERS}:\[\]]*)""".encode()
# After each ";" and each pair, white space can match in only one place. With two places, a failed match would take
# exponential time.
_ELEMENT: Final = re.compile(rb"[ \t]*(?:%b[ \t]*)?(?:;[ \t]*(?:%b[ \t]*)?)*" % (_PAIR, _PAIR))
_PAIRS: Final = re.compile(_PAIR)
_NODE: Final = re.compile(
    rb"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::(?:(?P<port>[0-9]{1,5})|[0-9A-Za-z._\-]+))?"
)
_BARE_IPV6: Final = re.compile(rb"[0-9A-Fa-f:.]+")


class Origin(NamedTuple):
    """The client of a request, and the scheme and the host that it used; None for what no proxy has reported."""

    client: Address | None
    scheme: str | None
    host: bytes | None


class _Hop(NamedTuple):
    """The report of one proxy about the node from which it received the request."""

    node: bytes | None = None
    scheme: bytes | None = None
    host: bytes | None = None


def origin_of(fields: Iterable[Field], trusts: Callable[[Address], bool]) -> Origin:
    """Return the origin of a request that a trusted proxy has sent.

    The client is the last address that is not trusted. If all addresses are trusted, it is the first one of the last
    32. An element without an address (`unknown`, `_name`, malformed) ends the search, and then the client is the proxy
    that has added this element. Scheme and host are those of the same element.
    """
    client, last = None, _Hop()
    for last in islice(_hops(fields), _MAX_HOPS):
        address = parse_node(last.node) if last.node else None
        client = address or client
        if address is None or not trusts(address):
            break
    host = last.host if last.host and len(last.host) <= _HOST_BYTES and HOST.fullmatch(last.host) else None
    return Origin(client, _SCHEMES.get(last.scheme.lower()) if last.scheme else None, host)


def _hops(fields: Iterable[Field]) -> Iterator[_Hop]:
    """Yield the reports of the proxies, that of the nearest proxy first."""
    lines: dict[bytes, list[bytes]] = {name: [] for name in _FIELDS}
    for name, value in fields:
        if name in lines:
            lines[name].append(value)
    forwarded, nodes, schemes, hosts = lines.values()
    if forwarded and not nodes:
        yield from _hops_of_forwarded(forwarded)
    else:
        yield from _hops_of_x_forwarded(*map(_from_the_right, (nodes, schemes, hosts)))


def _hops_of_x_forwarded(nodes: list[bytes], schemes: list[bytes], hosts: list[bytes]) -> Iterator[_Hop]:
    """Yield the elements of X-Forwarded-For, and those of the other two fields at the same places.

    If a proxy replaces one of the other fields, this field is shorter. Then its first element is used for all further
    nodes.
    """
    for index, node in enumerate(nodes or [b""]):
        yield _Hop(node, _at(schemes, index), _at(hosts, index))


def _from_the_right(lines: list[bytes]) -> list[bytes]:
    parts = b",".join(lines).rsplit(b",", _MAX_HOPS)[-_MAX_HOPS:]
    elements = (element.strip(b" \t") for element in parts)
    return [element for element in elements if element][::-1]


def _at(elements: list[bytes], index: int) -> bytes | None:
    return elements[min(index, len(elements) - 1)] if elements else None


def _hops_of_forwarded(lines: list[bytes]) -> Iterator[_Hop]:
    with suppress(ValueError):
        for line in reversed(lines):
            for pairs in _elements(line):
                yield _Hop(pairs.get(b"for"), pairs.get(b"proto"), pairs.get(b"host"))


def _elements(line: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the elements of a line of Forwarded from the right. Raises ValueError at a malformed one.

    If the line were read from the left, a client could open a quote and so hide the elements that proxies append.
    """
    stop = len(line)
    while stop >= 0:
        comma = line.rfind(b",", max(0, stop - _ELEMENT_BYTES), stop)
        while not _ELEMENT.fullmatch(line, comma + 1, stop):  # the comma may be in quotes
            if comma < 0:
                raise ValueError("malformed Forwarded")
            comma = line.rfind(b",", max(0, stop - _ELEMENT_BYTES), comma)
        if pairs := _pairs(line[comma + 1 : stop]):
            yield pairs
        stop = comma


def _pairs(element: bytes) -> dict[bytes, bytes]:
    """Return the parameters of an element. Raises ValueError if one is repeated."""
    parts = [pair.partition(b"=") for pair in _PAIRS.findall(element)]
    pairs = {name.lower(): _unquoted(value) for name, _, value in parts}
    if len(pairs) != len(parts):
        raise ValueError("a parameter is repeated")
    return pairs


def _unquoted(value: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", value[1:-1]) if value.startswith(b'"') else value


def parse_node(node: bytes) -> Address | None:
    """Return the address of a node (RFC 7239 §6), with port 0 if none is known; None if it has no address."""
    node = node.strip(b'"')
    found = _NODE.fullmatch(node)
    text = (found["v6"] or found["v4"]) if found else node
    if not _BARE_IPV6.fullmatch(text):
        return None
    try:
        address = plain_address(text.decode())
    except ValueError:
        return None
    port = int(found["port"] or 0) if found else 0
    return str(address), port if port <= MAX_PORT else 0
