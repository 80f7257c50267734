"""The identifier of a request in the log."""

import asyncio
import io
import json
from typing import cast

import pytest
from harness.asgi import scope

from async_downloads.server.access_log import AccessLog

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_UUID = "7b2d9f0c-1c1e-4a8a-9b8e-0d3a5d8c9f11"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"


_NO_TASK = cast("asyncio.Task[None]", None)  # the log does not look at it


class _Response:
    """A response that was sent."""

    status: int | None = 200
    complete = True
    sent = 0


def _logged(form: str, *fields: tuple[str, str]) -> str:
    written = io.StringIO()
    AccessLog(form, write=written.write).end(scope(fields=fields), _Response(), 0.0, _NO_TASK)
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
def test_a_request_has_the_identifier_of_its_proxy(fields: list[tuple[str, str]], identity: str | None) -> None:
    assert json.loads(_logged("json", *fields))["request_id"] == identity
    line = _logged("text", *fields)
    assert line.endswith(f" s complete id={identity}\n" if identity else " s complete\n")
