"""Batches: every row once, within the budget of tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.batching import plan_batches


@given(st.lists(st.integers(1, 64), max_size=100), st.integers(1, 10), st.integers(64, 300))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], rows_max: int, tokens_max: int) -> None:
    """Every index stands in one batch; rows and padded tokens stay within their limits; long ones come first."""
    plan = plan_batches(lengths, rows_max=rows_max, tokens_max=tokens_max)

    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= rows_max
        assert len(batch) * max(lengths[index] for index in batch) <= tokens_max
    flat = [lengths[index] for batch in plan for index in batch]
    assert flat == sorted(flat, reverse=True)


def test_a_row_beyond_the_budget_is_a_mistake_of_the_settings() -> None:
    """A row that fits no batch is refused rather than waiting for ever."""
    with pytest.raises(ValueError, match="can't fit"):
        plan_batches([65], rows_max=1, tokens_max=64)
