"""Which URLs the environment exempts from a proxy, and which variable names the proxy."""

import httpx
import pytest

from async_downloads.client.http.network import NetworkOptions
from async_downloads.client.http.proxies import Proxies

PROXY = "http://proxy.invalid:3128"


def _is_proxied(url: str, **environment: str) -> bool:
    return Proxies(NetworkOptions(), environment).of(httpx.URL(url)) is not None


@pytest.mark.parametrize(
    ("exempt", "url", "proxied"),
    [
        pytest.param("", "http://a.example/", True, id="nothing"),
        pytest.param("*", "http://a.example/", False, id="everything"),
        pytest.param("b.example, *", "http://a.example/", False, id="everything, second"),
        pytest.param("example.com", "http://example.com/", False, id="a domain"),
        pytest.param("EXAMPLE.com.", "http://Example.com./", False, id="case and dots at the end"),
        pytest.param("example.com", "http://www.example.com/", False, id="a domain and what is below it"),
        pytest.param(".example.com", "http://www.example.com/", False, id="a dot"),
        pytest.param(".example.com", "http://example.com/", False, id="a dot, and the domain itself"),
        pytest.param("*.example.com", "http://www.example.com/", False, id="a star and a dot"),
        pytest.param("example.com", "http://notexample.com/", True, id="another domain"),
        pytest.param("example.com:8080", "http://example.com:8080/", False, id="this port"),
        pytest.param("example.com:8080", "http://example.com/", True, id="another port"),
        pytest.param("example.com:443", "https://example.com/", False, id="the port of the scheme"),
        pytest.param("http://example.com", "http://example.com/", False, id="an entry with a scheme"),
        pytest.param("127.0.0.0/8", "http://127.1.2.3/", False, id="a network"),
        pytest.param("10.0.0.0/8", "http://127.1.2.3/", True, id="another network"),
        pytest.param("10.0.0.1/8", "http://10.2.3.4/", False, id="a network with host bits"),
        pytest.param("[::1]", "http://[::1]/", False, id="IPv6 in brackets"),
        pytest.param("::1", "http://[::1]:8080/", False, id="IPv6"),
        pytest.param("[::1]:8080", "http://[::1]/", True, id="IPv6 at another port"),
        pytest.param("fd00::/8", "http://[fd12::1]/", False, id="an IPv6 network"),
        pytest.param("[fd00::]/8", "http://[fd12::1]/", False, id="an IPv6 network in brackets"),
        pytest.param("fe80::/10", "http://[fe80::1%25eth0]/", False, id="an address with a zone"),
        pytest.param("fd00::/8", "http://127.0.0.1/", True, id="another family"),
        pytest.param("::::,/8,[,:1,.", "http://127.0.0.1/", True, id="garbage"),
        pytest.param("a.example b.example", "http://b.example/", False, id="spaces between"),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_names_the_hosts_that_are_asked_directly(exempt: str, url: str, proxied: bool, name: str) -> None:
    assert _is_proxied(url, all_proxy=PROXY, **{name: exempt}) is proxied


@pytest.mark.parametrize(
    ("environment", "url", "port"),
    [
        pytest.param({"http_proxy": "a:1", "HTTP_PROXY": "a:2", "all_proxy": "a:3"}, "http://x/", 1, id="lower case"),
        pytest.param({"HTTP_PROXY": "a:2", "all_proxy": "a:3"}, "http://x/", 2, id="upper case"),
        pytest.param({"http_proxy": " ", "ALL_PROXY": "a:4"}, "http://x/", 4, id="an empty variable"),
        pytest.param({"http_proxy": "a:1", "HTTPS_PROXY": "a:5"}, "https://x/", 5, id="https"),
        pytest.param({"HTTP_PROXY": "a:2", "all_proxy": "a:3", "REQUEST_METHOD": "GET"}, "http://x/", 3, id="CGI"),
    ],
)
def test_the_variable_for_the_scheme_comes_first(environment: dict[str, str], url: str, port: int) -> None:
    proxy = Proxies(NetworkOptions(), environment).of(httpx.URL(url))
    assert proxy
    assert proxy.url == f"http://a:{port}"
