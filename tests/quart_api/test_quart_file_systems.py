"""Files on a file system that does not respond: the client gets a 503, and no other client waits."""

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from harness.mounts import DEVICES, occupy
from harness.mounts import hanging as hanging  # noqa: PLC0414
from harness.mounts import mounts as mounts  # noqa: PLC0414
from quart import Quart

from async_downloads import recent_paths, send_file, send_from_directory
from async_downloads.site.routes import downloads
from quart_api.apps import exchange, quart_app

VIEWS = {
    "send_file": lambda mounts: send_file(mounts / "nfs" / "deep" / "a.txt"),
    "send_file of bytes": lambda mounts: send_file(bytes(mounts / "nfs" / "deep" / "a.txt"), download_name="a.txt"),
    "send_from_directory": lambda mounts: send_from_directory(mounts / "nfs" / "deep", "a.txt"),
    "send_from_directory above it": lambda mounts: send_from_directory(mounts, "nfs/deep/a.txt"),
}


@pytest.mark.parametrize("send", VIEWS.values(), ids=VIEWS)
async def test_a_file_system_that_hangs_is_a_503(
    mounts: Path,
    hanging: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    send: Callable[[Path], Awaitable[Any]],
    with_init: bool,
) -> None:
    occupy(DEVICES["nfs"], hanging)
    monkeypatch.setattr(recent_paths, "OPEN_TIMEOUT", 0.05)

    async def view() -> Any:
        return await send(mounts)

    response = await exchange(quart_app(mounts, view, with_init=with_init))
    assert (response.status, response.fields["Retry-After"]) == (503, "1")


async def test_a_search_for_an_image_on_a_file_system_that_hangs_is_a_503(
    mounts: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    occupy(DEVICES["nfs"], hanging)
    monkeypatch.setattr(recent_paths, "OPEN_TIMEOUT", 0.05)
    app = Quart(__name__)
    app.config["CLIENT_IMAGES"] = mounts / "nfs"
    app.register_blueprint(downloads)
    response = await app.test_client().get("/get-image/7")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
