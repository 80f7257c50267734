"""Servers behind proxies, on the wire: who is believed, and what the app and the limits see."""

import asyncio
import json
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from harness.clock import Clock
from harness.served import Server
from harness.waiting import HANGING, eventually

from server.http2.client import connected
from server.proxies.conftest import Behind
from server.proxies.headers import VERSION_1, VERSION_2, VERSION_2_IPV6, version_2

LOCAL: Final = "127.0.0.0/8"
GET: Final = b"GET / HTTP/1.1\r\nHost: inner\r\nConnection: close\r\n"
FORWARDED: Final = b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: example.org\r\n"


def said(response: bytes) -> list[Any]:
    """Return what `who_asks` has responded."""
    head, _, content = response.partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0]
    found: list[Any] = json.loads(content)
    return found


async def asked(server: Server, *parts: bytes) -> list[Any]:
    """Send a request in parts; return what the app knows about the client, without its port if that is random."""
    async with server.connected() as connection, asyncio.timeout(HANGING):
        for part in parts:
            connection.writer.write(part)
            await connection.writer.drain()
            await asyncio.sleep(0)
        return said(await connection.reader.read())


async def test_a_trusted_proxy_says_who_asks(behind: Behind) -> None:
    server = await behind(LOCAL)
    assert await asked(server, GET + FORWARDED + b"\r\n") == [["192.0.2.7", 0], "https", "example.org"]
    one = b"Forwarded: for=192.0.2.7;proto=https;host=example.org\r\n\r\n"
    assert await asked(server, GET + one) == [["192.0.2.7", 0], "https", "example.org"]


async def test_a_trusted_proxy_that_says_nothing_is_the_client_itself(behind: Behind) -> None:
    [[host, port], *rest] = await asked(await behind(LOCAL), GET + b"\r\n")
    assert (host, rest) == ("127.0.0.1", ["http", "inner"])
    assert port


async def test_the_fields_of_another_peer_are_not_believed(behind: Behind) -> None:
    server = await behind("10.0.0.0/8,unix")
    for field in (FORWARDED, b"Forwarded: for=192.0.2.7;proto=https;host=example.org\r\n"):
        [[host, _], *rest] = await asked(server, GET + field + b"\r\n")
        assert (host, rest) == ("127.0.0.1", ["http", "inner"])


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        pytest.param("unix", [["192.0.2.7", 0], "https", "example.org"], id="trusted"),
        pytest.param("127.0.0.1", [None, "http", "inner"], id="not trusted"),
    ],
)
async def test_clients_of_a_unix_socket_are_trusted_by_name(
    behind: Behind, tmp_path: Path, trusted: str, expected: list[Any]
) -> None:
    await behind(trusted, path=tmp_path / "socket")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    writer.write(GET + FORWARDED + b"\r\n")
    assert said(await reader.read()) == expected
    writer.close()


async def test_each_request_of_a_connection_has_its_own_client(behind: Behind) -> None:
    server = await behind(LOCAL)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        for number in (1, 2, 3):
            await connection.ask("/", f"X-Forwarded-For: 192.0.2.{number}")
            assert json.loads((await connection.read_response())[2])[0] == [f"192.0.2.{number}", 0]


async def test_fields_of_http_2_are_read_alike(behind: Behind) -> None:
    server = await behind(LOCAL, tls=True)
    async with connected(server) as client:
        stream = client.get("/", (b"x-forwarded-for", b"192.0.2.7"), (b"x-forwarded-host", b"example.org"))
        assert json.loads((await client.response(stream))[1]) == [["192.0.2.7", 0], "https", "example.org"]


@pytest.mark.parametrize(
    ("header", "client"),
    [
        pytest.param(VERSION_1, ["192.0.2.1", 56324], id="1"),
        pytest.param(VERSION_2, ["192.0.2.1", 0x1234], id="2"),
        pytest.param(VERSION_2_IPV6, ["2001:db8::1", 0x1234], id="2, IPv6"),
        pytest.param(version_2(0x31, bytes(216)), None, id="2, UNIX"),
        pytest.param(version_2(0x11, VERSION_2[16:], tlvs=bytes(768)), ["192.0.2.1", 0x1234], id="TLVs"),
    ],
)
async def test_a_proxy_header_names_the_client_wherever_it_is_split(
    behind: Behind, header: bytes, client: list[Any] | None
) -> None:
    server = await behind(LOCAL, proxy_protocol=True)
    whole = header + GET + b"\r\n"
    for stop in {*range(1, min(len(header), 60)), len(header), len(header) + 1}:
        assert await asked(server, whole[:stop], whole[stop:]) == [client, "http", "inner"]
    assert await asked(server, whole) == [client, "http", "inner"]
    assert behind.reported == []


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", version_2(0, b"", command=0x20)], ids=["unknown", "local"])
async def test_a_header_without_a_client_leaves_the_address_of_the_proxy(behind: Behind, header: bytes) -> None:
    server = await behind(LOCAL, proxy_protocol=True)
    assert (await asked(server, header + GET + b"\r\n"))[0][0] == "127.0.0.1"


