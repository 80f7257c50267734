"""The contents of a store under test, and the keys that it must not open."""

from collections.abc import Iterable, Mapping

__all__ = ["Contents", "directories_of", "longest", "missing_keys", "unknown_keys"]

Contents = Mapping[str, bytes]


def directories_of(keys: Iterable[str]) -> list[str]:
    """Return the directories that the keys are in.

    >>> directories_of(["a/b/c", "d"])
    ['a', 'a/b']
    """
    parts = [key.split("/") for key in keys]
    return sorted({"/".join(part[:length]) for part in parts for length in range(1, len(part))})


def longest(contents: Contents) -> str:
    """Return the key that has the longest content."""
    return max(contents, key=lambda key: len(contents[key]))


def unknown_keys(contents: Contents) -> list[str]:
    """Return a key that the store does not have in each directory.

    >>> unknown_keys({"docs/a.txt": b""})
    ['unknown-7f3a', 'docs/unknown-7f3a']
    """
    return [f"{directory}/unknown-7f3a".lstrip("/") for directory in ("", *directories_of(contents))]


def missing_keys(contents: Contents) -> dict[str, str]:
    """Return keys that have no representation, by their descriptions. Most of them resemble one of the keys."""
    known = {*contents, *directories_of(contents)}
    first, deepest = min(contents, key=_depth), max(contents, key=_depth)
    made = _unusual_keys() | _like(first) | {f"{name}, below a directory": key for name, key in _like(deepest).items()}
    return {name: key for name, key in made.items() if key not in known}


def _depth(key: str) -> tuple[int, str]:
    return key.count("/"), key


def _unusual_keys() -> dict[str, str]:
    return {
        "nothing": "",
        "the parent directory": "..",
        "this directory": ".",
        "a slash": "/",
        "a lone surrogate": "\ud800.txt",
        "a byte that is not UTF-8": "\udcff.txt",
        "a long segment": "x" * 300,
        "a long key": "/".join(["x" * 200] * 50),
        "a pattern": "*",
    }


def _like(key: str) -> dict[str, str]:
    folder, slash, name = key.rpartition("/")
    inside = f"{folder}{slash}"
    return {
        "an absolute key": f"/{key}",
        "two slashes at the start": f"//{key}",
        "the parent directory at the start": f"../{key}",
        "the parent directory inside": f"{inside}x/../{name}",
        "the parent directory at the end": f"{key}/..",
        "this directory at the start": f"./{key}",
        "this directory inside": f"{inside}./{name}",
        "an empty segment": f"{inside}/{name}",
        "an empty last segment": f"{key}/",
        "a file as a directory": f"{key}/{name}",
        "NUL": f"{key}\0",
        "NUL inside": f"{folder}\0{slash}{name}",
        "a backslash": f"{folder or '.'}\\{name}",
        "the parent directory after a backslash": f"..\\{key}",
        "a drive": f"C:\\{key}",
        "other case": key.swapcase(),
        "a space at the end": f"{key} ",
        "a line break at the end": f"{key}\n",
        "a percent-encoded slash": f"{folder or '.'}%2F{name}",
    }
