"""`async-downloads get`: commands that are refused in one line, before any request."""

import re
from pathlib import Path

import pytest
from tools.getting import Get, Origin
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

from async_downloads.cli import cli

URL = "http://127.0.0.1:9/a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "no URL is given", id="no URL"),
        pytest.param([URL, f"{URL}b", "-o", "a"], "-o needs exactly one URL", id="two URLs, one name"),
        pytest.param([URL, f"{URL}b", "-o", "-"], "-o needs exactly one URL", id="two URLs, one standard output"),
        pytest.param(
            [URL, f"{URL}b", "--checksum", "sha256:00"], "--checksum needs exactly one URL", id="one checksum"
        ),
        pytest.param([URL, "-o", "a", "-d", "b"], "-o and -d both say where to save", id="two places"),
        pytest.param([URL, "-x", "0"], "'0' is not a whole number from 1 to 64", id="no connection"),
        pytest.param([URL, "--jobs", "65"], "'65' is not a whole number from 1 to 64", id="too many jobs"),
        pytest.param([URL, "--retries", "-1"], "'-1' is not a number of retries", id="a negative count"),
        pytest.param([URL, "--timeout", "0"], "'0' is not a number of seconds", id="no time"),
        pytest.param([URL, "--stall-timeout", "soon"], "'soon' is not a number of seconds", id="a word for a time"),
        pytest.param(
            [URL, "--limit-rate", "0"],
            "'0' is not a number of bytes per second, such as 500K, 2M or 1.5G",
            id="no speed",
        ),
        pytest.param(
            [URL, "--limit-rate", "2X"],
            "'2X' is not a number of bytes per second, such as 500K, 2M or 1.5G",
            id="an unknown unit",
        ),
        pytest.param(
            [URL, "--limit-rate", "0.1"],
            "'0.1' is not a number of bytes per second, such as 500K, 2M or 1.5G",
            id="less than a byte",
        ),
        pytest.param([URL, "-H", "hidden"], "expected 'Name: value'", id="a field without a colon"),
        pytest.param([URL, "-H", "X: hidden\r\nY: 1"], "in printable ASCII", id="two fields in one"),
        pytest.param([URL, "-H", "X: hidden\xe4"], "in printable ASCII", id="a field beyond ASCII"),
        pytest.param([URL, "-H", "range: bytes=0-9"], "the download sets range itself", id="a field that is ours"),
        pytest.param(
            [URL, "-H", "Content-Length: 5"],
            "the download sets Content-Length itself",
            id="a field that frames a body",
        ),
        pytest.param(["--input-file", "missing"], "cannot read 'missing': No such file", id="a missing list"),
        pytest.param(["--input-file", "."], "cannot read '.': Is a directory", id="a folder for a list"),
        pytest.param(["--input-file", "binary"], "cannot read 'binary': it is not text in UTF-8", id="a list of bytes"),
        pytest.param(["--input-file", "empty"], "the input file has no URL", id="an empty list"),
        pytest.param(
            ["--input-file", "spaced"],
            "line 3 of 'spaced': after the URL, only out=, dir=, checksum= can follow",
            id="two URLs in a line",
        ),
        pytest.param([URL, "--resume"], "No such option", id="an unknown option"),
        pytest.param([URL, "--checksum", ""], "'--checksum': the value is empty", id="an empty checksum"),
        pytest.param([URL, "--checksums", ""], "'--checksums': the value is empty", id="an empty list of checksums"),
        pytest.param(["--metalink", ""], "'--metalink': the value is empty", id="an empty Metalink"),
        pytest.param([URL, "--mirror", ""], "'--mirror': the value is empty", id="an empty mirror"),
        pytest.param([URL, "--proxy", ""], "'--proxy': the value is empty", id="an empty proxy"),
        pytest.param([URL, "-o", ""], "'--output' / '-o': the value is empty", id="an empty path"),
        pytest.param([URL, "-d", ""], "'-P': the value is empty", id="an empty folder"),
        pytest.param(["-i", ""], "'--input-file' / '-i': the value is empty", id="an empty name of a list"),
        pytest.param([URL, "-o", "a b/"], "a b/ is a folder: use -d 'a b/' to save in it", id="a folder for -o"),
        pytest.param([URL, "-r", "-o", "a"], "-o cannot be used with -r", id="a folder with a file's name"),
        pytest.param([URL, "-r", "--checksum", "x"], "--checksum cannot be used with -r", id="a folder's checksum"),
        pytest.param([URL, "--include", "*"], "--include needs -r", id="a pattern for one file"),
        pytest.param([URL, "--exclude", "*"], "--exclude needs -r", id="a pattern against one file"),
        pytest.param([URL, f"{URL}b", "--mirror", URL], "--mirror needs exactly one URL", id="a mirror of two files"),
        pytest.param(
            [URL, "-o", "-", "--mirror", URL], "--mirror cannot be used with -o -", id="a mirror of standard output"
        ),
        pytest.param([URL, "-o", "a", "--keep-directories"], "-o and --keep-directories both say", id="two folders"),
        pytest.param([URL, "--checksum", "x", "--checksums", "y"], "both give the digest", id="two checksums"),
        pytest.param(["--metalink", "x", "-H", "A: b"], "it would send the field to every host", id="a secret for all"),
        pytest.param([URL, "--checksums", "missing"], "cannot read 'missing': No such file", id="no list of checksums"),
        pytest.param([URL, "--checksums", "empty"], "no line has a checksum and a name", id="a list without checksums"),
        pytest.param(["--metalink", "empty"], "--metalink: not a Metalink file", id="a Metalink file without XML"),
        pytest.param([URL, "-C", "100"], "leave out -C", id="an offset, as in curl"),
        pytest.param(["--mirror", URL], "-r gets a folder", id="--mirror, as in wget"),
        pytest.param([URL, "--mirror", "a"], "--mirror needs a URL, which begins with http://", id="a mirror, no URL"),
        pytest.param(
            [URL, "a.zip"], "a.zip is not a URL: use -o a.zip to save under this name", id="a path after the URL"
        ),
        pytest.param([URL, "."], ". is not a URL: use -d . to save in this folder", id="a folder after the URL"),
        pytest.param([URL, "-O", "a.zip"], "-O takes no name: use -o NAME", id="a name after -O, as in wget"),
        pytest.param(
            [URL, "-r", "-A", "*.iso"], "use --include PATTERN to choose files", id="a pattern after -A, as in wget"
        ),
        pytest.param([URL, "-A", "a\nb"], "-A needs printable ASCII", id="two lines as the client's name"),
    ],
)
def test_it_is_refused(get: Get, folder: Path, arguments: list[str], message: str) -> None:
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "empty").write_text("# nothing\n\n")
    (folder / "spaced").write_text(f"# two\n\n{URL} hidden\n")
    got = get(*arguments)
    assert (got.code, got.stdout) == (2, b"")
    assert message in got.line
    assert "hidden" not in got.line
    assert {path.name for path in folder.iterdir()} == {"binary", "empty", "spaced"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["-d", "a b"], "there is no folder a b: create it with mkdir -p 'a b'", id="no such folder"),
        pytest.param(["-d", "file"], "file: Not a directory", id="a file for a folder"),
        pytest.param(
            ["-o", "a b/c"], "there is no folder a b: create it with mkdir -p 'a b'", id="no such folder for a file"
        ),
        pytest.param(["-o", "file/c"], "file: Not a directory", id="a file for the folder of a file"),
        pytest.param(["-o", "sub"], "sub is a folder: use -d sub to save in it", id="a folder for a file"),
    ],
)
def test_an_unusable_target_is_reported_once_and_exits_with_3(
    get: Get, origin: Origin, folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "file").touch()
    (folder / "sub").mkdir()
    urls = [origin.url(path) for path in ("a", "b")][: 1 if "-o" in arguments else 2]
    got = get(*urls, *arguments)
    assert (got.code, got.line, origin.requests) == (3, f"async-downloads: {message}", [])


def test_a_malformed_proxy_is_refused(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "garbage::")
    got = get(URL, "-o", "a")
    assert got.code == 2
    assert got.line.endswith("the variable http_proxy names a proxy whose URL is not valid")


def test_the_help_of_each_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", "--help-all"], prog_name="async-downloads", standalone_mode=False) == 0
    text = capsys.readouterr().out
    sections = text.partition("Options:\n")[2].partition("\n\n  As in curl")[0]
    lines = [line for line in sections.splitlines() if line.startswith(" ")]
    assert len(lines) > 40
    assert [line for line in lines if not re.match(r"  -.* {2}\S", line)] == []
    assert text.count("\n", 0, text.index("\n\nFiles and folders:\n")) < 24  # the common options fit on a screen
