"""`get` with lists: `--input-file`, `--checksums`, `--metalink`, `--mirror`, and where files of many URLs go."""

import json
from pathlib import Path

import pytest
from tools.getting import SHA256, VERSION, Get, Origin, files
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

WRONG = f"sha256:{'0' * 64}"


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_line_may_have_name_folder_and_checksum(get: Get, origin: Origin, folder: Path) -> None:
    lines = [
        f"{origin.url('a')} out='b c' dir=sub/deep checksum={SHA256}",
        f"{origin.url('d')}\tdir=sub",
        f"{origin.url('e')} out=it's",
        origin.url("f"),
        "  out=g h",
        "\tchecksum=sha-256=" + SHA256.removeprefix("sha256:"),
    ]
    (folder / "list").write_text("\n".join(lines))
    got = get("-i", "list", "--jobs", 1)
    assert got.code == 0
    assert _tree(folder) == {"list", "sub/deep/b c", "sub/d", "it's", "g h"}
    assert [line.endswith("sha256 verified") for line in got.lines[:-1]] == [True, False, False, True]


def test_the_folders_of_a_list_are_below_the_directory(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "list").write_text(f"{origin.url('a')} dir=sub\n{origin.url('b')} out=c\n")
    (folder / "x").mkdir()
    assert get("-i", "list", "-P", "x").code == 0
    assert _tree(folder) == {"list", "x/sub/a", "x/c"}


def test_two_urls_for_one_name_are_not_mixed(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "list").write_text(f"{origin.url('a')} out=c\n{origin.url('b')} out=c\n")
    got = get("-i", "list")
    assert got.code == 2
    assert f"async-downloads: {origin.url('b')}: c is already the file of another URL" in got.lines


def test_a_wrong_checksum_of_a_line_costs_only_its_file(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "list").write_text(f"{origin.url('a')} checksum={WRONG}\n{origin.url('b')}\n")
    assert get("-i", "list").code == 9
    assert files(folder) == {"b", "list"}


def test_every_file_is_verified_by_a_list_of_checksums(get: Get, origin: Origin, folder: Path) -> None:
    digest = SHA256.removeprefix("sha256:")
    (folder / "SHA256SUMS").write_text(f"{digest}  a\n{digest} *sub/b c\n{'0' * 64}  d\n")
    got = get(*map(origin.url, ("a", "b%20c", "d", "e")), "--checksums", "SHA256SUMS", "--jobs", 1)
    assert got.code == 9
    assert files(folder) == {"SHA256SUMS", "a", "b c"}
    assert f"async-downloads: {origin.url('e')}: the list has no checksum for 'e'" in got.lines


def test_the_name_of_o_is_looked_up(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "sums").write_text(f"{SHA256.removeprefix('sha256:')}  mine\n")
    assert get(origin.url("a"), "-o", "mine", "--checksums", "sums").line.endswith("sha256 verified")


def test_a_list_that_the_server_does_not_have_ends_the_command(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("a"), "--checksums", origin.url("404"))
    assert (got.code, got.line) == (8, "async-downloads: the server responded 404 Not Found: no")
    assert files(folder) == set()


def test_directories_of_the_url_are_kept(get: Get, origin: Origin, folder: Path) -> None:
    host = origin.base.removeprefix("http://").replace(":", "_")
    urls = [origin.url(path) for path in ("x/a", "y/a", "y/", "z/%2e%2e/b")]
    assert get(*urls, "--keep-directories", "-d", "new").code == 0
    assert _tree(folder) == {f"new/{host}/{path}" for path in ("x/a", "y/a", "y/index.html", "z/.._/b")}


def test_a_directory_with_too_long_a_name_costs_only_its_file(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url(f"{'x' * 300}/a"), origin.url("x/b"), "--keep-directories")
    assert got.code == 3
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["b"]


def test_a_metalink_file_is_read_before_the_first_download(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("a"), "--metalink", origin.url("404"))
    assert got.code == 8
    assert [request.target for request in origin.requests] == ["/404"]