async def test_the_fields_of_a_client_that_a_header_names_are_not_believed(behind: Behind) -> None:
    server = await behind(LOCAL, proxy_protocol=True)
    assert await asked(server, VERSION_1 + GET + FORWARDED + b"\r\n") == [["192.0.2.1", 56324], "http", "inner"]


async def test_the_fields_of_a_trusted_proxy_that_a_header_names_are_believed(behind: Behind) -> None:
    server = await behind(f"{LOCAL},192.0.2.0/24", proxy_protocol=True)
    field = b"X-Forwarded-For: 198.51.100.9\r\n\r\n"
    assert (await asked(server, VERSION_1 + GET + field))[0] == ["198.51.100.9", 0]


async def test_tls_begins_behind_the_header(behind: Behind, certificate: tuple[Path, Path]) -> None:
    server = await behind(LOCAL, tls=True, proxy_protocol=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(VERSION_2)
    context = ssl.create_default_context(cafile=certificate[0])
    async with asyncio.timeout(HANGING):
        await writer.start_tls(context, server_hostname="127.0.0.1")
        writer.write(GET + b"\r\n")
        assert said(await reader.read()) == [["192.0.2.1", 0x1234], "https", "inner"]
    writer.close()


async def test_a_header_of_http_2_names_the_client(behind: Behind) -> None:
    server = await behind(LOCAL, tls=True, proxy_protocol=True)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(VERSION_2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    async with asyncio.timeout(HANGING):
        await writer.start_tls(context)
        await eventually(lambda: server.connections)
        assert [each.base_scope["client"] for each in server.connections] == [("192.0.2.1", 0x1234)]
    writer.transport.abort()


@pytest.mark.parametrize(
    ("trusted", "data", "reason"),
    [
        pytest.param("10.0.0.0/8", VERSION_1 + GET, "127.0.0.1 is not in --trusted-proxies", id="not trusted"),
        pytest.param(LOCAL, GET + b"\r\n", "127.0.0.1: no PROXY header", id="no header"),
        pytest.param(LOCAL, b"PROXY TCP4 1 2 3 4 5\r\n", "127.0.0.1: the PROXY line is malformed", id="malformed"),
        pytest.param(LOCAL, b"PROXY TCP4 192", "127.0.0.1: the connection ended within the PROXY header", id="cut"),
    ],
)
async def test_a_connection_without_a_right_header_is_closed_and_reported(
    behind: Behind, trusted: str, data: bytes, reason: str
) -> None:
    server = await behind(trusted, proxy_protocol=True)
    with suppress(ConnectionResetError):  # the server closes it with unread bytes
        assert await server.exchange(data, eof=True) == b""
    await eventually(lambda: behind.reported)
    assert behind.reported == [f"connection closed: {reason}"]


async def test_a_header_that_does_not_come_is_waited_for_ten_seconds(behind: Behind, clock: Clock) -> None:
    server = await behind(LOCAL, proxy_protocol=True)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(VERSION_1[:20])
        await asyncio.sleep(0.01)
        clock.forward(9.9)
        await asyncio.sleep(0.01)
        assert not connection.reader.at_eof()
        clock.forward(0.2)
        assert await connection.reader.read() == b""
    assert behind.reported == ["connection closed: 127.0.0.1: no whole PROXY header within 10 s"]


async def test_a_check_that_connects_and_leaves_is_not_reported(behind: Behind, clock: Clock) -> None:
    server = await behind(LOCAL, proxy_protocol=True)
    assert await server.exchange(b"", eof=True) == b""
    assert behind.reported == []


async def test_many_refused_connections_are_one_line_in_a_second(behind: Behind, clock: Clock) -> None:
    server = await behind(LOCAL, proxy_protocol=True)
    for _ in range(5):
        await server.exchange(b"PROXY", eof=True)
    assert len(behind.reported) == 1
    clock.forward(1)
    await server.exchange(b"PROXY", eof=True)
    assert behind.reported[1].endswith("ended within the PROXY header (and 4 more before)")


async def test_connections_are_counted_by_the_client_that_the_header_names(behind: Behind) -> None:
    server = await behind(LOCAL, proxy_protocol=True, max_connections_per_client=1)
    async with server.connected() as first, asyncio.timeout(HANGING):
        first.writer.write(VERSION_1)
        await eventually(lambda: server.connections)
        response = await server.exchange(VERSION_1 + GET + b"\r\n")
        assert response.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nRetry-After: 1\r\n" in response
        assert (await asked(server, VERSION_2_IPV6 + GET + b"\r\n"))[0][0] == "2001:db8::1"


async def test_connections_of_trusted_proxies_are_not_counted(behind: Behind) -> None:
    server = await behind(LOCAL, max_connections_per_client=1)
    async with server.connected(), server.connected():
        await eventually(lambda: len(server.connections) == 2)
        assert (await asked(server, GET + FORWARDED + b"\r\n"))[0] == ["192.0.2.7", 0]
