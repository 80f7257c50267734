"""The environment variables that say how to reach an object store.

obstore does not check them: with some values it prints the trace of a panic for each request.
"""

import os
import re
from collections.abc import Iterator
from typing import Final

from ...client_address import MAX_PORT

__all__ = ["ENDPOINTS", "check_environment", "endpoint", "endpoints"]


# By the scheme of the URL. The first variable that is set counts for S3. The AWS SDKs know the first two, in this
# order, and obstore also the third. For Azure, obstore may choose any of them.
ENDPOINTS: Final[dict[str, tuple[str, ...]]] = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_WORDS: Final = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
}
_ENDPOINT: Final = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?(?:/[!-~]*)?")
_WORD: Final = re.compile(r"[!-~]*")  # the visible characters of ASCII


def endpoints(scheme: str) -> Iterator[tuple[str, str]]:
    """Yield the variables that name the store's URL, and their values. None is set for a cloud's own store."""
    for name in ENDPOINTS.get(scheme, ()):
        if value := os.environ.get(name):
            yield name, value


def endpoint(scheme: str) -> str | None:
    """Return the URL of the store that the environment names; None for the cloud's own store."""
    return next((value for _, value in endpoints(scheme)), None)


def check_environment(scheme: str) -> None:
    """Raise ValueError, with one line that says what to do, if obstore cannot use a variable.

    The message does not show the value, because it may be a secret.
    """
    for name, value in endpoints(scheme):
        found = _ENDPOINT.fullmatch(value)
        if not found or int(found[1] or 0) > MAX_PORT:
            raise ValueError(f"{name} is no URL of a store: expected http://HOST:PORT or https://HOST:PORT")
    for name in _WORDS.get(scheme, ()):
        if not _WORD.fullmatch(os.environ.get(name, "")):
            raise ValueError(f"{name} has a space, a line break or another character that it cannot have: remove it")
