"""The check of passwords: what is remembered, what is counted, and what it costs."""

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.waiting import HANGING, eventually
from werkzeug.security import generate_password_hash

from async_downloads.access import password_check
from async_downloads.access.accounts import Accounts
from async_downloads.access.password_check import ACCEPTED, PasswordCheck, Verdict
from async_downloads.errors import SourceBusy

WRONG = Verdict(False)


def basic(user: str, password: str, *, encoding: str = "utf-8", scheme: str = "Basic") -> bytes:
    """Return the Authorization field of a user."""
    return f"{scheme} {b64encode(f'{user}:{password}'.encode(encoding)).decode()}".encode()


def _line(user: str, password: str) -> str:
    return f"{user}:{generate_password_hash(password, 'pbkdf2:sha256:1')}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with two users."""
    path = tmp_path / "users"
    path.write_text(_line("ann", "secret") + _line("bob", "naïve: ☂"))
    return path


class _Counted(Accounts):
    """Accounts that count the checks, and let them wait until `go` is set."""

    def __init__(self, file: Path) -> None:
        super().__init__((), file)
        self.checks = 0
        self.go = threading.Event()
        self.go.set()

    def match(self, user: str, password: str) -> bool:
        """Count, wait, and check."""
        self.checks += 1
        self.go.wait(HANGING)
        return super().match(user, password)


@pytest.fixture
def accounts(file: Path) -> _Counted:
    """The accounts of the file."""
    return _Counted(file)


@pytest.fixture
def check(accounts: _Counted) -> PasswordCheck:
    """A check of those accounts."""
    return PasswordCheck(accounts)


async def test_a_right_password_is_checked_once_and_remembered(check: PasswordCheck, accounts: _Counted) -> None:
    credentials = basic("ann", "secret")
    assert not check.is_remembered(credentials)
    for _ in range(3):
        assert await check.check(credentials, "a") == ACCEPTED
    assert check.is_remembered(credentials)
    assert accounts.checks == 1


async def test_what_is_remembered_is_forgotten_in_time(
    check: PasswordCheck, accounts: _Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check.check(basic("ann", "secret"), "a")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 301)
    assert not check.is_remembered(basic("ann", "secret"))
    assert await check.check(basic("ann", "secret"), "a") == ACCEPTED
    assert accounts.checks == 2


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(basic("ann", "secret"), id="ASCII"),
        pytest.param(basic("bob", "naïve: ☂"), id="UTF-8"),
        pytest.param(basic("ann", "secret", scheme="bAsIc"), id="any case"),
        pytest.param(basic("ann", "secret").replace(b" ", b"   ") + b" ", id="spaces"),
    ],
)
async def test_all_forms_of_right_credentials_are_accepted(check: PasswordCheck, credentials: bytes) -> None:
    assert await check.check(credentials, "a") == ACCEPTED


async def test_a_password_in_latin_1_is_accepted(tmp_path: Path) -> None:
    check = PasswordCheck(Accounts([("me", "naïve")]))
    assert await check.check(basic("me", "naïve", encoding="latin-1"), "a") == ACCEPTED


@pytest.mark.parametrize(
    ("credentials", "checks"),
    [
        pytest.param(basic("ann", "Secret"), 1, id="wrong password"),
        pytest.param(basic("nobody", "secret"), 1, id="unknown user"),
        pytest.param(basic("ann", ""), 1, id="no password"),
        pytest.param(basic("", ""), 1, id="nothing"),
        pytest.param(b"Basic", 0, id="no token"),
        pytest.param(b"Basic ???", 0, id="not Base64"),
        pytest.param(b"Basic YW5u", 0, id="no colon"),
        pytest.param(basic("ann", "secret", scheme="Bearer"), 0, id="another scheme"),
        pytest.param(basic("ann", "secret" + "x" * 1024), 0, id="too long"),
    ],
)
async def test_wrong_credentials_are_refused(
    check: PasswordCheck, accounts: _Counted, credentials: bytes, checks: int
) -> None:
    assert await check.check(credentials, "a") == WRONG
    assert accounts.checks == checks
    assert not check.is_remembered(credentials)


