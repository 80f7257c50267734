"""How long to wait before a retry, and when to give up."""

from math import inf

import pytest

from async_downloads.client.decisions.retries import RetryBudget, TransientError
from async_downloads.errors import BadResponse, BadStatus, NetworkError, NoSuchHost, RetriesExhausted, Stalled

LOST = TransientError(NetworkError("lost"))
MIDDLE = 0.5  # the middle of the jitter: no change
KIB16 = 16 * 1024  # less than that is no progress


def waits(budget: RetryBudget, count: int, jitter: float = MIDDLE, received: int = 0) -> list[float]:
    """Return the waits after `count` failures."""
    return [budget.wait(LOST, received=received, jitter=jitter) for _ in range(count)]


def test_waits_double_up_to_half_a_minute() -> None:
    assert waits(RetryBudget(9), 8) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.parametrize(("jitter", "first"), [(0.0, 0.35), (0.5, 0.5), (1.0, 0.65)])
def test_the_jitter_is_thirty_percent(jitter: float, first: float) -> None:
    assert waits(RetryBudget(9), 1, jitter) == [pytest.approx(first)]


def test_a_retry_after_is_obeyed() -> None:
    budget = RetryBudget(2)
    budget.note_held(1_000_000)
    assert budget.wait(TransientError(BadStatus(503), 7.0), received=0, jitter=MIDDLE) == 7.0
    assert budget.wait(TransientError(BadStatus(503), 0.0), received=0, jitter=MIDDLE) == 0.0


def asked(seconds: float, *, pending: bool = False) -> TransientError:
    """Return the error of a server that asks to wait."""
    return TransientError(BadStatus(503), seconds, pending=pending)


def test_a_longer_wait_than_the_patience_ends_at_once_and_is_named() -> None:
    budget = RetryBudget(5, patience=300.0)
    with pytest.raises(RetriesExhausted, match=r"gave up after 1 try: .* 503 .*; the server asks to wait 3600 s"):
        budget.wait(asked(3600.0), received=0, jitter=MIDDLE)


def test_the_patience_is_for_all_waits_without_progress() -> None:
    budget = RetryBudget(5, patience=300.0)
    assert [budget.wait(asked(150.0), received=0, jitter=MIDDLE) for _ in range(2)] == [150.0, 150.0]
    with pytest.raises(RetriesExhausted):
        budget.wait(asked(1.0), received=0, jitter=MIDDLE)


def test_progress_restores_the_patience() -> None:
    budget = RetryBudget(5, patience=300.0)
    for held in range(1, 9):
        assert budget.wait(asked(300.0), received=0, jitter=MIDDLE) == 300.0
        budget.note_held(held * KIB16)


def test_another_version_restores_the_patience() -> None:
    budget = RetryBudget(5, patience=300.0)
    for _ in range(9):
        assert budget.wait(asked(300.0), received=0, jitter=MIDDLE) == 300.0
        budget.reset()


def test_without_a_limit_of_retries_there_is_no_limit_of_patience() -> None:
    budget = RetryBudget(inf, patience=300.0)
    assert [budget.wait(asked(3600.0), received=0, jitter=MIDDLE) for _ in range(99)] == [3600.0] * 99
    assert waits(budget, 99)[-1] == 30.0


def test_a_server_that_prepares_the_file_uses_up_the_patience_and_no_retries() -> None:
    budget = RetryBudget(2, patience=300.0)
    assert [budget.wait(asked(0.0, pending=True), received=0, jitter=MIDDLE) for _ in range(300)] == [1.0] * 300
    with pytest.raises(RetriesExhausted):
        budget.wait(asked(0.0, pending=True), received=0, jitter=MIDDLE)


def test_a_long_time_without_a_response_uses_up_the_patience() -> None:
    late = TransientError(Stalled("no response came"), waited=310.0)
    with pytest.raises(RetriesExhausted, match=r"no response came$"):
        RetryBudget(5, patience=300.0).wait(late, received=0, jitter=MIDDLE)


def test_a_productive_connection_is_replaced_at_once() -> None:
    assert waits(RetryBudget(2), 1, received=64 * 1024) == [0.0]


def test_a_second_failure_without_new_bytes_waits() -> None:
    assert waits(RetryBudget(2), 2, received=64 * 1024) == [0.0, 1.0]


def test_an_unproductive_connection_waits() -> None:
    assert waits(RetryBudget(2), 1, received=64 * 1024 - 1) == [0.5]


def test_an_error_status_waits_even_after_a_productive_attempt() -> None:
    assert RetryBudget(2).wait(TransientError(BadStatus(503)), received=1_000_000, jitter=MIDDLE) == 0.5


def test_retries_in_a_row_without_progress_are_limited() -> None:
    budget = RetryBudget(2)
    waits(budget, 2)
    with pytest.raises(RetriesExhausted, match="gave up after 3 tries: lost") as caught:
        budget.wait(LOST, received=0, jitter=MIDDLE)
    assert (caught.value.exit_code, caught.value.last) == (4, LOST.error)


def test_every_16_kib_renew_the_budget() -> None:
    budget = RetryBudget(2)
    for held in range(1, 10):
        budget.note_held(held * KIB16)
        waits(budget, 2)


def test_a_few_bytes_for_each_try_do_not_renew_the_budget() -> None:
    budget = RetryBudget(2)
    for held in (KIB16, 2 * KIB16 - 2, 2 * KIB16 - 1):
        budget.note_held(held)
        if held > KIB16:
            waits(budget, 1)
    with pytest.raises(RetriesExhausted):
        budget.wait(LOST, received=1, jitter=MIDDLE)
    budget.note_held(2 * KIB16)
    waits(budget, 1)


def test_bytes_held_before_are_no_progress() -> None:
    budget = RetryBudget(2)
    budget.note_held(100)
    waits(budget, 2)
    budget.note_held(100)
    with pytest.raises(RetriesExhausted):
        budget.wait(LOST, received=0, jitter=MIDDLE)


def test_after_a_reset_the_first_bytes_are_progress_again() -> None:
    budget = RetryBudget(2)
    budget.note_held(2 * KIB16)
    budget.reset()
    waits(budget, 2)
    budget.note_held(KIB16)
    waits(budget, 2)


def test_without_retries_the_error_itself_is_raised() -> None:
    with pytest.raises(NetworkError, match="lost"):
        RetryBudget(0).wait(LOST, received=0, jitter=MIDDLE)


def test_an_unknown_host_is_final_before_the_first_response() -> None:
    budget, unknown_host = RetryBudget(2), TransientError(NoSuchHost("who?"))
    with pytest.raises(NoSuchHost):
        budget.wait(unknown_host, received=0, jitter=MIDDLE)
    budget.note_held(KIB16)
    assert budget.wait(unknown_host, received=0, jitter=MIDDLE) == 0.5


def test_after_two_malformed_responses_it_gives_up() -> None:
    budget, malformed = RetryBudget(5), TransientError(BadResponse("no HTTP"), malformed=True)
    for held in (KIB16, 2 * KIB16):
        budget.note_held(held)
        assert budget.wait(malformed, received=0, jitter=MIDDLE) == 0.5
    with pytest.raises(RetriesExhausted, match="gave up after 2 tries: no HTTP"):
        budget.wait(malformed, received=0, jitter=MIDDLE)
