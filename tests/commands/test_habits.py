"""Options and arguments of other programs: the one line of the error says what to use here."""

import sys
from pathlib import Path

import click
import pytest

from async_downloads.cli import cli, main
from async_downloads.commands import habits

URL = "http://127.0.0.1:9/a"


def _error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["async-downloads", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["get", "--output-document", "a", URL], "use -o PATH to save under a name", id="wget's output"),
        pytest.param(["get", "--output-document=a", URL], "use -o PATH to save under a name", id="with its value"),
        pytest.param(
            ["get", "-u", "me:hidden", URL], "there is no option -u: write the password in ~/.netrc", id="curl's user"
        ),
        pytest.param(["get", "-m", URL], "use -r to download a folder", id="wget's mirror"),
        pytest.param(["get", "-nd", "-r", URL], "use -d DIR to say where to save", id="wget's options of two letters"),
        pytest.param(["get", "-o", URL], "no URL is given: the name of the file must follow -o", id="no name"),
        pytest.param(["get", "--version"], "use async-downloads --version", id="the version of a command"),
        pytest.param(["get", "-sI", URL], "use curl -I to see the fields", id="the head alone, among other letters"),
        pytest.param(
            ["serve", "8000"], "there is no file or folder 8000: use -p 8000 to set the port", id="http.server"
        ),
        pytest.param(["serve", "https://a/"], "is a URL: use get https://a/ to download it", id="a URL to serve"),
        pytest.param(["serve", "0.0.0.0:8000"], "use -b 0.0.0.0:8000 to set the port", id="runserver"),
        pytest.param(["serve", "-d", "/tmp"], "give only the folder: serve DIR", id="http.server's folder"),
        pytest.param(["run", "a:b", "--host", "::"], "use -b HOST:PORT to set the address", id="uvicorn's host"),
        pytest.param(["-p", "8000"], "-p must follow a command, such as serve or run", id="no command"),
        pytest.param(["--jobs", "4"], "--jobs must follow a command, such as get (see", id="an option of one command"),
        pytest.param(["db", "--database", "a", "init"], "--database must follow a command, such as", id="in a group"),
        pytest.param(["--nope"], "No such option", id="an option of no command"),
        pytest.param([URL], "the command is missing: write async-downloads get URL", id="a URL"),
        pytest.param(["."], "the command is missing: write async-downloads serve .", id="a folder"),
        pytest.param(["get", "--unheard-of", URL], "No such option", id="an option of no program"),
        pytest.param(["serve", "a b"], "no file or folder 'a b': name one that exists", id="a name that is no port"),
        pytest.param(["put"], "no FILE is given", id="no file to store"),
        pytest.param(["run"], "no MODULE:APP is given", id="no app"),
        pytest.param(["sign"], "no URL is given", id="no URL to sign"),
        pytest.param(["completion"], "Choose from: bash", id="no shell"),
        pytest.param(["completion", "x"], "async-downloads: 'x' is not one of 'bash'", id="an unknown shell"),
        pytest.param(["get", "--cacert", "x", URL], "Invalid value for '--cacert': File 'x' does", id="no such file"),
    ],
)
def test_the_error_says_what_to_use(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = _error(capsys, monkeypatch, *arguments)
    assert message in line
    assert "hidden" not in line


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        (["serve", "-p", "x"], "from 0 to 65535 (see 'async-downloads serve --help')"),
        (["serve", "--etag", "x"], "'digest' (see 'async-downloads serve --help')"),
        (["serve", "missing"], "that exists (see 'async-downloads serve --help')"),
        (["sign", "a"], "'--expires' (see 'async-downloads sign --help')"),
        (["."], "serve . (see 'async-downloads --help')"),
    ],
)
def test_no_full_stop_stands_before_the_hint(
    arguments: list[str], ending: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _error(capsys, monkeypatch, *arguments).endswith(ending)


def test_a_folder_named_like_a_port_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "8000").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "expected host:port" in _error(capsys, monkeypatch, "serve", "8000", "-b", "nowhere")


@pytest.mark.parametrize("options", ["-fsSLO", "-f -J -L", "-r -np -nH", "--no-parent -nv", "-C -", "-# -O"])
def test_options_of_curl_and_wget_for_the_default_are_accepted(options: str) -> None:
    command = cli.get_command(click.Context(cli), "get")
    assert command is not None
    context = command.make_context("get", [*options.split(), URL])
    assert context.params["urls"] == (URL,)


@pytest.mark.parametrize("name", habits.INSTEAD)
def test_a_hint_is_for_one_option_that_does_not_exist(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    listed = " ".join(habits.INSTEAD[name]).split()
    assert len(listed) == len(set(listed))
    assert set(listed) & {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} == set()