async def test_a_client_that_fails_too_often_waits_without_a_check(check: PasswordCheck, accounts: _Counted) -> None:
    await check.check(basic("ann", "secret"), "a")
    for number in range(10):
        assert await check.check(basic("ann", str(number)), "a") == WRONG
    assert (await check.check(basic("bob", "naïve: ☂"), "a")).retry_after > 0
    assert accounts.checks == 11
    assert await check.check(basic("ann", "secret"), "a") == ACCEPTED  # it is remembered
    assert await check.check(basic("bob", "naïve: ☂"), "b") == ACCEPTED


async def test_requests_with_the_same_password_wait_for_one_check(check: PasswordCheck, accounts: _Counted) -> None:
    accounts.go.clear()
    waiting = [asyncio.create_task(check.check(basic("ann", "secret"), "a")) for _ in range(5)]
    await eventually(lambda: accounts.checks)
    waiting[0].cancel()  # this client leaves; the others still wait
    accounts.go.set()
    assert await asyncio.gather(*waiting[1:]) == [ACCEPTED] * 4
    assert accounts.checks == 1


async def test_too_many_checks_at_once_are_refused(
    check: PasswordCheck, accounts: _Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PasswordCheck, "_MAX_RUNNING", 2)
    accounts.go.clear()
    waiting = [asyncio.create_task(check.check(basic("ann", str(number)), str(number))) for number in range(2)]
    await eventually(lambda: accounts.checks == 2)
    with pytest.raises(SourceBusy):
        await check.check(basic("ann", "secret"), "c")
    accounts.go.set()
    assert await asyncio.gather(*waiting) == [WRONG] * 2


async def test_the_table_of_remembered_passwords_is_bounded(
    file: Path, check: PasswordCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PasswordCheck, "_MAX_REMEMBERED", 1)
    await check.check(basic("ann", "secret"), "a")
    await check.check(basic("bob", "naïve: ☂"), "a")
    assert not check.is_remembered(basic("ann", "secret"))
    assert check.is_remembered(basic("bob", "naïve: ☂"))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that moves the clock on by two seconds."""

    def move() -> None:
        now = time.monotonic() + 2
        monkeypatch.setattr(time, "monotonic", lambda: now)

    return move


async def test_a_user_who_is_removed_from_the_file_is_refused_at_once(
    check: PasswordCheck, file: Path, later: Callable[[], None]
) -> None:
    assert await check.check(basic("ann", "secret"), "a") == ACCEPTED
    file.write_text(_line("bob", "new"))
    later()
    assert not check.is_remembered(basic("ann", "secret"))
    answers = await asyncio.gather(*(check.check(basic("ann", "secret"), "a") for _ in range(3)))
    assert answers == [WRONG] * 3
    assert await check.check(basic("bob", "new"), "a") == ACCEPTED


async def test_a_file_system_that_does_not_respond_changes_nothing(
    check: PasswordCheck, monkeypatch: pytest.MonkeyPatch, later: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def busy(*_: object) -> None:
        raise SourceBusy("the file system does not respond")

    await check.check(basic("ann", "secret"), "a")
    later()
    monkeypatch.setattr(password_check, "open_in_thread", busy)
    assert await check.check(basic("ann", "secret"), "a") == ACCEPTED
    assert "the users stay as they were" in caplog.text


async def test_a_password_that_is_changed_while_it_is_checked_is_not_remembered(
    check: PasswordCheck, accounts: _Counted, file: Path, later: Callable[[], None]
) -> None:
    accounts.go.clear()
    first = asyncio.create_task(check.check(basic("ann", "secret"), "a"))
    await eventually(lambda: accounts.checks)
    file.write_text(_line("bob", "new"))
    later()
    assert await check.check(b"Basic YW5u", "a") == WRONG  # this reads the file
    accounts.go.set()
    await first
    assert not check.is_remembered(basic("ann", "secret"))
