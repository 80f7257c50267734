"""`async-downloads serve`: settings from a file, from the environment and from flags, and which of them wins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tools.command import ANY_PORT, Command, refusal, running, serving
from tools.databases import fill
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from async_downloads.commands.serve import serve
from async_downloads.config import ServerSettings, Setting, Settings, table

_FROM_FILE = "from-the-file"
_FROM_ENVIRONMENT = "from-the-environment"
_FROM_FLAG = "from-the-flag"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a file, and one that is hidden."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a.txt", ".hidden"):
        (tree / name).write_text(name)
    return tree


def _configured(folder: Path, *lines: str) -> Path:
    path = folder / "downloads.toml"
    path.write_text("\n".join(lines))
    return path


def _values(*arguments: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that `serve` would run with."""
    with CliRunner(env=env).isolation():
        return serve.make_context("serve", list(arguments)).params


def _cache_control(command: Command) -> str:
    return command.get("/a.txt").headers["cache-control"]


async def test_everything_can_be_in_a_file(tree: Path, tmp_path: Path) -> None:
    config = _configured(
        tmp_path,
        f"directory = {str(tree)!r}",
        "bind = '127.0.0.1:0'",
        f"cache-control = {_FROM_FILE!r}",
        "hidden = true",
        "stall_timeout = 5",
        f"client-csv = {str(tree)!r}",
    )
    async with running("serve", "--config", config) as command:
        assert _cache_control(command) == _FROM_FILE
        assert command.get("/.hidden").status_code == 200


async def test_a_switch_is_read_alike_from_a_variable_and_from_a_file(tree: Path, tmp_path: Path) -> None:
    settings = _values("-c", str(_configured(tmp_path, "hidden = 'y'")), env={"ASYNC_DOWNLOADS_ATTACHMENT": "y"})
    assert (settings["hidden"], settings["attachment"], settings["list_files"]) == (True, True, False)


@pytest.mark.parametrize("row", [*table(Settings), *table(ServerSettings)], ids=lambda row: row.name)
def test_every_setting_can_be_given_to_serve(row: Setting) -> None:
    name = "directory" if row.name in {"paths", "objects"} else row.name  # one argument is for all of them
    [parameter] = [parameter for parameter in serve.params if parameter.name == name]
    assert set(row.variables) <= (
        {parameter.envvar} if isinstance(parameter.envvar, str) else set(parameter.envvar or ())
    )


async def test_a_list_in_a_file_is_as_many_addresses(tree: Path, tmp_path: Path) -> None:
    config = _configured(tmp_path, "bind = ['127.0.0.1:0', '[::1]:0']")
    async with running("serve", tree, "-c", config) as command:
        assert len(command.urls) == 2


async def test_everything_can_be_in_the_environment(tree: Path) -> None:
    env = {
        "ASYNC_DOWNLOADS_DIRECTORY": str(tree),
        "ASYNC_DOWNLOADS_BIND": "127.0.0.1:0 [::1]:0",
        "ASYNC_DOWNLOADS_CACHE_CONTROL": _FROM_ENVIRONMENT,
        "ASYNC_DOWNLOADS_HIDDEN": "1",
    }
    async with running("serve", env=env) as command:
        assert len(command.urls) == 2
        assert _cache_control(command) == _FROM_ENVIRONMENT
        assert command.get("/.hidden").status_code == 200


@pytest.mark.parametrize(
    ("flags", "env", "winner"),
    [
        pytest.param((), {}, _FROM_FILE, id="file"),
        pytest.param((), {"ASYNC_DOWNLOADS_CACHE_CONTROL": _FROM_ENVIRONMENT}, _FROM_ENVIRONMENT, id="environment"),
        pytest.param(
            ("--cache-control", _FROM_FLAG), {"ASYNC_DOWNLOADS_CACHE_CONTROL": _FROM_ENVIRONMENT}, _FROM_FLAG, id="flag"
        ),
    ],
)
async def test_flags_come_before_the_environment_and_that_before_the_file(
    tree: Path, tmp_path: Path, flags: tuple[str, ...], env: Mapping[str, str], winner: str
) -> None:
    config = _configured(tmp_path, f"cache-control = {_FROM_FILE!r}")
    async with serving(tree, *flags, env={"ASYNC_DOWNLOADS_CONFIG": str(config), **env}) as command:
        assert _cache_control(command) == winner


