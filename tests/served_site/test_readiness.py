"""`/-/ready` of the site: whether the database responds, which is asked once for all and at most every ten seconds."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from harness.asgi import Message, ask
from harness.clock import Clock
from harness.waiting import eventually

from async_downloads.config import Settings
from async_downloads.errors import NotFound, SourceError
from async_downloads.site.readiness import Readiness, probe_database
from async_downloads.sources.base import Source
from async_downloads.sources.database.catalogue import Catalogue, Identifier
from served_site.site import app_of


class _Database:
    """A catalogue whose look-ups end as they are told to, and which counts them."""

    def __init__(self) -> None:
        self.look_ups = 0
        self.answer: Exception | None = NotFound("no such file")
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def open_id(self, public: str, identifier: Identifier) -> Source:
        self.look_ups += 1
        await self.let_go.wait()
        raise self.answer or AssertionError


async def _hello(scope: Message, receive: object, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": False})


def _site(database: _Database) -> Readiness:
    return Readiness(_hello, [partial(probe_database, cast("Catalogue", database))])


async def _statuses(site: Any, count: int) -> Sequence[int]:
    return [found.status for found in await asyncio.gather(*(ask(site, "/-/ready") for _ in range(count)))]


async def test_a_folder_is_always_ready_and_the_response_is_never_cached(tmp_path: Path) -> None:
    site = app_of(Settings(directory=tmp_path))
    found = await ask(site, "/-/ready")
    assert (found.status, found.body, found.fields["cache-control"]) == (200, b"ready\n", "no-store")
    assert (await ask(site, "/-/ready", method="POST")).status == 405
    assert (await ask(site, "/-/other")).status == 404


async def test_a_database_that_responded_in_the_last_ten_seconds_is_not_asked_again(clock: Clock) -> None:
    database = _Database()
    site = _site(database)
    assert [*await _statuses(site, 3), *await _statuses(site, 3)] == [200] * 6
    assert database.look_ups == 1
    database.answer = SourceError("gone")
    clock.forward(9)
    assert await _statuses(site, 1) == [200]
    clock.forward(2)
    assert [*await _statuses(site, 1), *await _statuses(site, 1)] == [503, 503]
    assert database.look_ups == 3
    database.answer = NotFound("back")
    assert await _statuses(site, 1) == [200]


async def test_all_who_ask_wait_for_one_look_up_which_is_given_up_after_two_seconds(clock: Clock) -> None:
    database = _Database()
    database.let_go.clear()
    asking = asyncio.create_task(_statuses(_site(database), 20))
    await eventually(lambda: database.look_ups == 1)
    clock.forward(3)
    assert await asking == [503] * 20
    assert database.look_ups == 1


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready/"])
async def test_other_paths_are_those_of_the_app(path: str) -> None:
    assert (await ask(_site(_Database()), path)).body == b"hello"


async def test_a_real_database_that_is_missing_is_not_ready(tmp_path: Path) -> None:
    site = app_of(Settings(database=f"sqlite:///{tmp_path}/none.db"))
    assert (await ask(site, "/-/ready")).status == 503
