"""The users and the hashes of their passwords: from settings, and from a file that is read again when it changes."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from werkzeug.security import check_password_hash, generate_password_hash

from ..file_systems import version_at

__all__ = ["Accounts", "hashed", "parse_accounts", "read_account", "split_account"]


_log = logging.getLogger("async_downloads")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # some of these end a line of the file
_NOT_UTF_8: Final = re.compile("[\ud800-\udfff]")  # the bytes of arguments and of standard input that are not UTF-8
# What Werkzeug can check: the method with its parameters, the salt, the digest.
_HASH: Final = re.compile(
    r"(?:scrypt:\d{1,9}:\d{1,3}:\d{1,3}|pbkdf2:sha(?:1|224|256|384|512):\d{1,9})\$[^$\s]+\$[0-9a-f]+"
)
_MAX_BYTES: Final = 16 * 1024 * 1024  # of the file


def split_account(text: str) -> tuple[str, str]:
    """Split `USER:PASSWORD` or `USER:HASH` at the first colon (RFC 7617 §2).

    Raises ValueError, with a message that does not show the text, if there is no user, no password, a control
    character, or a byte that is not UTF-8.
    """
    user, colon, secret = text.partition(":")
    if not (user and colon and secret):
        raise ValueError("it is not USER:PASSWORD")
    if _CONTROL.search(text):
        raise ValueError("it has a control character")
    if _NOT_UTF_8.search(text):
        raise ValueError("it is not UTF-8")
    return user, secret


def read_account(text: str) -> str:
    """Check the text of a user and a password, and return it. Raises ValueError as `split_account` does."""
    return ":".join(split_account(text))


def hashed(password: str) -> str:
    """Return the hash of a password, with a new salt. This takes about 50 ms."""
    return generate_password_hash(_composed(password))


def _composed(text: str) -> str:
    """Return a text in the form in which equal texts have equal characters (RFC 7617 §2.1)."""
    return unicodedata.normalize("NFC", text)


def parse_accounts(text: str) -> dict[str, str]:
    """Read lines of `user:hash`, and return the hashes by user. Empty lines and those that begin with # are ignored.

    Raises ValueError, with the number of the line, if it is none of these or the user has two lines.
    """
    accounts: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        user, colon, found = _composed(line).partition(":")
        if not (user and colon) or not _HASH.fullmatch(found):
            raise ValueError(f"line {number}: it is not user:hash, as 'async-downloads hash-password USER' prints it")
        if user in accounts:
            raise ValueError(f"line {number}: {user!r} has a line already")
        accounts[user] = found
    return accounts


class Accounts:
    """The users of the settings and of a file.

    `revision` grows when the file has changed. If the new content cannot be read, the old accounts stay, and the log
    says why, once for each version of the file. The passwords of the settings are hashed when the first password is
    checked.
    """

    def __init__(self, fixed: Iterable[tuple[str, str]] = (), file: Path | None = None) -> None:
        """`fixed` has users and passwords. Raises ValueError or OSError if the accounts cannot be read."""
        self._fixed = _by_user(fixed)
        self.file: Path | None = None  # to be read again when it changes
        self.revision: int = 0
        self._version: tuple[int, ...] | None = None
        self._hashes: Mapping[str, str] = {}  # of the file
        self._fixed_hashes: Mapping[str, str] = {}
        if file is not None:
            self._version = version_at(file)
            self._load(file)
            self.file = None if file.is_fifo() else file.absolute()  # a pipe, such as <(pass users), is read only once

    def refresh(self) -> None:
        """Read the file again if it has changed. This may wait for a disk, so call it in a thread."""
        if self.file is None or (version := version_at(self.file)) == self._version:
            return
        self._version = version
        try:
            self._load(self.file)
        except (OSError, ValueError) as error:
            _log.warning("the users stay as they were: %s", error)
        else:
            self.revision += 1

    def _load(self, file: Path) -> None:
        """Replace the accounts. Raises ValueError, with the file's name, if it has no users or a wrong line."""
        try:
            with file.open("rb") as opened:
                accounts = parse_accounts(opened.read(_MAX_BYTES).decode("utf-8-sig"))
            if not accounts and not self._fixed:
                raise ValueError("it has no users")
            if both := accounts.keys() & self._fixed.keys():
                raise ValueError(f"{min(both)!r} is also a user of --auth")
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
        self._hashes = accounts

    def match(self, user: str, password: str) -> bool:
        """Return whether a user has this password. It takes about 50 ms, so call it in a thread.

        For an unknown user the hash of another one is checked, so that the check takes as long.
        """
        if len(self._fixed_hashes) < len(self._fixed):
            self._fixed_hashes = {user: hashed(password) for user, password in self._fixed.items()}
        hashes = {**self._fixed_hashes, **self._hashes}
        others = tuple(hashes.values())
        user = _composed(user)
        expected = hashes.get(user, others[hash(user) % len(others)])
        try:
            return check_password_hash(expected, _composed(password)) and user in hashes
        except ValueError as error:  # scrypt does not take the parameters of this hash
            _log.warning("a password cannot be checked: %s", error)
            return False


def _by_user(accounts: Iterable[tuple[str, str]]) -> dict[str, str]:
    passwords: dict[str, str] = {}
    for user, password in accounts:
        if passwords.setdefault(_composed(user), password) != password:
            raise ValueError(f"{user!r} has two passwords in --auth")
    return passwords
