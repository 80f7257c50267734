"""The objects of an emulator of Azure: the contract of all stores, and the commands."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx
import pytest
from harness.azurite import CONTAINER, azurite
from sources.contract import LARGE
from sources.object_storage.bench import filled

from async_downloads.sources.object_storage.connecting import store_at
from async_downloads.testing import check_changes, check_store
from tools.command import finished, serving
from tools.programs import need

_CONTENTS = {"docs/ü b.bin": LARGE[:300_000], "empty": b""}
_DATA = Random(8).randbytes(1024 * 1024)


@pytest.fixture(scope="module")
def _azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Run an Azurite for the tests of this module."""
    with azurite(need("azurite-blob"), tmp_path_factory.mktemp("azurite")) as environment:
        yield environment


@pytest.fixture
def azure_url(_azurite: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a part of a container, for this test alone; the environment says how to reach it."""
    for name, value in _azurite.items():
        monkeypatch.setenv(name, value)
    return f"az://{CONTAINER}/{uuid4().hex}"


async def test_azure_keeps_the_contract(azure_url: str) -> None:
    bench = await filled(store_at(azure_url), _CONTENTS)
    await check_store(bench.store, _CONTENTS)
    await check_changes(bench.store, "docs/ü b.bin", bench.put, bench.remove)


async def test_files_are_put_into_a_container_and_served(azure_url: str, tmp_path: Path) -> None:
    (tmp_path / "a b.bin").write_bytes(_DATA)
    assert finished("put", tmp_path / "a b.bin", "--bucket", azure_url).stdout == "a b.bin\t/a%20b.bin\n"
    assert finished("ls", "--bucket", azure_url).stdout.split("  ")[::2] == ["1048576", "a b.bin\n"]
    async with serving(azure_url) as command:
        whole = command.get("/a%20b.bin")
        assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, _DATA, "bytes")
        assert [entry["name"] for entry in command.get("/?json").json()["entries"]] == ["a b.bin"]
        assert command.get("/nothing").status_code == 404
        part = httpx.get(f"{command.url}/a%20b.bin", headers={"Range": "bytes=1000000-"})
        assert (part.status_code, part.content) == (206, _DATA[1_000_000:])
    assert finished("rm", "a b.bin", "--bucket", azure_url).returncode == 0
    assert "there is no file" in finished("rm", "a b.bin", "--bucket", azure_url).stderr
