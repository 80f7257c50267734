"""The reason for an error status, as the server writes it into a short body: "Request has expired", for example."""

import asyncio
import html
import json
import re
from contextlib import aclosing, suppress
from typing import Final

import httpx

__all__ = ["read_error_text"]


_MAX_BYTES: Final = 8 * 1024
_SECONDS: Final = 5.0  # the download must not wait longer for an explanation
_MAX_CHARACTERS: Final = 200
_SECRET_CHARACTERS: Final = 6  # of a secret at least; a shorter text may be part of any word
_HARMLESS: Final = frozenset(
    """
    accept accept-encoding accept-language connection host if-modified-since if-none-match if-range if-unmodified-since
    range user-agent want-repr-digest
    """.split()  # noqa: SIM905  # a list has one name per line
)
_MEMBERS: Final = ("message", "error_description", "detail", "error", "title")  # of JSON; RFC 9457 has some of them
_ELEMENT: Final = re.compile(r"<(message|title|h1)\b[^>]*>([^<]+)</", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]*>")


async def read_error_text(response: httpx.Response) -> str:
    """Return the first line of a short body in one line; "" if there is none within five seconds.

    Many servers repeat what was requested, "Cannot GET /a?signature=..." for example. Secrets of the request are
    replaced, because the text will be shown.
    """
    if response.is_stream_consumed or response.headers.get("content-encoding"):
        return ""
    body = bytearray()
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_SECONDS), aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                body += chunk
                if len(body) > _MAX_BYTES:
                    return ""
    text = " ".join(_reason(body.decode("utf-8", "replace")).split())
    for secret in sorted(_secrets(response.request), key=len, reverse=True):
        text = text.replace(secret, "***")
    return "".join(char if char.isprintable() else "_" for char in text)[:_MAX_CHARACTERS]


def _secrets(request: httpx.Request) -> set[str]:
    """Return the query, its values, and the fields of the request that may hold a password, if they are not short."""
    fields = [value for name, value in request.headers.items() if name not in _HARMLESS]
    query = request.url.query.decode("ascii")
    values = [pair.partition("=")[2] for pair in query.split("&")]  # as they were sent, percent-encoded
    texts = {query, *values, *request.url.params.values(), *fields}
    words = {word for text in fields for word in re.split(r"[\s;]+", text)}
    return {text for text in texts | words if len(text) >= _SECRET_CHARACTERS}


def _reason(text: str) -> str:
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict):
            nested = found.get("error")
            return _member({**found, **nested} if isinstance(nested, dict) else found)
    if element := _ELEMENT.search(text):
        return html.unescape(element[2])
    lines = filter(None, map(str.strip, _TAG.sub("", text).splitlines()))
    return html.unescape(next(lines, ""))


def _member(found: dict[str, object]) -> str:
    return next((text for name in _MEMBERS if isinstance(text := found.get(name), str)), "")
