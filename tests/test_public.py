"""The names that users import."""

import pytest

import async_downloads


@pytest.mark.parametrize("name", async_downloads.__all__)
def test_a_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(async_downloads, name).__name__ == name
    assert name in dir(async_downloads)


def test_the_public_names_are_sorted() -> None:
    assert async_downloads.__all__ == sorted(async_downloads.__all__)


def test_any_other_name_is_missing_as_in_every_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'async_downloads' has no attribute 'send_files'"):
        async_downloads.send_files  # noqa: B018 - that is what is tested


def test_a_name_is_found_once() -> None:
    assert async_downloads.Downloads is async_downloads.Downloads
    assert "Downloads" in vars(async_downloads)
