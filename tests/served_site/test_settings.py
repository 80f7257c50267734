"""Settings from the environment."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from async_downloads.config import PREFIX, ServerSettings, Settings, table
from async_downloads.site.stored import catalogue_of

SWITCHES = [row.name for row in table(Settings) if row.kind is bool]
PATHS = [field.name for field in fields(Settings) if "Path" in str(field.type) and field.name != "auth_file"]


def _with_path(name: str, path: Path, **others: Any) -> Settings:
    """Return settings with a path in that field, which may be a list."""
    values: dict[str, Any] = {name: (path,) if name == "paths" else path}
    return Settings(**values, **others)


def test_without_variables_settings_have_their_defaults() -> None:
    assert Settings.from_environment() == Settings()


def test_each_kind_of_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "DIRECTORY": "/srv/files",
        "HIDDEN": "yes",
        "FOLLOW_SYMLINKS": "OFF",
        "CACHE_CONTROL": "no-store",
        "INDEX": "true",
        "CORS": "https://page.example",
        "HEADER": "X-One: 1\n\nX-Two: 2, 3",
        "STALL_TIMEOUT": "2.5",
        "DOWNLOAD_IMAGES": "images",
        "PDF_EXAMPLES": "1",
        "SECRET": "one for all",
        "DATABASE": "sqlite:///files.db",
        "FILE_IDS": "integer",
        "LIST_FILES": "on",
    }
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name, value)
    assert Settings.from_environment() == Settings(
        directory=Path("/srv/files"),
        hidden=True,
        cache_control="no-store",
        index=True,
        cors="https://page.example",
        header=("X-One: 1", "X-Two: 2, 3"),
        stall_timeout=2.5,
        download_images=Path("images"),
        pdf_examples=True,
        secret="one for all",
        database="sqlite:///files.db",
        file_ids="integer",
        list_files=True,
    )


def test_the_database_variable_of_other_apps_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///theirs.db")
    assert Settings.from_environment().database is None
    monkeypatch.setenv(f"{PREFIX}DATABASE", "sqlite:///ours.db")
    assert Settings.from_environment().database == "sqlite:///ours.db"


def test_settings_show_neither_the_password_nor_the_secret() -> None:
    shown = repr(Settings(database="postgresql://me:pa55@localhost/files", secret="s3cret"))
    assert "pa55" not in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    "name", ["DIRECTORY", "HIDDEN", "CACHE_CONTROL", "STALL_TIMEOUT", "DATABASE", "FILE_IDS", "LIST_FILES"]
)
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(PREFIX + name, "")
    assert Settings.from_environment() == Settings()


def test_cache_control_none_means_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}CACHE_CONTROL", "none")
    assert Settings.from_environment().cache_control is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HIDDEN", "perhaps"),
        ("ATTACHMENT", "2"),
        ("FILE_IDS", "names"),
        ("LIST_FILES", "all"),
        ("STALL_TIMEOUT", "soon"),
        ("STALL_TIMEOUT", "0"),
        ("STALL_TIMEOUT", "-1"),
        ("STALL_TIMEOUT", "nan"),
        ("STALL_TIMEOUT", "inf"),
        ("STALL_TIMEOUT", "1000001"),
        ("CACHE_CONTROL", "no-cache\t"),
        ("CACHE_CONTROL", "日本"),
        ("CORS", "page.example"),
        ("HEADER", "X-One: 1\nX-Two"),
    ],
)
def test_an_invalid_value_is_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ValueError, match=re.escape(f"{PREFIX}{name}={value!r} cannot be read")):
        Settings.from_environment()


@pytest.mark.parametrize(("value", "on"), [("y", True), ("T", True), (" yes ", True), ("n", False), ("F", False)])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_read_as_the_command_line_reads_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, on: bool
) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), value)
    assert getattr(Settings.from_environment(), name) is on


def test_the_message_says_which_values_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}FILE_IDS", "names")
    with pytest.raises(ValueError, match="is not one of token, integer"):
        Settings.from_environment()


@pytest.mark.parametrize("name", PATHS)
def test_every_path_is_among_the_folders(name: str) -> None:
    assert _with_path(name, Path("x")).folders == (Path("x"),)


@pytest.mark.parametrize("name", PATHS)
def test_a_database_below_any_path_is_refused(name: str, tmp_path: Path) -> None:
    settings = _with_path(name, tmp_path, database=f"sqlite:///{tmp_path}/files.db")
    with pytest.raises(ValueError, match="is served"):
        catalogue_of(settings)


@pytest.mark.parametrize("name", ["..files.db", ".well-known/files.db"])
def test_a_database_that_is_not_hidden_in_spite_of_its_dot_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is served"):
        catalogue_of(Settings(directory=tmp_path, database=f"sqlite:///{tmp_path}/{name}"))


def test_there_are_paths_and_switches() -> None:
    assert {"directory", "paths", "download_file", "client_reports"} <= set(PATHS)
    assert {"hidden", "list_files", "pdf_examples"} <= set(SWITCHES)


def test_a_server_without_options_listens_on_its_own_machine() -> None:
    assert (Settings().folders, ServerSettings().bind) == ((), ("127.0.0.1:8000",))


def test_the_settings_load_without_click() -> None:
    program = "import sys, async_downloads.config; print('click' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert loaded == "False\n"