def test_the_name_of_the_client_is_no_secret(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "list.meta4").write_text(
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="mine">'
        f"<url>{origin.url('a')}</url></file></metalink>"
    )
    assert get("--metalink", "list.meta4", "-A", "me/1").code == 0
    assert {request.fields["user-agent"] for request in origin.requests} == {"me/1"}


def test_a_server_that_fails_is_replaced_by_a_mirror(get: Get, origin: Origin, folder: Path) -> None:
    urls = [origin.url("404"), "--mirror", origin.url("410"), "--mirror", origin.url("a?key=secret")]
    got = get(*urls, "-o", "a", "--checksum", SHA256)
    assert got.code == 0
    assert got.lines[:2] == [
        f"{origin.url('404')}: the server responded 404 Not Found: no: using another server",
        f"{origin.url('410')}: the server responded 410 Gone: no: using another server",
    ]
    assert VERSION.difference(folder / "a") is None


def test_json_says_which_server_was_replaced(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("404"), "--mirror", origin.url("a"), "--json")
    [event] = [event for event in map(json.loads, got.lines) if event["event"] == "replaced"]
    assert (event["source"], event["error"]) == (origin.url("404"), "BadStatus")


def test_the_files_of_a_metalink_file_are_downloaded(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "list.meta4").write_text(
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="sub/mine">'
        f'<hash type="sha-256">{SHA256.removeprefix("sha256:")}</hash>'
        f'<url priority="2">{origin.url("a")}</url><url priority="1">{origin.url("404")}</url></file></metalink>'
    )
    got = get("--metalink", "list.meta4")
    assert got.code == 0
    assert got.lines[0].endswith("using another server")
    assert got.lines[1].endswith("sha256 verified")
    assert _tree(folder) == {"list.meta4", "sub/mine"}


def _metalink(origin: Origin, name: str) -> str:
    url = f"<url>{origin.url('a')}</url>"
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="{name}">{url}</file></metalink>'


def test_a_metalink_file_replaces_no_file_unless_the_user_says_so(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "mine.txt").write_text("before")
    (folder / "list.meta4").write_text(_metalink(origin, "mine.txt"))
    for _ in range(2):
        assert get("--metalink", "list.meta4").code == 0
        assert _tree(folder) == {"list.meta4", "mine.txt", "mine (1).txt"}
        assert (folder / "mine.txt").read_text() == "before"
        assert VERSION.difference(folder / "mine (1).txt") is None
    assert get("--metalink", "list.meta4", "--overwrite").code == 0
    assert VERSION.difference(folder / "mine.txt") is None


def test_files_of_one_name_are_told_apart_by_their_folders(get: Get, origin: Origin, folder: Path) -> None:
    digits = SHA256.removeprefix("sha256:")
    (folder / "sums").write_text(f"{digits}  x/a\n{'0' * 64}  y/a\n")
    assert get(origin.url("pub/x/a"), "-o", "1", "--checksums", "sums").code == 0
    assert get(origin.url("pub/y/a"), "-o", "2", "--checksums", "sums").code == 9
    (folder / "x").mkdir()
    assert get(origin.url("b"), "-o", "x/a", "--checksums", "sums").line.endswith("sha256 verified")


@pytest.mark.parametrize("options", [("-O",), ("-L",), ("-c",), ("-C", "-"), ("-S",), ("-OL", "-c")])
def test_options_of_curl_and_wget_that_change_nothing_are_accepted(
    get: Get, origin: Origin, folder: Path, options: tuple[str, ...]
) -> None:
    assert get(*options, origin.url("a")).code == 0
    assert files(folder) == {"a"}


def test_a_host_and_a_path_are_a_url(get: Get, origin: Origin, folder: Path) -> None:
    assert get(origin.url("a").removeprefix("http://"), "-sS", "-A", "Me/1.0").lines == []
    assert files(folder) == {"a"}
    assert origin.requests[0].fields["user-agent"] == "Me/1.0"


@pytest.mark.parametrize("text", ["a", "a/b", "../a", "me:hidden@host/a", "host:99999999/a"])
def test_what_is_no_host_and_path_is_refused(get: Get, folder: Path, text: str) -> None:
    got = get(text)
    assert got.code == 2
    assert "not a URL" in got.line
    assert "hidden" not in got.line
