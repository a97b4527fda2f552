"""The gate between two classifiers, which stands on an interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import bootstrap, confusion
from evaluation.comparison import Comparison, compare


def spoilt(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The right answers, but for a share of rows."""
    randomly = np.random.default_rng(seed)
    return np.where(randomly.random(len(labels)) < share, (labels + 1) % 3, labels)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=200))
def test_a_classifier_is_no_worse_than_itself(rows: list[tuple[int, int]]) -> None:
    """No difference, no interval, and no tolerance needed."""
    labels, answers = np.array(rows).T
    verdict = compare(labels, answers, answers, 3, tolerance=0)
    assert verdict.difference == 0
    assert verdict.interval == (0, 0)
    assert verdict.passed


@given(st.integers(0, 1000))
def test_a_worse_classifier_does_not_pass_and_a_better_one_does(seed: int) -> None:
    """One error in four against one in ten shows on 600 rows, whichever is the new one."""
    labels = np.arange(600) % 3
    good, bad = spoilt(labels, 0.1, seed), spoilt(labels, 0.25, seed + 1)
    worse, better = compare(labels, bad, good, 3, 0.005), compare(labels, good, bad, 3, 0.005)
    assert not worse.passed
    assert better.passed
    assert worse.difference == -better.difference < 0
    assert worse.interval[0] < worse.difference < worse.interval[1] < 0 < better.interval[0]
    assert worse.sentence().startswith("failed: macro-F1 0.")


def test_pairs_tell_more_than_two_intervals() -> None:
    """Two classifiers that err on the same rows are told apart where their own intervals overlap."""
    labels = np.arange(900) % 3
    old = spoilt(labels, 0.3, seed=0)
    new = np.where(np.random.default_rng(1).random(900) < 0.08, labels, old)

    verdict = compare(labels, new, old, 3, tolerance=0)

    alone = [
        bootstrap.interval(confusion.macro_f1(bootstrap.resampled_counts(confusion.count(labels, answers, 3))))
        for answers in (new, old)
    ]
    assert verdict.interval[0] > 0
    assert alone[0][0] < alone[1][1]


@pytest.mark.parametrize(
    ("low", "passed", "told"),
    [
        (-0.005, True, "passed: macro-F1 0.8000 against 0.7900, a difference of +0.0100"),
        (-0.0051, False, "the loss is 0.0051: more than is tolerated (0.005)"),
        (0.002, True, "the loss is 0.0000: no more than is tolerated (0.005)"),
    ],
)
def test_the_lower_end_decides(low: float, passed: bool, told: str) -> None:
    """Not the difference: what can't be ruled out beyond the tolerance does not pass, and the sentence says so."""
    verdict = Comparison(0.8, 0.79, (low, 0.03), 0.005)
    assert verdict.passed is passed
    assert told in verdict.sentence()
