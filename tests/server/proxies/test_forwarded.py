"""What the fields of proxies mean: lists in all shapes, forged beginnings, and elements without an address."""

import time

import pytest

from async_downloads.server.proxies.forwarded import Origin, origin_of, parse_node
from async_downloads.server.proxies.trusted import Address, TrustedProxies

TRUSTED = TrustedProxies(["10.0.0.0/8,2001:db8:ffff::/48"])
CLIENT = ("192.0.2.7", 0)
NOTHING = Origin(None, None, None)


def origin(*lines: str) -> Origin:
    """Return the origin of a request with these field lines."""
    pairs = (line.partition(": ") for line in lines)
    return origin_of([(name.lower().encode(), value.encode("latin-1")) for name, _, value in pairs], TRUSTED.trusts)


@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("192.0.2.7", ("192.0.2.7", 0)),
        ("192.0.2.7:4711", ("192.0.2.7", 4711)),
        ("192.0.2.7:_x", ("192.0.2.7", 0)),
        ("192.0.2.7:70000", ("192.0.2.7", 0)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("2001:DB8:0:0::1", ("2001:db8::1", 0)),
        ("[2001:db8::1]", ("2001:db8::1", 0)),
        ("[2001:db8::1]:4711", ("2001:db8::1", 4711)),
        ('"[2001:db8::1]:4711"', ("2001:db8::1", 4711)),
        ("::ffff:192.0.2.7", ("192.0.2.7", 0)),
        ("unknown", None),
        ("_hidden", None),
        ("_hidden:80", None),
        ("", None),
        ("192.0.2", None),
        ("192.0.2.256", None),
        ("192.0.2.07", None),
        ("3232235777", None),
        ("0x7f000001", None),
        ("[192.0.2.7", None),
        ("[]", None),
        (":", None),
        ("fe80::1%eth0", None),
        ("example.org", None),
        ("192.0.2.7, 10.0.0.1", None),
    ],
)
def test_a_node_is_an_address_or_none(node: str, address: Address | None) -> None:
    assert parse_node(node.encode()) == address


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        pytest.param(["X-Forwarded-For: 192.0.2.7"], CLIENT, id="one"),
        pytest.param(["X-Forwarded-For: 192.0.2.7, 10.0.0.1, 10.0.0.2"], CLIENT, id="through trusted ones"),
        pytest.param(["X-Forwarded-For: 192.0.2.7 ,10.0.0.1\t,"], CLIENT, id="odd white space"),
        pytest.param(["X-Forwarded-For: 198.51.100.1, 192.0.2.7, 10.0.0.1"], CLIENT, id="forged beginning"),
        pytest.param(["X-Forwarded-For: 10.0.0.9, 192.0.2.7"], CLIENT, id="forged proxy"),
        pytest.param(["X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 192.0.2.7"], CLIENT, id="two lines"),
        pytest.param(["X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 10.0.0.1"], CLIENT, id="two lines, trusted"),
        pytest.param(["X-Forwarded-For: 10.0.0.3, 10.0.0.1"], ("10.0.0.3", 0), id="all trusted"),
        pytest.param(["X-Forwarded-For: 2001:db8::1, 2001:db8:ffff::1"], ("2001:db8::1", 0), id="IPv6"),
        pytest.param(["X-Forwarded-For: 192.0.2.7, ::ffff:10.0.0.1"], CLIENT, id="mapped proxy"),
        pytest.param(["X-Forwarded-For: 192.0.2.7, unknown"], None, id="unknown"),
        pytest.param(["X-Forwarded-For: 192.0.2.7, junk, 10.0.0.1"], ("10.0.0.1", 0), id="junk before a proxy"),
        pytest.param(["X-Forwarded-For: "], None, id="empty"),
        pytest.param(["Forwarded: for=192.0.2.7"], CLIENT, id="Forwarded"),
        pytest.param(["Forwarded: For=192.0.2.7;PROTO=https;by=203.0.113.43"], CLIENT, id="upper case"),
        pytest.param(['Forwarded: for="192.0.2.7:80"'], ("192.0.2.7", 80), id="quoted port"),
        pytest.param(["Forwarded: for=192.0.2.7:80"], ("192.0.2.7", 80), id="port without quotes"),
        pytest.param(['Forwarded: for="[2001:db8::1]:80"'], ("2001:db8::1", 80), id="quoted IPv6"),
        pytest.param(["Forwarded: for=192.0.2.7, for=10.0.0.1"], CLIENT, id="Forwarded, two"),
        pytest.param(["Forwarded: for=198.51.100.1, for=192.0.2.7 , ,"], CLIENT, id="Forwarded, empty elements"),
        pytest.param(["Forwarded: for=192.0.2.7", "Forwarded: for=10.0.0.1"], CLIENT, id="Forwarded, two lines"),
        pytest.param(["Forwarded: for=unknown"], None, id="Forwarded, unknown"),
        pytest.param(["Forwarded: for=_secret, for=10.0.0.1"], ("10.0.0.1", 0), id="Forwarded, obfuscated"),
        pytest.param(["Forwarded: proto=https"], None, id="Forwarded without for"),
        pytest.param(['Forwarded: for=192.0.2.7;x="a, for=198.51.100.1;b=\\""'], CLIENT, id="comma in quotes"),
        pytest.param(['Forwarded: for="198.51.100.1, for=192.0.2.7'], CLIENT, id="forged quote that is open"),
        pytest.param(['Forwarded: x="\\, for=192.0.2.7'], CLIENT, id="forged backslash"),
        pytest.param(["Forwarded: for=198.51.100.1;, for=192.0.2.7;"], CLIENT, id="empty pairs"),
        pytest.param(["Forwarded: for=192.0.2.7;for=198.51.100.1"], None, id="a pair twice"),
        pytest.param(["Forwarded: junk, for=10.0.0.1"], ("10.0.0.1", 0), id="junk in Forwarded"),
        pytest.param(["Forwarded: junk", "Forwarded: for=10.0.0.1"], ("10.0.0.1", 0), id="a line of junk"),
        pytest.param(["Forwarded: for=198.51.100.1", "X-Forwarded-For: 192.0.2.7"], CLIENT, id="both"),
        pytest.param(["Forwarded: for=198.51.100.1", "X-Forwarded-For: unknown"], None, id="both, one unknown"),
        pytest.param(["Accept: */*"], None, id="none"),
    ],
)  # fmt: skip
def test_the_client_is_the_last_address_that_is_not_trusted(lines: list[str], client: Address | None) -> None:
    assert origin(*lines).client == client


