"""How often a client may give a wrong password."""

import time

import pytest

from async_downloads.access.failures import FailureLimit


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> FailureLimit:
    """A limit whose clock stands still until `_forward` moves it."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    return FailureLimit()


def _forward(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_a_client_may_fail_ten_times_and_then_once_in_six_seconds(
    limit: FailureLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [limit.take("a") for _ in range(12)] == [0] * 10 + [6, 6]
    assert limit.take("b") == 0
    _forward(monkeypatch, 6)
    assert [limit.take("a") for _ in range(2)] == [0, 6]
    _forward(monkeypatch, 60)
    assert [limit.take("a") for _ in range(11)] == [0] * 10 + [6]


def test_a_right_password_is_no_failure(limit: FailureLimit) -> None:
    for _ in range(20):
        assert limit.take("a") == 0
        limit.give_back("a")


def test_the_table_is_bounded(limit: FailureLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FailureLimit, "_MAX_CLIENTS", 3)
    for client in ("a", "a", "b", "b", "c"):
        limit.take(client)
    limit.take("d")  # in the place of c, which is forgotten first
    assert set(limit._forgotten_at) == {"a", "b", "d"}
    _forward(monkeypatch, 60)
    limit.take("e")
    assert set(limit._forgotten_at) == {"e"}
