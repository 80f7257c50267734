"""How long to wait before another try, and when to give up."""

import pytest

from async_downloads.client.decisions.retries import RetryBudget, TransientError
from async_downloads.errors import BadStatus, NetworkError, NoSuchHost, RetriesExhausted

LOST = TransientError(NetworkError("lost"))
MIDDLE = 0.5  # of the dice: no jitter


def waits(budget: RetryBudget, count: int, jitter: float = MIDDLE, received: int = 0) -> list[float]:
    """How long it waits after each of so many failures."""
    return [budget.wait(LOST, received=received, jitter=jitter) for _ in range(count)]


def test_each_wait_is_twice_the_one_before_and_none_is_longer_than_half_a_minute() -> None:
    assert waits(RetryBudget(9), 8) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.parametrize(("jitter", "first"), [(0.0, 0.35), (0.5, 0.5), (1.0, 0.65)])
def test_waits_are_spread_by_thirty_percent(jitter: float, first: float) -> None:
    assert waits(RetryBudget(9), 1, jitter) == [pytest.approx(first)]


def test_a_server_that_says_how_long_is_believed() -> None:
    budget = RetryBudget(2)
    budget.note_held(1_000_000)
    assert budget.wait(TransientError(BadStatus(503), 7.0), received=0, jitter=MIDDLE) == 7.0
    assert budget.wait(TransientError(BadStatus(503), 0.0), received=0, jitter=MIDDLE) == 0.0


def test_a_connection_that_brought_much_is_made_again_at_once() -> None:
    assert waits(RetryBudget(2), 1, received=64 * 1024) == [0.0]


def test_unless_nothing_of_that_was_new() -> None:
    assert waits(RetryBudget(2), 2, received=64 * 1024) == [0.0, 1.0]


def test_one_that_brought_little_is_not() -> None:
    assert waits(RetryBudget(2), 1, received=64 * 1024 - 1) == [0.5]


def test_a_status_is_waited_for_however_much_came_before() -> None:
    assert RetryBudget(2).wait(TransientError(BadStatus(503)), received=1_000_000, jitter=MIDDLE) == 0.5


def test_after_so_many_tries_in_vain_it_is_enough() -> None:
    budget = RetryBudget(2)
    waits(budget, 2)
    with pytest.raises(RetriesExhausted, match="gave up after 3 tries: lost") as caught:
        budget.wait(LOST, received=0, jitter=MIDDLE)
    assert (caught.value.exit_code, caught.value.last) == (4, LOST.error)


def test_a_new_byte_makes_the_tries_forgotten() -> None:
    budget = RetryBudget(2)
    for held in range(1, 10):
        budget.note_held(held)
        waits(budget, 2)


def test_bytes_that_were_there_before_are_not_new() -> None:
    budget = RetryBudget(2)
    budget.note_held(100)
    waits(budget, 2)
    budget.note_held(100)
    with pytest.raises(RetriesExhausted):
        budget.wait(LOST, received=0, jitter=MIDDLE)


def test_of_another_version_every_byte_is_new() -> None:
    budget = RetryBudget(2)
    budget.note_held(100)
    budget.reset()
    waits(budget, 2)
    budget.note_held(1)
    waits(budget, 2)


def test_without_retries_the_failure_itself_is_told() -> None:
    with pytest.raises(NetworkError, match="lost"):
        RetryBudget(0).wait(LOST, received=0, jitter=MIDDLE)


def test_a_name_that_is_nobody_s_is_final_before_anything_came() -> None:
    budget, nobody = RetryBudget(2), TransientError(NoSuchHost("who?"))
    with pytest.raises(NoSuchHost):
        budget.wait(nobody, received=0, jitter=MIDDLE)
    budget.note_held(1)
    assert budget.wait(nobody, received=0, jitter=MIDDLE) == 0.5
