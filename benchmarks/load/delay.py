"""A relay on loopback that delays all bytes, as a long way between a server and its object store does.

It delays neither TCP's handshake nor its acknowledgements: a new connection costs no round trip of its own.
"""

import asyncio
import selectors
import sys

from benchmarks.load.companion import LONGEST, say
from benchmarks.servers.base import HOST

__all__ = ["relay"]

PIECE = 64 * 1024


async def relay(port: int, target: int, delay: float) -> asyncio.Server:
    """Listen on ``port`` and relay to ``target``; each byte waits for ``delay`` seconds in both directions."""

    async def connected(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_store, to_store = await asyncio.open_connection(HOST, target)
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(_carry(from_client, to_store, delay))
                directions.create_task(_carry(from_store, to_client, delay))
        except* OSError:
            pass
        finally:
            to_store.close()
            to_client.close()

    return await asyncio.start_server(connected, HOST, port)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Carry bytes until the reader's end; what is under way is not limited, as on a long line."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    async with asyncio.TaskGroup() as both:
        both.create_task(deliver())
        while data := await reader.read(PIECE):
            under_way.put_nowait((loop.time() + delay, data))
        under_way.put_nowait((loop.time() + delay, b""))


async def _run(port: int, target: int, delay: float) -> None:
    """Relay until the standard input ends."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    async with await relay(port, target, delay):
        say("ready")
        await asyncio.wait_for(stop.wait(), LONGEST)


def _precise_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers are precise to microseconds; those of epoll are up to a millisecond late."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_precise_loop) as runner:
        runner.run(_run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
