"""Settings from the environment."""

from pathlib import Path

import pytest

from async_downloads.config import PREFIX, Settings


def test_without_variables_they_are_the_defaults() -> None:
    assert Settings.from_environment() == Settings()


def test_each_kind_of_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "DIRECTORY": "/srv/files",
        "HIDDEN": "yes",
        "FOLLOW_SYMLINKS": "OFF",
        "CACHE_CONTROL": "no-store",
        "STALL_TIMEOUT": "2.5",
        "DOWNLOAD_IMAGES": "images",
        "PDF_EXAMPLES": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name, value)
    assert Settings.from_environment() == Settings(
        directory=Path("/srv/files"),
        hidden=True,
        cache_control="no-store",
        stall_timeout=2.5,
        download_images=Path("images"),
        pdf_examples=True,
    )


@pytest.mark.parametrize("name", ["DIRECTORY", "HIDDEN", "CACHE_CONTROL", "STALL_TIMEOUT"])
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(PREFIX + name, "")
    assert Settings.from_environment() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HIDDEN", "perhaps"),
        ("ATTACHMENT", "2"),
        ("STALL_TIMEOUT", "soon"),
        ("STALL_TIMEOUT", "0"),
        ("STALL_TIMEOUT", "-1"),
        ("STALL_TIMEOUT", "nan"),
        ("STALL_TIMEOUT", "inf"),
    ],
)
def test_a_value_that_is_none_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ValueError, match=rf"{PREFIX}{name}='{value}' cannot be read"):
        Settings.from_environment()
