"""`async-downloads get`: what is saved under which name, and what is printed."""

import json
import re
import stat
import subprocess
from pathlib import Path

import pytest
from tools.command import COMMAND, environment
from tools.getting import SHA256, SIZE, VERSION, Get, Origin, files
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

SECRET = "me:hidden@"
LOGIN = " (write the user and the password in ~/.netrc, or in the URL: http://USER:PASSWORD@HOST/)"


@pytest.mark.parametrize("connections", [1, 4])
def test_a_file_gets_the_server_s_name_and_one_line_of_output(
    get: Get, origin: Origin, folder: Path, connections: int
) -> None:
    got = get(origin.url("a%20file.bin?key=1"), "-x", connections)
    assert (got.code, got.stdout) == (0, b"")
    assert re.fullmatch(r"a file\.bin: 3\.1 MB in \d+\.\d s \(\S+ [kMG]B/s\)", got.line)
    assert files(folder) == {"a file.bin"}
    assert VERSION.difference(folder / "a file.bin") is None


def test_a_file_is_saved_in_the_given_folder(get: Get, origin: Origin, folder: Path) -> None:
    (folder / "sub").mkdir()
    got = get(origin.url("a"), "-d", "sub")
    assert got.line.startswith("sub/a: 3.1 MB in ")
    assert VERSION.difference(folder / "sub" / "a") is None


def test_only_a_name_given_by_the_user_replaces_a_file(get: Get, origin: Origin, folder: Path) -> None:
    for name in ("mine", "theirs"):
        (folder / name).write_text("before")
    assert get(origin.url("a"), "-o", "mine").code == 0
    assert get(origin.url("theirs")).code == 0
    assert files(folder) == {"mine", "theirs", "theirs (1)"}
    assert VERSION.difference(folder / "mine") is None
    assert (folder / "theirs").read_text() == "before"
    assert get(origin.url("theirs"), "--overwrite").code == 0
    assert VERSION.difference(folder / "theirs") is None


@pytest.mark.parametrize("where", [(), ("-o", "b")], ids=["the server's name", "the user's name"])
def test_once_more_it_is_already_complete(get: Get, origin: Origin, folder: Path, where: tuple[str, ...]) -> None:
    assert get(origin.url("a"), *where).code == 0
    before, asked = files(folder), len(origin.requests)
    again = get(origin.url("a"), *where)
    assert (again.code, again.line) == (0, f"{next(iter(before))}: already complete")
    assert files(folder) == before
    assert len(origin.requests) - asked <= 1


def test_when_one_cannot_be_had_the_others_are_and_the_first_failure_counts(
    get: Get, origin: Origin, folder: Path
) -> None:
    urls = [origin.url(path) for path in ("a", "404", "b", "401", "a")]
    got = get(*urls)
    assert got.code == 8
    assert {line.partition(": ")[0] for line in got.lines} == {"a", "b", "async-downloads", "4 files"}
    assert got.lines[-1].startswith("4 files: 2 downloaded, 6.3 MB in ")
    assert got.lines[-1].endswith((f", 2 failed, last {urls[1]}", f", 2 failed, last {urls[3]}"))
    assert {line for line in got.lines if line.startswith("async")} == {
        f"async-downloads: {urls[1]}: the server responded 404 Not Found: no",
        f"async-downloads: {urls[3]}: the server responded 401 Unauthorized: no{LOGIN}",
    }
    assert files(folder) == {"a", "b"}


def test_a_refused_password_in_the_url_has_no_advice(get: Get, origin: Origin) -> None:
    url = origin.url("401")
    assert (
        get(url.replace("//", f"//{SECRET}")).line
        == f"async-downloads: {url}: the server responded 401 Unauthorized: no"
    )


def test_urls_are_read_from_a_file(get: Get, origin: Origin, folder: Path) -> None:
    lines = ["# the first", origin.url("a"), "", f"  {origin.url('b#fragment')}  "]
    (folder / "list").write_text("\r\n".join(lines), encoding="utf-8-sig")
    assert get(origin.url("c"), "--input-file", "list", "--jobs", "1").code == 0
    assert files(folder) == {"a", "b", "c", "list"}
    assert [request.target for request in origin.requests if "if-range" not in request.fields] == ["/c", "/a", "/b"]


