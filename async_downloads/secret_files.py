"""Read secrets from environment variables, or from files that variables name, as in Docker and Kubernetes."""

import os
from typing import Final

__all__ = ["read_secret"]


_MAX_BYTES: Final = 64 * 1024


def read_secret(variable: str) -> str | None:
    """Return the value of an environment variable, or the content of the file that `variable` + `_FILE` names.

    A line break at the end of the file does not belong to the secret. The result is None if neither variable is set.
    Raises ValueError, with a message for the user that contains no secret, if both variables are set, or if the file
    cannot be read, is empty, is not UTF-8 or has more than 64 KiB.
    """
    value, path = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if not path:
        return value or None
    if value:
        raise ValueError(f"{variable} and {variable}_FILE are both set: set only one of them")
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"{variable}_FILE: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{variable}_FILE: {path} is not text in UTF-8") from None
    if not text or len(content) > _MAX_BYTES:
        raise ValueError(f"{variable}_FILE: {path} {'has more than 64 KiB' if text else 'is empty'}")
    return text
