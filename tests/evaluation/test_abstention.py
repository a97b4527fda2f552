"""The threshold keeps its promise, and is the smallest that does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from evaluation.abstention import abstain, by_coverage, choose_threshold, lower_bound

# Few different confidences: texts that a threshold can't part.
texts = st.lists(st.tuples(st.integers(4, 10), st.booleans()), min_size=1, max_size=400)


def columns(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([tenths / 10 for tenths, _ in rows]), np.array([right for _, right in rows])


@given(texts, st.sampled_from([0.3, 0.5, 0.8, 0.95]))
def test_the_smallest_threshold_that_is_sure_is_chosen(rows: list[tuple[int, bool]], precision: float) -> None:
    """At the threshold the lower bound reaches the precision, and at no smaller confidence; or at none at all."""
    confidence, right = columns(rows)
    chosen = choose_threshold(confidence, right, precision)
    sure = {
        below: abstain(confidence, right, below).precision_at_least >= precision
        for below in set(confidence.tolist())
    }
    assert chosen == min((below for below, is_sure in sure.items() if is_sure), default=None)


@given(texts, st.floats(0, 1))
def test_kept_and_abstained_are_all(rows: list[tuple[int, bool]], below: float) -> None:
    """Every text is kept or abstained, every right answer counted once, and an empty side has no precision."""
    confidence, right = columns(rows)
    found = abstain(confidence, right, below)
    assert found.rows == len(rows)
    assert found.kept == sum(tenths / 10 >= below for tenths, _ in rows)
    assert found.right + found.right_abstained == right.sum()
    assert (found.precision is None) == (found.kept == 0)
    assert (found.precision_of_abstained is None) == (found.abstained_share == 0)
    assert found.precision_at_least <= (found.precision or 0)


@given(st.integers(1, 500), st.data())
def test_the_bound_is_clopper_and_pearsons(rows: int, data: st.DataObject) -> None:
    """Were the true accuracy at the bound, so many right answers or more would come in 5 % of samples."""
    right = data.draw(st.integers(1, rows))
    bound = lower_bound(np.array([right]), np.array([rows]))[0]
    assert binom.sf(right - 1, rows, bound) == pytest.approx(0.05, rel=1e-6)


def test_fifty_nine_texts_are_the_fewest_for_95_percent() -> None:
    """Even a spotless record of 58 texts does not prove a precision of 0.95; none right proves nothing."""
    assert choose_threshold(np.full(58, 0.9), np.full(58, fill_value=True), 0.95) is None
    assert choose_threshold(np.full(59, 0.9), np.full(59, fill_value=True), 0.95) == 0.9
    assert choose_threshold(np.full(59, 0.9), np.full(59, fill_value=False), 0.01) is None


def test_coverage_says_what_each_share_of_the_surest_is_worth() -> None:
    """Each threshold keeps at least the share asked for; texts of the same confidence stay together."""
    confidence = np.array([0.9, 0.5, 0.8, 0.8, 0.6])
    right = np.array([True, False, True, True, False])

    found = by_coverage(confidence, right, (1.0, 0.8, 0.4, 0.2))

    assert [(one.below, one.kept, one.right) for one in found] == [
        (0.5, 5, 3),
        (0.6, 4, 3),
        (0.8, 3, 3),
        (0.9, 1, 1),
    ]
