"""The servers that have one file: which of them are no longer used."""

import asyncio

import httpx

from async_downloads.client.backoff import Backoff
from async_downloads.client.copies import Copies, RemoteCopy
from async_downloads.client.decisions.retries import RetryBudget
from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import Segment
from async_downloads.client.http.exchange import Exchange
from async_downloads.client.reporter import Reporter
from async_downloads.errors import BadStatus


async def test_a_server_that_fails_on_several_connections_is_reported_once() -> None:
    failed: list[str] = []

    def add(url: str, _: Exception) -> None:
        failed.append(url)

    async with httpx.AsyncClient() as client:
        urls = ("http://a.example/", "http://b.example/")
        copies = [RemoteCopy(url, Exchange(client, url), asyncio.Semaphore(), add) for url in urls]
        schedule = Schedule(4)
        reporter = Reporter(None, schedule, lambda: "")
        servers = Copies(copies, [Backoff(RetryBudget(5), schedule, reporter) for _ in copies], known=False)
        for _ in range(3):
            servers.failed(copies[1], Segment(0, 9, 0), BadStatus(404), failures=0)
    assert (failed, servers.usable) == (["http://b.example/"], copies[:1])