@pytest.mark.parametrize(
    ("flags", "env", "line"),
    [
        pytest.param(("--database", "{url}"), {"ASYNC_DOWNLOADS_DATABASE": "x:", "DATABASE_URL": "y:"}, "", id="flag"),
        pytest.param((), {"ASYNC_DOWNLOADS_DATABASE": "{url}", "DATABASE_URL": "x:"}, "", id="our-variable"),
        pytest.param((), {"DATABASE_URL": "mysql://other-app"}, "database = '{url}'", id="file"),
    ],
)
async def test_the_database_is_the_one_that_was_named_nearest(
    tree: Path, tmp_path: Path, sqlite: str, flags: tuple[str, ...], env: Mapping[str, str], line: str
) -> None:
    file = (await fill(sqlite, a=b"stored"))["a"]
    config = _configured(tmp_path, line.format(url=sqlite))
    options = [flag.format(url=sqlite) for flag in flags]
    named = {name: value.format(url=sqlite) for name, value in env.items()}
    async with serving(tree, "-c", config, *options, env=named) as command:
        assert command.get(f"/files/download/{file.token}").text == "stored"
        assert command.get("/files").status_code == 404


@pytest.mark.parametrize(
    ("flags", "env", "lines"),
    [
        pytest.param(("--file-ids", "integer", "--list-files"), {}, (), id="flags"),
        pytest.param((), {"ASYNC_DOWNLOADS_FILE_IDS": "integer", "ASYNC_DOWNLOADS_LIST_FILES": "1"}, (), id="env"),
        pytest.param((), {}, ("file-ids = 'integer'", "list-files = true"), id="file"),
    ],
)
async def test_database_settings_work_as_flag_variable_and_file(
    tree: Path, tmp_path: Path, sqlite: str, flags: tuple[str, ...], env: Mapping[str, str], lines: tuple[str, ...]
) -> None:
    file = (await fill(sqlite, a=b"stored"))["a"]
    config = _configured(tmp_path, *lines)
    async with serving(tree, "-c", config, "--database", sqlite, *flags, env=env) as command:
        assert [each["id"] for each in command.get("/files").json()["files"]] == [str(file.id)]
        assert command.get(f"/files/download/{file.id}").text == "stored"


async def test_a_flag_overrides_the_file(tree: Path, tmp_path: Path) -> None:
    async with serving(tree, "-c", _configured(tmp_path, "hidden = true"), "--no-hidden") as command:
        assert command.get("/.hidden").status_code == 404


@pytest.mark.parametrize(
    ("flags", "env", "line"),
    [
        pytest.param(ANY_PORT, {"ASYNC_DOWNLOADS_PORT": "1"}, "", id="bind-flag-over-port-variable"),
        pytest.param(("-p", "0"), {"ASYNC_DOWNLOADS_BIND": "127.0.0.1:1"}, "", id="port-flag-over-bind-variable"),
        pytest.param((), {"ASYNC_DOWNLOADS_BIND": "127.0.0.1:0"}, "port = 1", id="bind-variable-over-port-in-the-file"),
        pytest.param(ANY_PORT, {}, "port = 1", id="bind-flag-over-port-in-the-file"),
    ],
)
async def test_the_address_is_the_one_that_was_named_nearest(
    tree: Path, tmp_path: Path, flags: tuple[str, ...], env: Mapping[str, str], line: str
) -> None:
    async with running("serve", tree, "-c", _configured(tmp_path, line), *flags, env=env) as command:
        assert command.get("/a.txt").text == "a.txt"


