"""Batches: every row once, within the budget of tokens."""

from collections.abc import Sequence
from itertools import accumulate, combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.batching import plan_batches

PASS_TOKENS = st.none() | st.integers(1, 100)


@given(
    st.lists(st.integers(1, 64), max_size=100),
    st.integers(1, 10),
    st.integers(64, 300),
    PASS_TOKENS,
    st.integers(1, 3),
)
def test_batches_hold_every_row_once_within_the_budget(
    lengths: list[int], rows_max: int, tokens_max: int, pass_tokens: int | None, callers: int
) -> None:
    """Every index stands in one batch; rows and padded tokens stay within their limits; long ones come first."""
    plan = plan_batches(
        lengths, rows_max=rows_max, tokens_max=tokens_max, pass_tokens=pass_tokens, callers=callers
    )

    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= rows_max
        assert len(batch) * max(lengths[index] for index in batch) <= tokens_max
    flat = [lengths[index] for batch in plan for index in batch]
    assert flat == sorted(flat, reverse=True)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 4), st.integers(9, 30), st.integers(1, 20)
)
def test_no_other_way_to_cut_a_window_costs_less(
    lengths: list[int], rows_max: int, tokens_max: int, pass_tokens: int
) -> None:
    """Of all the places where rows sorted by length can be cut: padding is weighed against more passes."""
    sizes = sorted(lengths or [9], reverse=True)

    def cost(ends: Sequence[int]) -> float:
        total = 0
        for start, end in pairwise([0, *ends, len(sizes)]):
            if end - start > rows_max or sizes[start] * (end - start) > tokens_max:
                return float("inf")
            total += sizes[start] * (end - start) + pass_tokens
        return total

    places = range(1, len(sizes))
    least = min(cost(ends) for count in range(len(sizes)) for ends in combinations(places, count))
    plan = plan_batches(sizes, rows_max=rows_max, tokens_max=tokens_max, pass_tokens=pass_tokens)
    assert cost(list(accumulate(map(len, plan)))[:-1]) == least


@given(st.lists(st.integers(1, 64), min_size=1, max_size=40), st.integers(2, 4), PASS_TOKENS)
def test_what_fills_no_batch_for_each_caller_is_shared_out(
    lengths: list[int], callers: int, pass_tokens: int | None
) -> None:
    """No batch holds more than its share of a small window, padding included, unless one row alone does."""
    plan = plan_batches(lengths, rows_max=100, tokens_max=10**6, pass_tokens=pass_tokens, callers=callers)

    for batch in plan:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert padded < sum(lengths) / callers + 1 or padded <= max(lengths)


def test_a_row_beyond_the_budget_is_a_mistake_of_the_settings() -> None:
    """A row that fits no batch is refused rather than waiting for ever."""
    with pytest.raises(ValueError, match="can't fit"):
        plan_batches([65], rows_max=1, tokens_max=64)
