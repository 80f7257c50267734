"""The usual way to download a file with httpx: a loop over a stream, with and without `async`."""

import asyncio
import sys

import httpx

__all__ = ["fetch", "fetch_async"]


def fetch(url: str, target: str) -> None:
    """Download the URL to the file."""
    with httpx.stream("GET", url) as response, open(target, "wb") as file:
        response.raise_for_status()
        file.writelines(response.iter_bytes())


async def fetch_async(url: str, target: str) -> None:
    """Download the URL to the file, on an event loop; it blocks while it writes."""
    with open(target, "wb") as file:  # noqa: ASYNC230
        async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                file.write(chunk)


if __name__ == "__main__":
    if sys.argv[1] == "async":
        asyncio.run(fetch_async(*sys.argv[2:]))
    else:
        fetch(*sys.argv[2:])
