"""Compare our responses with Flask's: the rows of the tables, and the differences that are intended.

If the response of a row must differ from Flask's, `instead` is the view or the request that makes Flask send the same
response, and `why` gives the reason. `as_ours` has the differences that every row may have. Any other difference fails
the test.
"""

import re
import time
from collections.abc import Awaitable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from _pytest.mark import ParameterSet

from quart_api.twins import PLAIN, Api, Ask, FlaskSide, QuartSide, Received, View

__all__ = [
    "Call",
    "RequestRow",
    "asked",
    "assert_parity",
    "below",
    "call",
    "failing",
    "memory",
    "opened",
    "sent",
    "with_fields",
]

_OWN_TAG: Final = re.compile(r'"[0-9a-f]+(\.[0-9]+)?-[0-9a-f]+-[0-9a-f]+"')
_REPEATED: Final = {"cache-control", "etag", "expires"}  # by a 304 (RFC 9110 §15.4.5)


class Call(NamedTuple):
    """A view of ours, and the view of Flask that must send the same response."""

    view: View
    instead: View


class RequestRow(NamedTuple):
    """A request to us, and the request to which Flask must send the same response."""

    ask: Ask
    instead: Ask


_PLAIN: Final = RequestRow(PLAIN, PLAIN)


def call(name: str, view: View, *, instead: View | None = None, why: str = "") -> ParameterSet:
    """Return a row of a table of calls."""
    assert (instead is None) is not bool(why)
    return pytest.param(Call(view, instead or view), id=name)


def asked(
    name: str, *fields: tuple[str, str], method: str = "GET", instead: dict[str, str] | None = None, why: str = ""
) -> ParameterSet:
    """Return a row of a table of requests."""
    assert (instead is None) is not bool(why)
    ask = Ask(dict(fields), method)
    return pytest.param(RequestRow(ask, ask if instead is None else Ask(instead)), id=name)


def sent(given: object, **options: object) -> View:
    """Return a view that calls `send_file`."""
    return lambda api: api.send_file(given, **options)


def opened(name: str, *, mode: str = "rb", at: int = 0, **options: object) -> View:
    """Return a view that calls `send_file` with an open file."""
    return lambda api: api.send_file(api.open(name, mode, at=at), **options)


def memory(data: bytes, *, at: int = 0, **options: object) -> View:
    """Return a view that calls `send_file` with a BytesIO."""

    def view(api: Api) -> Awaitable[Any]:
        file = BytesIO(data)
        file.seek(at)
        return api.send_file(file, **options)

    return view


def below(directory: str | Path, path: str | Path, **options: object) -> View:
    """Return a view that calls `send_from_directory`."""
    return lambda api: api.send_from_directory(directory, path, **options)


def with_fields(view: View, fields: dict[str, str | None]) -> View:
    """Return the view with these fields changed in its response; None removes a field."""

    async def changed(api: Api) -> Any:
        response = await view(api)
        for name, value in fields.items():
            response.headers.pop(name, None)
            if value is not None:
                response.headers[name] = value
        return response

    return changed


def failing(error: type[Exception]) -> View:
    """Return a view that raises this error."""

    async def view(_: Api) -> Any:
        raise error

    return view


async def assert_parity(
    root: Path, row: Call, requests: RequestRow = _PLAIN, *, with_init: bool, max_age: object = None
) -> None:
    """Send a request to Flask and to us, each with validators of its own earlier response; compare both."""
    began = time.monotonic()
    flask = FlaskSide(root, row.instead, max_age=max_age)
    ours = QuartSide(root, row.view, max_age=max_age, with_init=with_init)
    wanted = as_ours(await flask.ask(requests.instead.of(await flask.ask(PLAIN))))
    received = await ours.ask(requests.ask.of(await ours.ask(PLAIN)))
    passed = time.monotonic() - began
    assert _comparable(received, wanted, passed) == _comparable(wanted, wanted, passed)


def as_ours(received: Received) -> Received:
    """Return the response that we must send where Flask sends this one."""
    fields = {name: value for name, value in received.fields.items() if name != "date"}  # a server adds it
    match received.status:
        case 304:  # no representation metadata (§15.4.5): neither Accept-Ranges nor Content-Disposition
            return replace(received, fields={name: value for name, value in fields.items() if name in _REPEATED})
        case 412:  # no representation: the client's condition says so (§13.1.1)
            return replace(received, fields={"content-length": "0"}, body=b"")
        case 416:  # Flask raises an exception and sends a page; we send the size only (§15.5.17)
            return Received(416, {"content-length": "0", "content-range": fields["content-range"]}, b"", None)
    if "cache-control" in fields:  # a download; a browser must not guess another type
        fields["x-content-type-options"] = "nosniff"
    return replace(received, fields=fields)


def _comparable(received: Received, other: Received, passed: float) -> Received:
    """Remove two differences: each side makes its own tags (§8.8.3), and time passes between the two responses."""
    fields = dict(received.fields)
    if _OWN_TAG.fullmatch(fields.get("etag", "")):
        fields["etag"] = "of its own"
    if "expires" in fields and "expires" in other.fields:
        apart = _apart(fields["expires"], other.fields["expires"])
        if apart <= 1 + passed:
            fields["expires"] = other.fields["expires"]
    return replace(received, fields=fields)


def _apart(one: str, other: str) -> float:
    return abs((parsedate_to_datetime(one) - parsedate_to_datetime(other)).total_seconds())
