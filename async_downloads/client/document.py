"""A small resource in memory: the listing of a folder, a list of checksums, or a Metalink file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import BadResponse
from .downloader import Downloader

__all__ = ["Document", "read_document"]


_MAX_BYTES: Final = 64 * 1024 * 1024  # a listing of 300,000 files


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a resource. `url` is the URL of the response, after redirects."""

    url: str
    media_type: str
    body: bytes


async def read_document(
    downloader: Downloader,
    url: str,
    *,
    accept: str = "*/*",
    check_media_type: Callable[[str], object] = lambda _: None,
) -> Document:
    """Read a resource of at most 64 MiB. Before the body is read, `check_media_type` gets its media type and may raise.

    Raises FetchError, and ValueError if the URL is malformed.
    """
    body = bytearray()
    async with downloader.open(url, headers=(("Accept", accept),)) as stream:
        check_media_type(stream.media_type)
        async for chunk in stream:
            body += chunk
            if len(body) > _MAX_BYTES:
                raise BadResponse(f"the response has more than {_MAX_BYTES} bytes, which is too much for a list")
        return Document(stream.url, stream.media_type, bytes(body))
