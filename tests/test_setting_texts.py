"""How the text of a field and of an origin is read."""

import pytest

from async_downloads.setting_texts import read_bind, read_field, read_origin, read_proxies


@pytest.mark.parametrize(
    ("text", "bind"),
    [("9100", "127.0.0.1:9100"), ("0.0.0.0:0", "0.0.0.0:0"), ("[::1]:9100", "[::1]:9100"), ("a.b:1", "a.b:1")],
)
def test_an_address_has_a_port_and_perhaps_a_host(text: str, bind: str) -> None:
    assert read_bind(text) == bind


@pytest.mark.parametrize("text", ["", "localhost", "10.0.0.1:", "70000", "-1", "unix:/a", "fd://3"])
def test_what_has_no_port_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a port nor an address with a port"):
        read_bind(text)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("X-Name: value", "X-Name: value"),
        ("x-name:value", "x-name: value"),
        ("X-Name: \t a: b \t ", "X-Name: a: b"),
        ("Link: </style.css>; rel=preload", "Link: </style.css>; rel=preload"),
        ("X: v", "X: v"),
    ],
)
def test_a_field_is_a_name_a_colon_and_a_value(text: str, field: str) -> None:
    assert read_field(text) == field


@pytest.mark.parametrize(
    "text",
    [
        "",
        "X-Name",
        "X-Name:",
        "X-Name: ",
        ": value",
        "X Name: value",
        "X-Name : value",
        " X-Name: value",
        "X-Name: a\r\nSet-Cookie: b",
        "X-Name: a\n b",
        "X-Name: a\r",
        "X-Name: a\n",
        "X-Name: a\0",
        "X-Näme: a",
        "X-Name: 日本",
        "X-Name: \x7f",
    ],
)
def test_a_text_that_would_break_the_head_of_a_response_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a field such as 'Name: value'"):
        read_field(text)


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "Connection", "Content-Range", "Content-Type", "ETag", "Date"]
)
def test_a_field_that_describes_the_response_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"only the server can set {name}"):
        read_field(f"{name}: 5")


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("Cache-Control", "--cache-control"),
        ("Access-Control-Allow-Origin", "--cors"),
        ("access-control-allow-credentials", "--cors"),
    ],
)
def test_a_field_with_a_setting_of_its_own_is_refused(name: str, flag: str) -> None:
    with pytest.raises(ValueError, match=f"use {flag} to set"):
        read_field(f"{name}: x")


@pytest.mark.parametrize("text", ["*", "https://page.example", "http://localhost:3000", "http://[::1]:8000"])
def test_an_origin_is_a_scheme_and_a_host(text: str) -> None:
    assert read_origin(text) == text


@pytest.mark.parametrize(
    "text", ["", "null", "page.example", "https://", "https://a/", "https://a, https://b", "https://A", "a\r\nb", "."]
)
def test_a_text_that_no_browser_sends_as_an_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither"):
        read_origin(text)


@pytest.mark.parametrize(
    ("text", "proxies"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1, 10.0.0.0/8 ,unix", "::1,10.0.0.0/8,unix"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_proxies_are_networks_addresses_or_unix(text: str, proxies: str) -> None:
    assert read_proxies(text) == proxies


@pytest.mark.parametrize("text", ["", "10.0.0.0/8,", "10.0.0.1/8", "10.0.0.0/33", "example.org", "Unix", "*", "10.1"])
def test_another_text_names_no_proxies(text: str) -> None:
    with pytest.raises(ValueError, match="give networks such as"):
        read_proxies(text)
