"""`serve --auth`, `hash-password` and `sign`, as a user runs them."""

import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from harness.waiting import HANGING, eventually
from tools.command import COMMAND, environment, finished, refusal, running, serving
from tools.programs import run

from async_downloads.access.accounts import Accounts, parse_accounts
from async_downloads.cli import cli
from async_downloads.commands.announcing import warn_of_missing_paths, warn_of_plain_passwords
from async_downloads.config import Settings

SECRET = {"ASYNC_DOWNLOADS_SECRET": "a secret of the tests"}


def _invoked(*arguments: str, stdin: str | bytes = "", env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner(env=env).invoke(cli, list(arguments), input=stdin)
    return result.exit_code, result.output


def test_the_hash_of_a_password_is_a_line_of_the_file(tmp_path: Path) -> None:
    code, output = _invoked("hash-password", "ann", stdin="a naïve: password\r\n")
    assert code == 0
    file = tmp_path / "users"
    file.write_text(output)
    assert Accounts((), file).match("ann", "a naïve: password")


def test_without_a_user_the_hash_alone_is_printed() -> None:
    code, output = _invoked("hash-password", stdin="secret\n")
    assert code == 0
    assert parse_accounts(f"me:{output}").keys() == {"me"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        pytest.param(("ann",), "\n", "the password is empty", id="empty"),
        pytest.param(("ann",), "a\tb\n", "control character", id="tab"),
        pytest.param(("ann:x",), "secret\n", "must not contain a colon", id="colon"),
        pytest.param(("#ann",), "secret\n", "must not contain a colon, begin with #", id="comment"),
        pytest.param(("ann",), b"\xff\n", "not UTF-8", id="other bytes"),
        pytest.param(("a\udcff",), "secret\n", "not UTF-8", id="a user of other bytes"),
    ],
)
def test_a_wrong_user_or_password_is_refused(arguments: tuple[str, ...], stdin: str | bytes, reason: str) -> None:
    code, output = _invoked("hash-password", *arguments, stdin=stdin)
    assert code == 2
    assert reason in output


