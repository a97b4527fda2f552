"""Calls are made several at a time, and what they answer comes in order."""

import threading

import pytest

from worker.callers import Callers


def test_so_many_calls_run_at_a_time() -> None:
    """Each waits for the other: one after the other they would never end."""
    meeting = threading.Barrier(2, timeout=10)
    assert len(list(Callers(2).map(lambda _: meeting.wait(), range(2)))) == 2


@pytest.mark.parametrize("count", [1, 3])
def test_answers_come_in_the_order_of_the_items(count: int) -> None:
    """No matter which is ready first."""
    assert list(Callers(count).map(lambda number: number * number, range(20))) == [n * n for n in range(20)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_call_that_fails_raises_in_its_place(count: int) -> None:
    """What is before it has been answered."""
    answers = Callers(count).map(lambda number: 6 // number, [3, 2, 0, 1])
    assert [next(answers), next(answers)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(answers)


def test_one_caller_needs_no_thread() -> None:
    """The call runs where it is asked for."""
    assert list(Callers().map(lambda _: threading.current_thread(), [0])) == [threading.current_thread()]
