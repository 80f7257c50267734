"""Which entries are read from the listings of servers, and which links are ignored."""

import json

import pytest

from async_downloads.client.folders.listing import ListedEntry, NotAListing, folder_of, parse_listing, segments_below

URL = "http://example.com/pub/"
HTML = "text/html; charset=utf-8"
DAY = 1_767_225_600  # 2026-01-01T00:00:00Z
SHA256 = "ab" * 32


def _names(page: str, url: str = URL) -> list[str]:
    return [f"{each.name}{'/' if each.is_folder else ''}" for each in parse_listing(page.encode(), HTML, url).entries]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            '<title>Index of /pub</title><table><tr><th><a href="?C=N;O=D">Name</a></th></tr>'
            '<tr><td><a href="/">Parent Directory</a></td></tr>'
            '<tr><td><a href="a%20b.iso">a b.iso</a></td><td>1.2M</td></tr>'
            '<tr><td><a href="sub/">sub/</a></td></tr></table>',
            id="Apache",
        ),
        pytest.param(
            '<h1>Index of /pub/</h1><pre><a href="../">../</a>\n'
            '<a href="a%20b.iso">a b.iso</a>  01-Jan-2026 00:00  7\n<a href="sub/">sub/</a>  -\n</pre>',
            id="nginx",
        ),
        pytest.param(
            '<a href="/">root</a><a href="./?sort=size&order=asc">size</a><a href="..">up</a>'
            '<a href="./a%20b.iso"><svg></svg>a b.iso</a><a href="./sub/">sub/</a>',
            id="Caddy",
        ),
        pytest.param(
            '<title>Directory listing for /pub/</title><ul><li><a href="a%20b.iso">a b.iso</a></li>'
            '<li><a href="sub/">sub/</a></li></ul>',
            id="Python's http.server",
        ),
        pytest.param('<a href="/pub/a%20b.iso">x</a><a href="http://example.com/pub/sub/">y</a>', id="absolute links"),
        pytest.param('<a href="a b.iso">x</a><A HREF=sub/>y</A><a>no link</a>', id="careless HTML"),
        pytest.param('<base href="/pub/"><a href="a%20b.iso#top">x</a><a href="sub/">y</a>', id="a base"),
        pytest.param('<a href="a%20b.iso">icon</a><a href="a%20b.iso">name</a><a href="sub/">y</a>', id="twice"),
    ],
)
def test_a_page_lists_a_file_and_a_folder(page: str) -> None:
    assert _names(page) == ["a b.iso", "sub/"]


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("../secret", id="upwards"),
        pytest.param("%2e%2e/secret", id="upwards, escaped"),
        pytest.param("..%2fsecret", id="an escaped slash"),
        pytest.param("%2e%2e", id="the folder above, escaped"),
        pytest.param(".", id="the folder itself"),
        pytest.param("", id="nothing"),
        pytest.param("#top", id="a fragment"),
        pytest.param("/etc/passwd", id="elsewhere on the server"),
        pytest.param("/public/a", id="a folder whose name begins the same"),
        pytest.param("//other.example/pub/a", id="another host"),
        pytest.param("http://example.com:81/pub/a", id="another port"),
        pytest.param("https://example.com/pub/a", id="another scheme"),
        pytest.param("ftp://example.com/pub/a", id="another protocol"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("a?download", id="a query"),
        pytest.param("a/b/c", id="two levels down"),
        pytest.param("a%00b", id="a zero byte"),
        pytest.param("http://[", id="a malformed host"),
        pytest.param("http://example.com:x/pub/a", id="a malformed port"),
    ],
)
def test_a_link_out_of_the_folder_is_ignored(link: str) -> None:
    assert _names(f'<a href="{link}">x</a>') == []
    assert parse_listing(json.dumps([{"name": "x", "url": link}]).encode(), "application/json", URL).entries == ()


def test_a_name_that_is_not_utf_8_keeps_its_bytes() -> None:
    assert _names('<a href="%FF.txt">x</a>') == ["\udcff.txt"]
    page = b'<a href="\xff.txt">x</a>'
    assert parse_listing(page, HTML, URL).entries[0].url == f"{URL}%FF.txt"


def test_the_url_keeps_the_user_and_the_password_of_the_folder() -> None:
    url = "http://me:secret@example.com/pub/"
    [entry] = parse_listing(b'<a href="http://example.com/pub/a">x</a>', HTML, url).entries
    assert entry.url == f"{url}a"