def test_urls_are_read_from_standard_input(get: Get, origin: Origin, folder: Path) -> None:
    with subprocess.Popen(["echo", origin.url("a")], stdout=subprocess.PIPE) as echo:
        assert echo.stdout
        command = [*COMMAND, "get", "--input-file", "-"]
        subprocess.run(command, stdin=echo.stdout, env=environment(), check=True, capture_output=True)
    assert files(folder) == {"a"}


def test_a_checksum_is_verified(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("a"), "--checksum", SHA256.upper().replace("SHA256", "sha256"))
    assert got.code == 0
    assert got.line.endswith(", sha256 verified")


def test_fields_are_sent_and_the_rate_is_limited(get: Get, origin: Origin, folder: Path) -> None:
    assert get(origin.url("a"), "-H", "X-One: 1", "-H", "x-two:  2 ", "--limit-rate", "1G").code == 0
    assert {(each.fields["x-one"], each.fields["x-two"]) for each in origin.requests} == {("1", "2")}


def test_a_note_explains_a_delay(get: Get, origin: Origin, folder: Path) -> None:
    origin.statuses = [503, 503]
    note, result = get(origin.url("a")).lines
    assert "503" in note
    assert result.startswith("a: 3.1 MB in ")


def test_quiet_prints_errors_only(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("a"), origin.url("404"), "--quiet")
    assert got.code == 8
    assert got.line == f"async-downloads: {origin.url('404')}: the server responded 404 Not Found: no"


def test_quiet_json_prints_errors_only(get: Get, origin: Origin, folder: Path) -> None:
    event = json.loads(get(origin.url("a"), origin.url("404"), "--quiet", "--json").line)
    assert (event["event"], event["exit_code"]) == ("failed", 8)


def test_json_prints_an_object_for_each_event(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("a"), origin.url("404"), "--json")
    events = [json.loads(line) for line in got.lines]
    [failed] = [each for each in events if each["event"] == "failed"]
    [finished] = [each for each in events if each["event"] == "finished"]
    progress = [each for each in events if each["event"] == "progress" and each["index"] == 0]
    summary = events[-1]
    assert (summary["event"], summary["files"], summary["downloaded"], summary["failed"]) == ("summary", 2, 1, 1)
    assert (summary["size"], summary["transferred"], summary["last_failed"]) == (SIZE, SIZE, origin.url("404"))
    assert failed == {
        "event": "failed",
        "index": 1,
        "url": origin.url("404"),
        "error": "BadStatus",
        "message": "the server responded 404 Not Found: no",
        "exit_code": 8,
    }
    assert finished["seconds"] > 0
    del finished["seconds"], finished["last_modified"]
    assert finished == {
        "event": "finished",
        "index": 0,
        "url": origin.url("a"),
        "path": "a",
        "size": SIZE,
        "transferred": SIZE,
        "resumed_from": 0,
        "digest": None,
        "unchanged": False,
        "warning": "",
        "etag": VERSION.etag,
    }
    assert (progress[-1]["state"], progress[-1]["done"], progress[-1]["total"]) == ("finished", SIZE, SIZE)
    assert set(progress[0]) == {
        *("event", "index", "url", "state", "name", "total", "done", "resumed_from", "segments", "speed", "note")
    }


@pytest.mark.parametrize("options", [(), ("--json",), ("--quiet",)])
@pytest.mark.parametrize("path", ["a", "404", "round-and-round"])
def test_no_secret_of_a_url_is_printed(
    get: Get, origin: Origin, folder: Path, path: str, options: tuple[str, ...]
) -> None:
    url = origin.url(f"{path}?signature=hidden#hidden").replace("//", f"//{SECRET}")
    assert "hidden" not in get(url, *options, "--retries", "0").stderr
    assert not [path for path in folder.rglob("*") if b"hidden" in path.read_bytes()]


def test_a_file_has_the_modes_that_the_user_wants(get: Get, origin: Origin, folder: Path) -> None:
    umask = subprocess.run(["sh", "-c", "umask"], capture_output=True, check=True, text=True).stdout
    assert get(origin.url("a")).code == 0
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o666 & ~int(umask, 8)
