"""Which requests need a password: no spelling of a path leads around it."""

import pytest
from harness.asgi import scope

from async_downloads.access.protected_paths import ProtectedPaths, read_protected_path

PATHS = ProtectedPaths(["/private", "/a/b/", "/Ärger"])


@pytest.mark.parametrize(
    "target",
    [
        "/private",
        "/private/",
        "/private/x",
        "//private/x",
        "/./private",
        "/x/../private/x",
        "/%70rivate/x",
        "/private%2fx",
        "/%2fprivate/x",
        "/PRIVATE/x",
        "/private./x",
        "/private%20/x",
        "/pr%C4%B1vate/../private",
        "/a/b",
        "/a//b/x",
        "/a%2fb",
        "/%C3%84rger/x",
        "/A%CC%88rger/x",
        "/a%CC%88rger/x",
        "/?zip",
        "/?tar&name=public",
        "/a/?zip",
        "/?x&zip=1",
    ],
)
def test_every_spelling_of_a_protected_path_is_covered(target: str) -> None:
    assert PATHS.cover(scope(target))


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/privat",
        "/prefix",
        "/private-not",
        "/privately/x",
        "/x/private",
        "/a",
        "/a/bc",
        "/a/c?zip",
        "/?json",
        "/-/",
    ],
)
def test_other_paths_are_open(target: str) -> None:
    assert not PATHS.cover(scope(target))


def test_a_path_below_a_mount_is_the_path_that_the_tree_opens() -> None:
    assert PATHS.cover(scope("/mount/private/x", root_path="/mount"))
    assert not PATHS.cover(scope("/private/private", root_path="/private", path="/private/x"))


@pytest.mark.parametrize("paths", [ProtectedPaths(), ProtectedPaths(["/"]), ProtectedPaths(["/a", "//"])])
def test_without_a_path_everything_is_covered(paths: ProtectedPaths) -> None:
    assert paths.cover(scope("/anything"))


def test_a_very_long_path_is_compared_too() -> None:
    assert PATHS.cover(scope("/private/" + "x" * 2000))


def test_a_path_begins_with_a_slash() -> None:
    assert read_protected_path("/private") == "/private"
    with pytest.raises(ValueError, match="is not a path that begins with /"):
        read_protected_path("private")


def test_a_long_path_and_invisible_characters_do_not_lead_around() -> None:
    paths = ProtectedPaths(["/private"])
    for path in ("/" + "./" * 5000 + "private/x", "/priv\u200bate/x", "/priv\u00adate/x"):
        assert paths.cover({"type": "http", "path": path, "query_string": b""})
