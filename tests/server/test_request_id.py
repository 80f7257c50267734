"""The identifier of a request in the log."""

import io
import json

import pytest
from harness.asgi import ask

from async_downloads.asgi import Downloads
from async_downloads.server.access_log import AccessLog
from async_downloads.server.request_observer import RequestObserver
from async_downloads.sources.memory import MemoryStore

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_UUID = "7b2d9f0c-1c1e-4a8a-9b8e-0d3a5d8c9f11"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"


async def _logged(form: str, *fields: tuple[str, str]) -> str:
    written = io.StringIO()
    await ask(RequestObserver(Downloads(MemoryStore({})), [AccessLog(form, write=written.write)]), fields=fields)
    return written.getvalue()


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        pytest.param([], None, id="none"),
        pytest.param([("X-Request-ID", _UUID)], _UUID, id="uuid"),
        pytest.param([("X-Request-ID", "a" * 128)], "a" * 128, id="longest"),
        pytest.param([("X-Request-ID", "a" * 129)], None, id="too long"),
        pytest.param([("X-Request-ID", "")], None, id="empty"),
        pytest.param([("X-Request-ID", 'a" id="b')], None, id="quotes"),
        pytest.param([("X-Request-ID", "a b")], None, id="space"),
        pytest.param([("X-Request-ID", "\xe9")], None, id="not ASCII"),
        pytest.param([("X-Request-ID", "no good"), ("X-Request-ID", "good")], "good", id="the first sane one"),
        pytest.param([("traceparent", _PARENT)], _TRACE, id="trace"),
        pytest.param([("traceparent", _PARENT), ("X-Request-ID", "abc")], "abc", id="both"),
        pytest.param([("traceparent", _PARENT), ("X-Request-ID", "a b")], _TRACE, id="trace and an insane id"),
        pytest.param([("traceparent", f"cc-{_TRACE}-b7ad6b7169203331-01-what-comes")], _TRACE, id="future version"),
        pytest.param([("traceparent", _PARENT.replace("00-", "ff-", 1))], None, id="forbidden version"),
        pytest.param([("traceparent", f"00-{'0' * 32}-b7ad6b7169203331-01")], None, id="no trace id"),
        pytest.param([("traceparent", f"00-{_TRACE}-{'0' * 16}-01")], None, id="no parent id"),
        pytest.param([("traceparent", _PARENT.upper())], None, id="upper case"),
    ],
)  # fmt: skip
async def test_a_request_has_the_identifier_of_its_proxy(fields: list[tuple[str, str]], identity: str | None) -> None:
    assert json.loads(await _logged("json", *fields))["request_id"] == identity
    line = await _logged("text", *fields)
    assert line.endswith(f" s complete id={identity}\n" if identity else " s complete\n")
