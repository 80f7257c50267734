"""File regions that go from the page cache to a socket, past the asyncio transport."""