def test_an_address_named_twice_is_refused(tree: Path) -> None:
    assert "both set the address" in refusal("serve", tree, "-b", "127.0.0.1:0", "-p", "0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("bind =", "Invalid value", id="not-toml"),
        pytest.param("colour = 'red'", "unknown setting 'colour'", id="unknown"),
        pytest.param("[serve]\nport = 0", "unknown setting 'serve'", id="table"),
        pytest.param("config = 'other.toml'", "unknown setting 'config'", id="itself"),
        pytest.param("workers = 'many'", "--workers", id="no-number"),
        pytest.param("workers = inf", "--workers", id="no-whole-number"),
        pytest.param("stall-timeout = nan", "--stall-timeout", id="no-number-of-seconds"),
        pytest.param("drain-timeout = inf", "--drain-timeout", id="endless"),
        pytest.param(f"drain-timeout = 1{'0' * 400}", "--drain-timeout", id="beyond-all-numbers"),
        pytest.param(f"drain-timeout = 1{'0' * 5000}", "downloads.toml", id="too-long-to-read"),
        pytest.param('cache-control = "a\\nb"', "--cache-control", id="two-lines"),
        pytest.param("bind = 5", "bind must be text in quotes, or a list of such texts", id="no-text"),
        pytest.param("bind = []", "bind must be text in quotes, or a list of such texts", id="no-address"),
        pytest.param(
            "bind = ['[::1]:0', 5]", "bind must be text in quotes, or a list of such texts", id="not-all-text"
        ),
        pytest.param("hidden = 'perhaps'", "--hidden", id="neither-yes-nor-no"),
        pytest.param("directory = '/no/such/place'", "/no/such/place", id="no-such-directory"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tree: Path, tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refusal("serve", "-c", _configured(tmp_path, text), cwd=tree)


@pytest.mark.parametrize("value", ["nan", "inf", "1e7"])
@pytest.mark.parametrize("name", ["STALL_TIMEOUT", "DRAIN_TIMEOUT"])
def test_a_variable_that_is_wrong_is_refused(tree: Path, name: str, value: str) -> None:
    line = refusal("serve", tree, env={f"ASYNC_DOWNLOADS_{name}": value})
    assert "seconds" in line
    assert f" in the variable ASYNC_DOWNLOADS_{name}: " in line


def test_the_error_for_a_wrong_value_names_the_file_that_has_it(tree: Path, tmp_path: Path) -> None:
    file = _configured(tmp_path, "port = 'x'")
    assert f"Invalid value for '--port' / '-p' in {file}: 'x' is not a whole number" in refusal(
        "serve", "-c", file, tree
    )


async def test_a_variable_can_take_cache_control_away(tree: Path) -> None:
    async with serving(tree, env={"ASYNC_DOWNLOADS_CACHE_CONTROL": "none"}) as command:
        assert "cache-control" not in command.get("/a.txt").headers


def test_a_file_that_is_not_text_is_refused(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "downloads.toml"
    path.write_bytes(b"\xff\xfe")
    assert str(path) in refusal("serve", tree, "--config", path)


async def test_the_database_of_another_app_is_not_served(tree: Path) -> None:
    async with serving(tree, env={"DATABASE_URL": "mysql://other-app/db"}) as command:
        assert command.get("/files/download/1").status_code == 404


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_a_database_that_would_hide_the_folder_s_own_files_is_refused(tree: Path, sqlite: str, kind: str) -> None:
    own = tree / "files"
    own.mkdir() if kind == "folder" else own.write_text("x") if kind == "file" else own.symlink_to("nowhere")
    assert f"{own} has the same URL as the files of the database" in refusal("serve", tree, "--database", sqlite)


@pytest.mark.parametrize("mode", ["8", "6666", "rw", "-600"])
def test_a_mode_that_is_not_octal_is_refused(tree: Path, mode: str) -> None:
    assert "is not a number of three octal digits" in refusal("serve", tree, "--unix-mode", mode)


@pytest.mark.parametrize(
    ("flags", "file", "env"),
    [
        pytest.param(("--cors", "--header", "X-One: 1", "--header", "X-Two: 2, 3"), (), {}, id="flags"),
        pytest.param(
            (),
            (),
            {"ASYNC_DOWNLOADS_CORS": "*", "ASYNC_DOWNLOADS_HEADER": "X-One: 1\nX-Two: 2, 3\n"},
            id="variables",
        ),
        pytest.param((), ("cors = '*'", "header = ['X-One: 1', 'X-Two: 2, 3']"), {}, id="file"),
    ],
)
def test_fields_can_be_added_by_flags_variables_and_a_file(
    tmp_path: Path, flags: tuple[str, ...], file: tuple[str, ...], env: Mapping[str, str]
) -> None:
    settings = _values("-c", str(_configured(tmp_path, *file)), *flags, env=env)
    assert (settings["cors"], settings["header"]) == ("*", ("X-One: 1", "X-Two: 2, 3"))


def test_without_settings_no_field_is_added() -> None:
    settings = _values(env={})
    assert (settings["cors"], settings["header"]) == (None, ())


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--header", "X-One"), "is not a field such as 'Name: value'"),
        (("--header", "Content-Length: 5"), "only the server can set"),
        (("--cors", "page.example"), "is neither * nor an origin"),
    ],
)
def test_a_field_that_cannot_be_added_is_refused(tree: Path, flags: tuple[str, ...], reason: str) -> None:
    assert reason in refusal("serve", tree, *flags)


async def test_pages_of_other_origins_can_read_what_serve_sends(tree: Path) -> None:
    (tree / "index.html").write_text("my page")
    async with serving(tree, "--index", "--cors", "--header", "X-One: 1") as command:
        page = command.get("/")
        assert page.text == "my page"
        assert (page.headers["access-control-allow-origin"], page.headers["x-one"]) == ("*", "1")