def test_our_listing_has_size_time_and_digest() -> None:
    entries = [
        {"name": "a b", "url": "./a%20b", "kind": "file", "size": 7, "modified": "2026-01-01T00:00:00Z"},
        {"name": "c", "url": "c", "kind": "file", "size": 8, "modified": None, "digest": f"sha256:{SHA256}"},
        {"name": "sub", "url": "./sub/", "kind": "directory", "size": None, "modified": "?"},
        {"name": "pipe", "url": "./pipe", "kind": "other"},
    ]
    body = json.dumps({"path": "/pub/", "truncated": True, "entries": entries}).encode()
    listing = parse_listing(body, "application/json", URL)
    assert (listing.is_ours, listing.truncated, listing.next) == (True, True, None)
    assert listing.entries == (
        ListedEntry(f"{URL}a%20b", "a b", is_folder=False, size=7, modified=DAY),
        ListedEntry(f"{URL}c", "c", is_folder=False, size=8, digest=f"sha256:{SHA256}"),
        ListedEntry(f"{URL}sub/", "sub", is_folder=True),
    )


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ("?json&after=b", f"{URL}?json&after=b"),
        ("/pub/?after=b", f"{URL}?after=b"),
        ("/other/?after=b", None),
        ("sub/?after=b", None),
        (7, None),
        (None, None),
    ],
)
def test_the_next_page_is_of_the_same_folder(link: object, following: str | None) -> None:
    body = json.dumps({"path": "/pub/", "entries": [], "next": link}).encode()
    assert parse_listing(body, "application/json", f"{URL}?json").next == following


def test_json_of_nginx_and_caddy_is_read() -> None:
    nginx = [
        {"name": "a b", "type": "file", "mtime": "Thu, 01 Jan 2026 00:00:00 GMT", "size": 7},
        {"name": "sub", "type": "directory", "mtime": "Thu, 01 Jan 2026 00:00:00 GMT"},
    ]
    caddy = [
        {"name": "a b", "url": "./a%20b", "is_dir": False, "mod_time": "2026-01-01T00:00:00.9Z", "size": 7},
        {"name": "sub/", "url": "./sub/", "is_dir": True, "mod_time": "2026-01-01T00:00:00Z", "size": 4096},
    ]
    for items in (nginx, caddy):
        listing = parse_listing(json.dumps(items).encode(), "application/json; charset=utf-8", URL)
        assert not listing.is_ours
        assert listing.entries == (
            ListedEntry(f"{URL}a%20b", "a b", is_folder=False, size=7, modified=DAY),
            ListedEntry(f"{URL}sub/", "sub", is_folder=True),
        )


@pytest.mark.parametrize(
    "about",
    [
        {"size": -1, "modified": "yesterday", "digest": "sha256:00"},
        {"size": True, "modified": 7, "digest": 7},
        {"size": "7", "modified": "2026-01-01T00:00:00", "sha256": ""},
        {"modified": "99999-01-01T00:00:00Z", "digest": f"crc:{SHA256}"},
    ],
)
def test_what_is_malformed_about_a_file_is_as_if_it_were_missing(about: dict[str, object]) -> None:
    listing = parse_listing(json.dumps([{"name": "a", **about}]).encode(), "application/json", URL)
    assert listing.entries == (ListedEntry(f"{URL}a", "a", is_folder=False),)


@pytest.mark.parametrize(
    "item",
    [
        {"name": "b", "kind": []},
        {"name": "b", "kind": {}},
        {"name": "\ud800"},
        {"name": "b", "url": "\ud800"},
        {"name": "b", "url": "http://[/"},
        {"name": "../b"},
        {"name": "b", "url": "%2e%2e%2fb"},
        {"name": ".."},
        {"name": "b", "url": "//other.example/pub/b"},
    ],
)
def test_a_malformed_or_hostile_entry_costs_no_other_entry(item: dict[str, object]) -> None:
    listing = parse_listing(json.dumps([item, {"name": "a"}]).encode(), "application/json", URL)
    assert listing.entries == (ListedEntry(f"{URL}a", "a", is_folder=False),)


def test_a_sha256_field_is_a_digest() -> None:
    body = json.dumps({"entries": [{"name": "a", "sha256": SHA256}, "b", {"name": 7}]}).encode()
    [entry] = parse_listing(body, "application/json", URL).entries
    assert entry.digest == f"sha256:{SHA256}"


@pytest.mark.parametrize(
    ("body", "media_type", "message"),
    [
        (b"{", "application/json", "its JSON is malformed"),
        (b"[" * 100_000, "application/json", "its JSON is malformed"),
        (b'{"a": 1}', "application/json", "it is other JSON"),
        (b"7", "application/problem+json", "it is other JSON"),
        (b"x", "text/plain", "text/plain"),
        (b"x", "", "its media type is missing"),
        (b"<p>", "text/html", "no link to a file beside it"),
    ],
)
def test_what_is_no_listing_is_refused(body: bytes, media_type: str, message: str) -> None:
    with pytest.raises(NotAListing, match=message):
        parse_listing(body, media_type, f"{URL}a")


def test_the_page_of_an_empty_folder_is_a_listing_without_entries() -> None:
    assert parse_listing(b"<p>", "text/html", URL).entries == ()


def test_a_folder_s_url_ends_at_the_last_slash() -> None:
    assert folder_of("http://me@example.com:81/a/b?c#d") == "http://me@example.com:81/a/"
    assert folder_of("http://example.com") == "http://example.com/"


def test_segments_below_a_folder_are_decoded() -> None:
    assert segments_below("http://example.com", "http://example.com/a%20b/") == ("a b",)
    assert segments_below("http://example.com/%7Eme/", "http://example.com/~me/a") == ("a",)
    assert segments_below(URL, URL) == ()
    assert segments_below(URL, f"{URL}a//b") is None
