"""A tree of files with all the routes over it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Serve
from harness.waiting import HANGING

from async_downloads.config import Settings
from served_site.site import Site, app_of

IMAGE_ID = "0b5e6f1c-7c56-4d8a-9f3e-2a8f6d0c4b17"
_FILES = {
    "sales.csv": "a,b\r\n1,2\r\n",
    "images/001.png": "one",
    "images/007.jpeg": "seven",
    f"images/{IMAGE_ID}.png": "by id",
    "images/sub/deep.png": "deep",
    "images/folder.d/x": "x",
    "images/.hidden.png": "hidden",
    "csv/sales.csv": "a,b\r\n1,2\r\n",
    "csv/2026/october.csv": "c\r\n",
    "pdf/invoice.pdf": "%PDF-1.4 invoice",
    f"pdf/{IMAGE_ID}.pdf": "%PDF-1.4 by id",
    "reports/2026/q3/summary.txt": "all is well",
    "secret.txt": "secret",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder of the files."""
    tree = tmp_path / "tree"
    for name, text in _FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
    return tree


@pytest.fixture
def everything(tree: Path) -> Settings:
    """Settings that turn everything on."""
    return Settings(
        directory=tree,
        download_file=tree / "sales.csv",
        download_images=tree / "images",
        client_images=tree / "images",
        client_csv=tree / "csv",
        client_pdf=tree / "pdf",
        client_reports=tree / "reports",
        pdf_examples=True,
    )


SiteOf = Callable[..., Awaitable[Site]]


@pytest.fixture
async def site_of(serve: Serve) -> AsyncIterator[SiteOf]:
    """Return a function that serves a site with the given settings until the test ends."""
    async with AsyncExitStack() as clients:

        async def start(settings: Settings, **changes: Any) -> Site:
            server = await serve(app_of(replace(settings, **changes)))
            client = httpx.AsyncClient(base_url=server.url, timeout=HANGING)
            return Site(server, await clients.enter_async_context(client))

        yield start


@pytest.fixture
async def site(site_of: SiteOf, everything: Settings) -> Site:
    """The site with all its routes."""
    return await site_of(everything)
