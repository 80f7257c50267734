"""A site over a database with files in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

import httpx
import pytest
from tools.databases import fill

from async_downloads.config import Settings
from async_downloads.sources.database.catalogue import StoredFile
from served_site.conftest import SiteOf
from served_site.site import Site

__all__ = ["DATA", "NAME", "Stock", "stock", "target_of"]

NAME = "reports/naïve plan.pdf"
DATA = bytes(range(256)) * 4


def target_of(file: StoredFile) -> str:
    """Return the path of a file by its token."""
    return f"/files/download/{file.token}"


@dataclass(frozen=True, slots=True)
class Stock:
    """The files of a database by name, and the site over it."""

    url: str
    files: dict[str, StoredFile]
    site: Site
    settings: Settings

    @property
    def target(self) -> str:
        """The path of the one file that every test has."""
        return target_of(self.files[NAME])

    async def get(self, **fields: str) -> httpx.Response:
        """Get that file."""
        return await self.site.get(self.target, **fields)

    async def raw(self, public: str, method: str = "GET") -> tuple[int, Message, bytes]:
        """Request an identifier exactly as it is written."""
        return await self.site.raw(f"/files/download/{public}", method=method)


@pytest.fixture
def more() -> Mapping[str, bytes]:
    """More files; a test module may override it."""
    return {}


@pytest.fixture
async def stock(database: str, site_of: SiteOf, more: Mapping[str, bytes]) -> Stock:
    """A database, its files and its site."""
    files = await fill(database, **{NAME: DATA, **more})
    settings = Settings(database=database, list_files=True)
    return Stock(database, files, await site_of(settings), settings)
