"""The reason for an error status in the short body of a response, for example "Request has expired"."""

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
_SECRET_CHARACTERS: Final = 6  # in a secret at least; a shorter text may be a part of any word
_HARMLESS: Final = frozenset(
    """
    accept accept-encoding accept-language connection host if-modified-since if-none-match if-range if-unmodified-since
    range user-agent want-repr-digest
    """.split()  # noqa: SIM905  # a list has one name per line
)
_MEMBERS: Final = ("message", "error_description", "detail", "error", "title")  # of JSON; some are from RFC 9457
_ELEMENT: Final = re.compile(r"<(message|title|h1)\b[^>]*>([^<]+)</", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]*>")


async def read_error_text(response: httpx.Response) -> str:
    """Return the reason in a short body, as one line; "" if there is none within five seconds.

    Many servers repeat the request, for example "Cannot GET /a?signature=...". Secrets of the request are replaced,
    because the text is shown to users.
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
    """Return the query, its values, and the fields of the request that may have a password, unless they are short."""
    fields = [value for name, value in request.headers.items() if name not in _HARMLESS]
    query = request.url.query.decode("ascii")
    values = [pair.partition("=")[2] for pair in query.split("&")]  # percent-encoded, as they were sent
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
