"""Signed links: what is signed, and that nothing can be changed or added."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness.asgi import scope

from async_downloads import Signer, sign_url
from async_downloads.access.signer import secrets_of
from async_downloads.errors import DownloadError, Forbidden, LinkExpired
from async_downloads.request_target import in_normal_form

SECRET = "a secret of the tests"
HOUR = timedelta(hours=1)
SIGNER = Signer(SECRET)


def _open(url: str, *, client: str | None = "192.0.2.7", signer: Signer = SIGNER, **more: Any) -> bytes:
    """Open a link as a server does; return the rest of its query."""
    parts = urlsplit(url)
    address = (client, 1) if client else None
    request = in_normal_form(scope(f"{parts.path}?{parts.query}", client=address, **more))
    opened: bytes = signer.open(request)[1]["query_string"]
    return opened


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        pytest.param("http://host/a.txt", b"", id="file"),
        pytest.param("https://host:8443/a/b%20c.txt", b"", id="escaped"),
        pytest.param("http://host/a b/naïve.txt", b"", id="not escaped"),
        pytest.param("http://host/a%2Ab", b"", id="star"),
        pytest.param("http://host/%FF.txt", b"", id="not UTF-8"),
        pytest.param("/a/.//./c", b"", id="dots"),
        pytest.param("http://host/photos/?zip", b"zip", id="archive"),
        pytest.param("http://host/photos/?zip&name=a%20b&name=ä", b"zip&name=a%20b&name=%C3%A4", id="selection"),
        pytest.param("http://host/files/download/kJ2vXcWq0mT8ZrYd5nHbLA?inline", b"inline", id="database"),
    ],
)
def test_a_link_opens_its_path_and_query(url: str, rest: bytes) -> None:
    signed = SIGNER.sign(url, expires=HOUR)
    assert _open(signed) == rest
    assert urlsplit(signed)[:2] == urlsplit(url)[:2]


@pytest.mark.parametrize(
    "url", ["http://host/photos/*", "http://host/photos/*?view=grid"], ids=["folder", "folder with a view"]
)
@pytest.mark.parametrize("below", ["", "a.txt", "deep/b.txt", "?zip", "a.txt?view", "x/../b"])
def test_a_link_to_a_folder_opens_everything_below_it(url: str, below: str) -> None:
    signed = SIGNER.sign(url, expires=HOUR)
    assert "*" not in urlsplit(signed).path
    token = signed.partition("signature=")[2]
    _open(f"/photos/{below}{'&' if '?' in below else '?'}signature={token}")


@pytest.mark.parametrize("path", ["/photos", "/photosx/a", "/", "/photos/../a", "/Photos/a", "/photos%2f../a"])
def test_a_link_to_a_folder_opens_nothing_else(path: str) -> None:
    token = SIGNER.sign("/photos/*", expires=HOUR).partition("signature=")[2]
    with pytest.raises(Forbidden, match="the signature is for '/photos/'"):
        _open(f"{path}?signature={token}")


@pytest.mark.parametrize(
    "path", ["/photos/x/../a", "/photos/./a", "/photos//a", "/x/%2e%2e/photos/a", "/x%2f../photos/a"]
)
def test_a_path_for_which_an_app_may_find_another_route_is_refused(path: str) -> None:
    token = SIGNER.sign("/photos/*", expires=HOUR).partition("signature=")[2]
    with pytest.raises(Forbidden, match="not in its normal form"):
        SIGNER.open(scope(f"{path}?signature={token}"))


def test_a_signed_path_is_in_its_normal_form() -> None:
    assert SIGNER.sign("/a/.//b%2F%3F%ff", expires=HOUR).startswith("/a/b/%3F%FF?signature=")
    assert SIGNER.sign("http://host//photos/*", expires=HOUR).startswith("http://host/photos/?signature=")
    assert SIGNER.sign("/a%2Fb", expires=HOUR).startswith("/a%2Fb?signature=")


def test_a_link_to_the_top_opens_everything() -> None:
    assert _open(SIGNER.sign("http://host/*", expires=HOUR).replace("/?", "/a/b?")) == b""


SIGNED = SIGNER.sign("http://host/a/?zip&name=b", expires=HOUR, address="192.0.2.0/28", name="c.zip")
BODY, SIGNATURE = SIGNED.partition("signature=")[2].split(".")


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda url: url.replace("/a/", "/b/"), id="path"),
        pytest.param(lambda url: url.replace("/a/", "/a"), id="no slash"),
        pytest.param(lambda url: url.replace("name=b", "name=c"), id="selection"),
        pytest.param(lambda url: url.replace("name=b", "name=b&name=c"), id="one more name"),
        pytest.param(lambda url: url.replace("zip&name=b&", ""), id="no query"),
        pytest.param(lambda url: url.replace("zip", "tar"), id="kind of archive"),
        pytest.param(lambda url: url.replace("zip", "zip&zip"), id="twice"),
        pytest.param(lambda url: f"{url}&download", id="added after it"),
        pytest.param(lambda url: url.replace("?", "?inline&"), id="added before it"),
        pytest.param(lambda url: f"{url}&signature={BODY}.{SIGNATURE}", id="two signatures"),
        pytest.param(lambda url: url.replace("signature=", "%73ignature="), id="escaped name"),
        pytest.param(lambda url: url.replace("signature=", "Signature="), id="another name"),
        pytest.param(lambda url: url.replace(BODY, BODY[:8] + "A" + BODY[9:]), id="body"),
        pytest.param(lambda url: url.replace(f"={BODY}", f"=f{BODY[1:]}"), id="kind of link"),
        pytest.param(lambda url: url.replace(f"={BODY}", "="), id="no body"),
        pytest.param(lambda url: url.replace(SIGNATURE, SIGNATURE[:-2] + "AA"), id="signature"),
        pytest.param(lambda url: url.replace(f".{SIGNATURE}", ""), id="no signature"),
        pytest.param(lambda url: url.replace(f"{BODY}.{SIGNATURE}", ""), id="empty"),
        pytest.param(lambda url: url.replace(BODY, "x" * 9000), id="very long"),
        pytest.param(lambda url: f"{url}%FF%00", id="other bytes"),
        pytest.param(lambda url: f"{url}=", id="padding"),
        pytest.param(lambda url: f"{url}=;Path=/;Domain=example.org", id="attributes of a cookie behind the padding"),
        pytest.param(lambda url: url.replace(BODY, f"{BODY[:8]};{BODY[8:]}"), id="a character that base64 ignores"),
        pytest.param(lambda url: f"{url};", id="one at the end"),
        pytest.param(lambda url: url.partition("&signature")[0], id="missing"),
    ],
)
def test_a_forged_link_is_refused(forged: Callable[[str], str]) -> None:
    assert _open(SIGNED) == b"zip&name=b"
    assert forged(SIGNED) != SIGNED
    with pytest.raises(Forbidden):
        _open(forged(SIGNED))


@pytest.mark.parametrize(
    ("address", "client", "is_open"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.0/24", "192.0.2.8", True),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.0/120", "::ffff:192.0.3.7", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("fe80::1", "fe80::1%eth0", True),
        ("192.0.2.7", None, False),
        ("192.0.2.7", "testclient", False),
    ],
)
def test_a_link_for_an_address_opens_for_that_address_only(address: str, client: str | None, is_open: bool) -> None:
    url = SIGNER.sign("/a", expires=HOUR, address=address)
    if is_open:
        assert _open(url, client=client) == b""
    else:
        with pytest.raises(Forbidden, match="for another address"):
            _open(url, client=client)


def test_a_spoofed_address_opens_nothing() -> None:
    url = SIGNER.sign("/a", expires=HOUR, address="192.0.2.7")
    spoofed = [(b"x-forwarded-for", b"192.0.2.7"), (b"forwarded", b"for=192.0.2.7"), (b"x-real-ip", b"192.0.2.7")]
    with pytest.raises(Forbidden):
        _open(url, client="198.51.100.1", headers=spoofed)


@pytest.mark.parametrize(
    "expires", [60, 59.5, timedelta(minutes=1), datetime.fromtimestamp(1_700_000_060, UTC)], ids=type
)
def test_a_link_works_until_it_expires(expires: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    url = SIGNER.sign("/a", expires=expires)
    monkeypatch.setattr(time, "time", lambda: 1_700_000_058.9)
    assert _open(url) == b""
    monkeypatch.setattr(time, "time", lambda: 1_700_000_060.0)
    with pytest.raises(LinkExpired):
        _open(url)
    with pytest.raises(Forbidden):  # nothing says when a forged link has expired
        _open(url.replace("/a", "/b"))


@pytest.mark.parametrize(
    ("url", "options", "reason"),
    [
        pytest.param("http://host/photos/", {}, "is for the folder and all below it", id="neither folder nor archive"),
        pytest.param("http://host", {}, "say which", id="no path"),
        pytest.param("http://host/a", {"name": ""}, "name for saving is empty", id="no name"),
        pytest.param("http://host/\udcff", {}, "not UTF-8, which must be percent-encoded", id="other bytes"),
        pytest.param("http://me:secret@host/a", {}, "everyone with the link could read", id="password"),
        pytest.param("http://host/a#b", {}, "fragment", id="fragment"),
        pytest.param("/ann/../ben/a", {}, "another folder", id="two dots"),
        pytest.param("/ann/..", {}, "another folder", id="two dots at the end"),
        pytest.param("/ann/%2e%2e%2fben/*", {}, "another folder", id="two dots that are escaped"),
        pytest.param("/a\nb", {}, "control character", id="line break, which would be left out"),
        pytest.param("host/a", {}, "neither a URL", id="no scheme"),
        pytest.param("http://host/a?signature=x", {}, "signed already", id="signed"),
        pytest.param("http://host/*", {"name": "a"}, "not saved under a name", id="name of a folder"),
        pytest.param("http://host/a", {"expires": -1}, "expired already", id="past"),
        pytest.param("http://host/a", {"expires": 1e300}, "no time", id="too late"),
        pytest.param("http://host/a", {"expires": float("nan")}, "no time", id="not a number"),
        pytest.param("http://host/a", {"address": "host"}, "neither an IP address", id="address"),
    ],
)
def test_what_cannot_be_signed_is_refused(url: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SIGNER.sign(url, **{"expires": HOUR, **options})


def test_a_secret_can_be_replaced() -> None:
    old, new = "the old secret, long enough", "the new secret, long enough"
    url = sign_url("/a", secret=old, expires=HOUR)
    assert _open(url, signer=Signer([new, old])) == b""
    assert _open(sign_url("/a", secret=[new, old], expires=HOUR), signer=Signer(new)) == b""
    with pytest.raises(Forbidden):
        _open(url, signer=Signer(new))


def test_a_secret_may_be_bytes() -> None:
    url = sign_url("/a", secret=b"a secret of bytes", expires=HOUR)
    assert url.partition("?")[0] == "/a"
    assert _open(url, signer=Signer(["another secret for links", b"a secret of bytes"])) == b""


@pytest.mark.parametrize("secrets", ["", b"too short", "too short", [], None, ["a secret of the tests", "short"]])
def test_a_secret_that_can_be_guessed_is_refused(secrets: Any) -> None:
    with pytest.raises(ValueError, match="needs 16 characters or more"):
        Signer(secrets)


def test_a_setting_may_have_several_secrets() -> None:
    assert secrets_of("a, b,,c ") == ["a", "b", "c"]


def test_a_link_below_a_mount_has_the_whole_path() -> None:
    url = SIGNER.sign("http://host/mount/a", expires=HOUR)
    assert _open(url, root_path="/mount") == b""
    assert _open(url, root_path="/mount", path="/a") == b""
    with pytest.raises(DownloadError):
        _open(url.replace("/mount", ""))