@pytest.mark.parametrize(
    ("lines", "scheme", "host"),
    [
        pytest.param(["X-Forwarded-Proto: https"], "https", None, id="scheme alone"),
        pytest.param(["X-Forwarded-Host: example.org:8443"], None, b"example.org:8443", id="host alone"),
        pytest.param(["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: HTTPS"], "https", None, id="upper case"),
        pytest.param(
            ["X-Forwarded-For: 192.0.2.7, 10.0.0.1", "X-Forwarded-Proto: https, http"], "https", None, id="same place"
        ),
        pytest.param(
            ["X-Forwarded-For: 9.9.9.9, 192.0.2.7, 10.0.0.1", "X-Forwarded-Proto: http, https, http"],
            "https", None, id="forged beginning",
        ),
        pytest.param(
            ["X-Forwarded-For: 192.0.2.7, 10.0.0.1", "X-Forwarded-Proto: https"], "https", None, id="replaced"
        ),
        pytest.param(
            ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: forged.example, example.org"],
            None, b"example.org", id="forged host",
        ),
        pytest.param(["X-Forwarded-Proto: gopher"], None, None, id="another scheme"),
        pytest.param(["X-Forwarded-Host: a b"], None, None, id="malformed host"),
        pytest.param([f"X-Forwarded-Host: {'a' * 256}"], None, None, id="long host"),
        pytest.param(["Forwarded: for=_a;proto=https;host=example.org"], "https", b"example.org", id="Forwarded"),
        pytest.param(
            ['Forwarded: for=192.0.2.7;proto=https;host="example.org:81", for=10.0.0.1;proto=http;host=inner'],
            "https", b"example.org:81", id="Forwarded, the element of the client",
        ),
        pytest.param(
            ["Forwarded: for=192.0.2.7", "X-Forwarded-Proto: https"], None, None, id="fields of two kinds do not mix"
        ),
    ],
)  # fmt: skip
def test_scheme_and_host_are_those_of_the_same_element(
    lines: list[str], scheme: str | None, host: bytes | None
) -> None:
    found = origin(*lines)
    assert (found.scheme, found.host) == (scheme, host)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("," * 60_000, id="commas"),
        pytest.param("x," * 30_000, id="junk"),
        pytest.param('x="' + "a," * 30_000, id="an open quote"),
        pytest.param('a="\\"' * 15_000, id="escapes"),
        pytest.param("a=b;" * 15_000, id="pairs"),
        pytest.param("for=10.0.0.1," * 5_000, id="proxies"),
    ],
)
def test_a_long_field_takes_no_time(value: str) -> None:
    began = time.process_time()
    origin(f"Forwarded: {value}")
    origin(f"X-Forwarded-For: {value}")
    assert time.process_time() - began < 1


