"""The users: how their lines are read, and how a file that changes is read again."""

import logging
import os
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from async_downloads.access.accounts import Accounts, hashed, parse_accounts, read_account, split_account

CHEAP = "pbkdf2:sha256:1"
HASH = generate_password_hash("secret", CHEAP)


def _line(user: str, password: str) -> str:
    return f"{user}:{generate_password_hash(password, CHEAP)}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one user."""
    path = tmp_path / "users"
    path.write_text(_line("ann", "secret"))
    return path


def test_lines_are_users_and_hashes() -> None:
    text = f"# who may read\n\nann:{HASH}\r\n  bob:{HASH}  \n"
    assert parse_accounts(text) == {"ann": HASH, "bob": HASH}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(f"ann:{HASH}\nbob", "line 2: it is not user:hash", id="no colon"),
        pytest.param("ann:secret", "line 1: it is not user:hash", id="a password"),
        pytest.param(f":{HASH}", "line 1: it is not user:hash", id="no user"),
        pytest.param("ann:$apr1$abc$def", "line 1: it is not user:hash", id="a hash of htpasswd"),
        pytest.param(f"ann:{HASH}\n\nann:{HASH}", "line 3: 'ann' has a line already", id="a user twice"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_accounts(text)


def test_a_password_may_have_colons() -> None:
    assert split_account("me:a:b") == ("me", "a:b")
    assert read_account("me:a:b") == "me:a:b"


@pytest.mark.parametrize("text", ["me", "me:", ":secret", "me:a\nb", "me:a\x7f", "m\x85e:a", "me:\udcff"])
def test_a_wrong_account_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"it is not USER:PASSWORD|it has a control character|it is not UTF-8"
    ) as refused:
        split_account(text)
    assert text not in str(refused.value)


def test_users_of_the_settings_and_of_the_file_match_their_own_passwords_only(file: Path) -> None:
    accounts = Accounts([("me", "naïve")], file)
    assert accounts.match("me", "naïve")
    assert accounts.match("me", "nai\u0308ve")  # the same letters in another form of Unicode
    assert accounts.match("ann", "secret")
    assert not accounts.match("me", "secret")
    assert not accounts.match("ann", "naïve")
    assert not accounts.match("bob", "secret")


def test_a_user_matches_in_each_form_of_unicode(file: Path) -> None:
    file.write_text(_line("zoe\u0308", "secret"))
    accounts = Accounts([("e\u0301va", "pass")], file)
    assert accounts.match("zo\u00eb", "secret")
    assert accounts.match("zoe\u0308", "secret")
    assert accounts.match("\u00e9va", "pass")


def test_a_file_of_windows_may_begin_with_a_byte_order_mark(file: Path) -> None:
    file.write_text(_line("ann", "secret").replace("\n", "\r\n"), "utf-8-sig")
    assert Accounts((), file).match("ann", "secret")


def test_a_user_with_two_passwords_is_refused() -> None:
    with pytest.raises(ValueError, match="'ann' has two passwords in --auth"):
        Accounts([("ann", "a"), ("ann", "b")])


def test_a_pipe_is_read_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as file:
        file.write(_line("ann", "secret"))
        file.close()
        accounts = Accounts((), Path(f"/dev/fd/{reading}"))
        accounts.refresh()
    assert accounts.match("ann", "secret")
    assert accounts.revision == 0


def test_a_password_is_hashed_with_a_salt() -> None:
    assert hashed("secret") != hashed("secret")
    assert parse_accounts(f"me:{hashed('secret')}").keys() == {"me"}


def test_a_hash_with_impossible_parameters_matches_nothing(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(f"ann:{HASH.replace(CHEAP, 'scrypt:15:1:1')}")
    assert not Accounts((), file).match("ann", "secret")
    assert "a password cannot be checked" in caplog.text


def test_a_file_that_changed_is_read_again(file: Path) -> None:
    accounts = Accounts((), file)
    accounts.refresh()
    assert accounts.revision == 0
    file.write_text(_line("bob", "secret"))
    accounts.refresh()
    assert accounts.revision == 1
    assert accounts.match("bob", "secret")
    assert not accounts.match("ann", "secret")


@pytest.mark.parametrize("content", ["ann:secret", "", None, b"\xff"], ids=["wrong", "empty", "missing", "not UTF-8"])
def test_a_file_that_cannot_be_read_changes_nothing_and_is_reported_once(
    file: Path, caplog: pytest.LogCaptureFixture, content: str | bytes | None
) -> None:
    accounts = Accounts((), file)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    for _ in range(2):
        accounts.refresh()
    assert accounts.match("ann", "secret")
    [record] = caplog.records
    assert (record.levelno, accounts.revision) == (logging.WARNING, 0)
    assert str(file) in record.getMessage()
    file.write_text(_line("bob", "secret"))
    os.utime(file, ns=(1, 1))
    accounts.refresh()
    assert accounts.match("bob", "secret")


def test_accounts_that_contradict_each_other_are_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="'ann' is also a user of --auth"):
        Accounts([("ann", "x")], file)


def test_a_file_without_users_is_refused(file: Path) -> None:
    file.write_text("# nobody\n")
    with pytest.raises(ValueError, match="it has no users"):
        Accounts((), file)


def test_accounts_without_a_file_have_nothing_to_refresh() -> None:
    accounts = Accounts([("me", "secret")])
    accounts.refresh()
    assert (accounts.file, accounts.revision) == (None, 0)
