"""Errors that no protocol expects: which of them are reported, and how often."""

import asyncio
import errno
import os

import pytest
from harness.clock import StillClock

from async_downloads.server.unhandled_errors import UnhandledErrors


def system_error(number: int) -> OSError:
    """Return the system's text for an error number."""
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "error", [system_error(errno.ETIMEDOUT), ConnectionResetError(), asyncio.CancelledError()], ids=repr
)
async def test_a_lost_connection_and_a_cancelled_task_are_not_reported(
    error: BaseException, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    UnhandledErrors()(asyncio.get_running_loop(), {"message": "lost", "exception": error})
    assert (caplog.messages, capfd.readouterr().err) == ([], "")


async def test_any_other_error_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    UnhandledErrors()(asyncio.get_running_loop(), {"message": "unexpected", "exception": ValueError("a")})
    assert "unexpected" in caplog.text


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
async def test_a_shortage_of_descriptors_is_reported_once_a_minute(
    number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, loop, errors = StillClock(monkeypatch), asyncio.get_running_loop(), UnhandledErrors()
    for seconds, lines in ((0, 1), (1, 0), (58, 0), (2, 1)):
        clock.now += seconds
        errors(loop, {"message": "accept", "exception": system_error(number)})
        assert caplog.text.count("no file descriptor is free") == lines
        caplog.clear()