@pytest.mark.parametrize(
    ("options", "env", "is_refused"),
    [
        pytest.param(("--certfile", "c.pem", "--keyfile", "file"), {}, True, id="key"),
        pytest.param(("--certfile", "file"), {}, True, id="certificate with a key"),
        pytest.param(("--config", "file"), {}, True, id="configuration"),
        pytest.param(("--config", "plain"), {"ASYNC_DOWNLOADS_BIND": "x"}, False, id="configuration without secrets"),
        pytest.param((), {"ASYNC_DOWNLOADS_SECRET_FILE": "file"}, True, id="secret"),
        pytest.param((), {"ASYNC_DOWNLOADS_DATABASE_FILE": "file"}, True, id="URL of the database"),
    ],
)
def test_serve_sends_no_file_with_its_own_secrets(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    env: dict[str, str],
    is_refused: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.pem").write_text("a certificate")
    Path("file").write_text('secret = "a secret of the tests"')
    Path("plain").write_text("workers = 1")
    code, output = _invoked("serve", ".", *options, env=env)
    assert code == 2
    assert ("file has secrets and is in ., which is served: move it" in output) is is_refused


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "hash-password", "ann"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(),
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Repeat for confirmation: " not in shown:
            shown += os.read(ours, 1024)
            if shown.endswith(b"Password: "):
                os.write(ours, b"secret\n")
        os.write(ours, b"secret\n")
        output, _ = process.communicate(timeout=HANGING)
    os.close(ours)
    assert b"secret" not in shown
    assert parse_accounts(output.decode()).keys() == {"ann"}


async def test_a_signed_link_opens_what_needs_a_password(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "c.txt").write_text("c")
    options = ("--auth", "me:secret", "--access-log", "text")
    async with serving(tmp_path, *options, env=SECRET) as command:
        signed = finished("sign", f"{command.url}/a b/*", "--expires", "30m", env=SECRET).stdout.strip()
        assert command.get("/a%20b/").status_code == 401
        assert httpx.get(f"{command.url}/a%20b/c.txt", auth=("me", "secret"), timeout=HANGING).text == "c"
        for url, name in (
            (signed, "copy"),
            (f"http://me:secret@{command.url.removeprefix('http://')}/", "all"),
        ):
            got = finished("get", "-r", url, "-d", tmp_path.parent / f"{tmp_path.name}-{name}")
            assert got.returncode == 0, got.stderr
        await eventually(lambda: len(command.log) > 6)
        assert signed.partition("signature=")[2] not in command.stdout + command.stderr
    assert (tmp_path.parent / f"{tmp_path.name}-copy" / "c.txt").read_text() == "c"
    assert (tmp_path.parent / f"{tmp_path.name}-all" / "a b" / "c.txt").read_text() == "c"


def test_sign_prints_a_link_for_an_address_under_a_name() -> None:
    options = ("--expires", "4w", "--ip", "192.0.2.7", "--name", "b.txt")
    code, output = _invoked("sign", "http://host/a.txt", *options, env=SECRET)
    assert code == 0
    assert output.startswith("http://host/a.txt?signature=x")


@pytest.mark.parametrize(
    ("arguments", "env", "reason"),
    [
        pytest.param(("http://host/a", "--expires", "7d"), {}, "needs the secret of the server", id="no secret"),
        pytest.param(("http://host/a", "--expires", "7d", "--secret", "short"), {}, "16 characters", id="short"),
        pytest.param(("http://host/a", "--expires", "7"), SECRET, "is not a duration", id="no unit"),
        pytest.param(("http://host/a", "--expires", "0s"), SECRET, "expired already", id="no time"),
        pytest.param(("http://host/a", "--expires", "999999999w"), SECRET, "too long", id="too long"),
        pytest.param(("http://host/a",), SECRET, "--expires", id="for ever"),
        pytest.param(("http://host/a/", "--expires", "7d"), SECRET, "say which", id="folder"),
        pytest.param(("http://host/a", "--expires", "7d", "--ip", "x"), SECRET, "neither an IP address", id="address"),
    ],
)
def test_sign_refuses_what_it_cannot_sign(arguments: tuple[str, ...], env: dict[str, str], reason: str) -> None:
    code, output = _invoked("sign", *arguments, env=env)
    assert (code, reason in output) == (2, True), output


def test_a_wrong_line_of_the_users_ends_the_start(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# users\nann:secret\n")
    (tmp_path / "tree").mkdir()
    line = refusal("serve", tmp_path / "tree", "--auth-file", users)
    assert line.startswith(f"async-downloads: {users}: line 2: it is not user:hash")


def test_a_wrong_account_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refusal("serve", "--auth", "my-password")
    assert "it is not USER:PASSWORD" in line
    assert "my-password" not in line
    monkeypatch.setenv("ASYNC_DOWNLOADS_AUTH", "me:secret\nmy-password")
    with pytest.raises(ValueError, match="it is not USER:PASSWORD") as refused:
        Settings.from_environment()
    assert "my-password" not in str(refused.value)
    monkeypatch.setenv("ASYNC_DOWNLOADS_AUTH", "me:a secret\nann:b")
    settings = Settings.from_environment()
    assert settings.auth == ("me:a secret", "ann:b")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("urls", "warned"),
    [
        (["http://127.0.0.1:8000/", "http://[::1]:8000/", "unix:/run/x"], ""),
        (["https://192.0.2.1:8000/"], ""),
        (["http://127.0.0.1:8000/", "http://192.0.2.1:8000/"], "http://192.0.2.1:8000/"),
    ],
)
def test_passwords_over_a_network_without_tls_are_warned_of(
    urls: list[str], warned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_plain_passwords(urls)
    printed = capsys.readouterr()
    assert (printed.out, bool(printed.err), warned in printed.err) == ("", bool(warned), True)


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        pytest.param({"auth_path": ("/private", "/privat", "/")}, ["/privat"], id="a typing error"),
        pytest.param({"auth_path": ("/my%20files",)}, ["/my%20files"], id="an encoded name"),
        pytest.param({"auth_path": ("/files",), "database": "sqlite:///x.db"}, [], id="a database"),
    ],
)
def test_a_private_path_that_does_not_exist_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], warned: list[str]
) -> None:
    for name in ("private", "my files"):
        (tmp_path / name).mkdir()
    warn_of_missing_paths(Settings(directory=tmp_path, **options))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" protects")[0].rpartition(" ")[2] for line in lines] == warned


async def test_the_demo_asks_for_a_password_too(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path), "ASYNC_DOWNLOADS_AUTH": "me:secret"}
    async with running("demo", "--bind", "127.0.0.1:0", env=env) as command:
        assert command.get("/").status_code == 401
        assert run("curl", "-sSf", "-u", "me:secret", f"{command.url}/").startswith(b"<!DOCTYPE")
