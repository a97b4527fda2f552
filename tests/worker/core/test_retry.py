"""Isolating the rows that fail."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.retry import run_isolating


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_only_the_rows_that_fail_alone_fail(bad: list[bool]) -> None:
    """Whatever mixture of rows a batch holds, good ones get their answer and bad ones their own exception."""

    def run(rows: Sequence[int]) -> list[int]:
        if any(bad[row] for row in rows):
            raise RuntimeError("poison")
        return [row * 10 for row in rows]

    answers = run_isolating(range(len(bad)), run)

    for row, answer in enumerate(answers):
        assert isinstance(answer, RuntimeError) if bad[row] else answer == row * 10


def test_a_passing_fault_costs_a_retry_and_nothing_else() -> None:
    """A batch that fails once and then works is not halved."""
    calls: list[int] = []

    def run(rows: Sequence[int]) -> list[int]:
        calls.append(len(rows))
        if len(calls) == 1:
            raise RuntimeError("hiccup")
        return list(rows)

    assert run_isolating([1, 2, 3], run) == [1, 2, 3]
    assert calls == [3, 3]


def test_fatal_errors_pass_and_large_batches_halve_at_once() -> None:
    """A lost device is nobody's poison; a batch too large is not tried again at its size."""
    sizes: list[int] = []

    def too_large(rows: Sequence[int]) -> list[int]:
        sizes.append(len(rows))
        if len(rows) > 1:
            raise MemoryError
        return list(rows)

    assert run_isolating([1, 2], too_large, too_large=(MemoryError,)) == [1, 2]
    assert sizes == [2, 1, 1]

    sizes.clear()

    def full(rows: Sequence[int]) -> list[int]:
        sizes.append(len(rows))
        raise MemoryError

    (failure,) = run_isolating([1], full, too_large=(MemoryError,))
    assert (type(failure), sizes) == (MemoryError, [1, 1]), "a row alone has its attempts"

    def lost(rows: Sequence[int]) -> list[int]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_isolating([1, 2], lost, fatal=(ConnectionError,))


def test_an_answer_for_each_row_or_it_is_a_bug() -> None:
    """A runtime that answers fewer rows would shift every answer after the gap."""
    with pytest.raises(AssertionError, match="1 answers to 2 rows"):
        run_isolating([1, 2], lambda _: [0])
    with pytest.raises(ValueError, match="at least 1"):
        run_isolating([1], lambda rows: rows, attempts=0)
