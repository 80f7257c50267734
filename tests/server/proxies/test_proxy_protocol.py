"""The headers of the PROXY protocol, whole, in pieces and malformed."""

import pytest

from async_downloads.server.proxies.proxy_protocol import (
    HEADER_BYTES,
    MalformedHeader,
    NamedClient,
    missing_bytes,
    parse_header,
)
from server.proxies.headers import SIGNATURE, VERSION_1, VERSION_2, VERSION_2_IPV6, version_2

UNIX = b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0")
TLVS = b"\x01\0\2h2\x03\0\4abcd\x04\0\0"
VERSION_2_LONG = version_2(0x11, VERSION_2[16:].ljust(HEADER_BYTES - 16))
LONGEST_LINE = b"PROXY TCP6 " + b" ".join([b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] * 2) + b" 65535 65535\r\n"


def read(data: bytes) -> tuple[NamedClient | None, bytes]:
    """Read a header from the beginning of the bytes as a server does; return also the bytes behind it."""
    taken = 0
    while count := missing_bytes(data[:taken]):
        taken += count
        assert taken <= len(data), "the header is too short, or has no end"
    return parse_header(data[:taken]), data[taken:]


GOOD = [
    pytest.param(VERSION_1, NamedClient(("192.0.2.1", 56324)), id="1"),
    pytest.param(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", NamedClient(("2001:db8::1", 1)), id="1, IPv6"),
    pytest.param(b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", NamedClient(("192.0.2.1", 1)), id="1, mapped"),
    pytest.param(LONGEST_LINE, NamedClient(("ffff:" * 7 + "ffff", 65535)), id="1, the longest"),
    pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n", NamedClient(("1.1.1.1", 0)), id="1, the shortest"),
    pytest.param(b"PROXY UNKNOWN\r\n", None, id="1, unknown"),
    pytest.param(b"PROXY UNKNOWN ffff::1 ffff::2 65535 \xff\r\n", None, id="1, unknown, and anything"),
    pytest.param(VERSION_2, NamedClient(("192.0.2.1", 0x1234)), id="2"),
    pytest.param(VERSION_2_IPV6, NamedClient(("2001:db8::1", 0x1234)), id="2, IPv6"),
    pytest.param(version_2(0x31, UNIX), NamedClient(None), id="2, UNIX"),
    pytest.param(version_2(0x12, VERSION_2[16:]), NamedClient(("192.0.2.1", 0x1234)), id="2, UDP"),
    pytest.param(version_2(0x11, VERSION_2[16:], tlvs=TLVS), NamedClient(("192.0.2.1", 0x1234)), id="2, TLVs"),
    pytest.param(version_2(0x00, b""), None, id="2, no family"),
    pytest.param(version_2(0x00, b"", command=0x20), None, id="2, local"),
    pytest.param(version_2(0x11, VERSION_2[16:], command=0x20), None, id="2, local with an address"),
    pytest.param(VERSION_2_LONG, NamedClient(("192.0.2.1", 0x1234)), id="2, the longest"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "client"), GOOD)
@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\n", b"\r\n", b"\n"])
def test_a_header_is_read_and_no_byte_behind_it(header: bytes, client: NamedClient | None, rest: bytes) -> None:
    assert read(header + rest) == (client, rest)


@pytest.mark.parametrize(("header", "client"), GOOD)
def test_a_header_may_come_in_pieces_of_any_size(header: bytes, client: NamedClient | None) -> None:
    for stop in range(len(header)):
        assert 0 < missing_bytes(header[:stop]) <= len(header) - stop
    assert missing_bytes(header) == 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", id="1, another family"),
        pytest.param(b"proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n", id="1, lower case"),
        pytest.param(b"PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", id="1, two spaces"),
        pytest.param(b"PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n", id="1, two spaces again"),
        pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", id="1, a space at the end"),
        pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", id="1, one port"),
        pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", id="1, a port too high"),
        pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", id="1, a port with a zero"),
        pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n", id="1, a port below zero"),
        pytest.param(b"PROXY TCP4 1.1.1.256 1.1.1.1 1 1\r\n", id="1, no address"),
        pytest.param(b"PROXY TCP4 1.1.1.1 ::1 1 1\r\n", id="1, two families"),
        pytest.param(b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", id="1, the wrong family"),
        pytest.param(b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n" + b"a" * 200, id="1, no CR"),
        pytest.param(b"PROXY UNKNOWNX\r\n\r\n", id="1, a longer word"),
        pytest.param(b"PROXY UNKNOWN" + b" " * 93 + b"\r\n", id="1, 108 bytes"),
        pytest.param(SIGNATURE[:11] + b"\r" + VERSION_2[12:], id="2, another signature"),
        pytest.param(version_2(0x11, VERSION_2[16:], command=0x11), id="2, version 1"),
        pytest.param(version_2(0x11, VERSION_2[16:], command=0x22), id="2, another command"),
        pytest.param(version_2(0x41, VERSION_2[16:]), id="2, another family"),
        pytest.param(version_2(0x13, VERSION_2[16:]), id="2, another protocol"),
        pytest.param(version_2(0x10, VERSION_2[16:]), id="2, no protocol"),
        pytest.param(version_2(0x11, VERSION_2[16:-1]), id="2, a short address"),
        pytest.param(version_2(0x21, VERSION_2[16:]), id="2, IPv6 with an address of IPv4"),
        pytest.param(version_2(0x31, UNIX[:-1]), id="2, UNIX, short"),
        pytest.param(version_2(0x11, bytes(HEADER_BYTES - 15)), id="2, too long"),
        pytest.param(version_2(0x11, bytes(65535)), id="2, much too long"),
    ],
)
def test_a_malformed_header_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedHeader):
        read(data)
