"""A served site and a client of it."""

from dataclasses import dataclass
from email.message import Message
from typing import cast

import httpx
from harness.asgi import App
from harness.served import Server

from async_downloads.config import Settings
from async_downloads.site.app import create_app

__all__ = ["Site", "app_of"]


def app_of(settings: Settings) -> App:
    """Return the site typed as a plain ASGI app: Quart has its own message types."""
    return cast("App", create_app(settings))


@dataclass(frozen=True, slots=True)
class Site:
    """A server in this loop, and two ways to send it requests."""

    server: Server
    client: httpx.AsyncClient

    async def get(self, target: str, **fields: str) -> httpx.Response:
        """Send a GET request; in the names of fields `_` stands for `-`."""
        return await self.ask(target, "GET", **fields)

    async def ask(self, target: str, method: str, **fields: str) -> httpx.Response:
        """Send a request with any method."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return await self.client.request(method, target, headers=headers)

    async def raw(self, target: str, *fields: str, method: str = "GET") -> tuple[int, Message, bytes]:
        """Request a target exactly as it is written; other clients would normalise it."""
        async with self.server.connected() as connection:
            await connection.ask(target, *fields, method=method)
            return await connection.read_response()