def test_what_was_appended_counts_whatever_the_client_has_sent_before_it() -> None:
    for forged in ('"', "\\", ';"', "for", "for=", 'for="', "for=1.1.1.1;", ",", "\t", "=", "\xff"):
        assert origin(f"Forwarded: {forged}, for=192.0.2.7").client == CLIENT
        assert origin(f"X-Forwarded-For: {forged}, 192.0.2.7").client == CLIENT


def test_no_field_says_nothing() -> None:
    assert origin() == NOTHING


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        (("10.1.2.3", 5), True),
        (("::ffff:10.1.2.3", 5), True),
        (("11.1.2.3", 5), False),
        (("2001:db8:ffff::1", 5), True),
        (("2001:db8::1", 5), False),
        (("fe80::1%eth0", 5), False),
        (None, False),
        (("/run/client.sock", None), False),
    ],
)
def test_proxies_are_trusted_by_their_networks(address: Address | None, trusted: bool) -> None:
    assert TRUSTED.trusts(address) is trusted


def test_clients_of_unix_sockets_are_trusted_if_that_is_said() -> None:
    trusted = TrustedProxies(["unix", "10.0.0.1"])
    assert trusted.trusts(None)
    assert trusted.trusts(("/run/client.sock", None))
    assert trusted.trusts(("10.0.0.1", 5))
    assert not trusted.trusts(("10.0.0.2", 5))
    assert not TrustedProxies([])


@pytest.mark.parametrize("space", [" ", "\t", "  ", ""])
def test_a_hostile_element_takes_linear_time(space: str) -> None:
    began = time.process_time()
    assert origin(f"Forwarded: {(space + ';') * 5000}!") == NOTHING
    assert time.process_time() - began < 1


@pytest.mark.parametrize("field", ["X-Forwarded-For: ", "Forwarded: for="])
def test_of_a_long_row_of_trusted_proxies_the_last_32_count(field: str) -> None:
    """A client in a trusted network would otherwise make each of its requests expensive."""
    name, _, prefix = field.partition(" ")
    row = [f"10.0.{number // 250}.{number % 250}" for number in range(3000)]
    assert origin(f"{name} {', '.join(prefix + each for each in row)}").client == (row[-32], 0)


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "10.0.0.0/8"])
def test_a_proxy_of_ipv4_is_trusted_in_each_form_of_its_address(text: str) -> None:
    trusted = TrustedProxies([text])
    assert [trusted.trusts((host, 1)) for host in ("10.0.0.1", "::ffff:10.0.0.1", "11.0.0.1", "::1")] == [
        True, True, False, False,
    ]  # fmt: skip
