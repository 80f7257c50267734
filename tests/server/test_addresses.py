"""The URLs of listening sockets: addresses that can be opened."""

import ipaddress
import json
import socket

import pytest
from tools.programs import run

from async_downloads.server.addresses import interface_addresses, urls_of
from async_downloads.server.listen import listen


def test_the_addresses_are_those_that_the_system_lists() -> None:
    listed = {
        address["local"]
        for interface in json.loads(run("ip", "-json", "address"))
        for address in interface["addr_info"]
        if "UP" in interface["flags"] and address["scope"] != "link"
    }
    assert set(map(str, interface_addresses())) == listed
    assert "127.0.0.1" in listed


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0"])
def test_each_url_of_a_socket_of_all_addresses_can_be_opened(bind: str) -> None:
    with listen(bind, 60) as sock:
        urls = urls_of(sock, secure=False)
        hosts = [ipaddress.ip_address(url.removeprefix("http://").rpartition(":")[0].strip("[]")) for url in urls]
        for host in hosts:
            socket.create_connection((str(host), sock.getsockname()[1]), timeout=10).close()
    assert ipaddress.ip_address("127.0.0.1") in hosts
    assert {host.version for host in hosts} == ({4} if bind.startswith("0") else {4, 6})
    is_loopback = [host.is_loopback for host in hosts]
    assert is_loopback == sorted(is_loopback)


def test_ipv4_and_ipv6_can_be_bound_apart_on_one_port() -> None:
    with listen("0.0.0.0:0", 60) as four:
        port = four.getsockname()[1]
        with listen(f"[::]:{port}", 60, no_ipv4=True) as six:
            urls = urls_of(six, secure=True)
    assert f"https://[::1]:{port}/" in urls
    assert not [url for url in urls if "[" not in url]


def test_the_first_url_has_the_address_from_which_other_networks_are_reached() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, listen("0.0.0.0:0", 60) as sock:
        probe.connect(("192.0.2.1", 9))
        assert urls_of(sock, secure=False)[0].startswith(f"http://{probe.getsockname()[0]}:")
