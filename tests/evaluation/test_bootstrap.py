"""Intervals by the bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import bootstrap, confusion

matrices = st.lists(st.integers(20, 300), min_size=9, max_size=9).map(lambda cells: np.array(cells).reshape(3, 3))


@given(matrices)
def test_an_interval_holds_the_figure_and_shrinks_with_rows(matrix: np.ndarray) -> None:
    """The measured figure lies inside; with sixteen times the rows the interval is about a quarter as wide."""

    def width(counts: np.ndarray) -> float:
        low, high = bootstrap.interval(confusion.macro_f1(bootstrap.resampled_counts(counts)))
        assert low < confusion.macro_f1(counts) < high
        return high - low

    assert 0.2 < width(16 * matrix) / width(matrix) < 0.3


def test_drawing_counts_is_drawing_rows() -> None:
    """The multinomial draw of cells gives the interval of a bootstrap that draws the rows themselves."""
    labels = np.random.default_rng(0).choice(3, size=500, p=[0.1, 0.7, 0.2])
    draw = np.random.default_rng(2)
    answers = np.where(draw.random(500) < 0.25, (labels + 1) % 3, labels)
    of_rows = []
    for _ in range(4000):
        rows = draw.integers(500, size=500)
        of_rows.append(float(confusion.macro_f1(confusion.count(labels[rows], answers[rows], 3))))

    of_counts = confusion.macro_f1(bootstrap.resampled_counts(confusion.count(labels, answers, 3), resamples=4000))

    assert bootstrap.interval(of_counts) == pytest.approx(bootstrap.interval(np.array(of_rows)), abs=0.006)


def test_means_are_resampled_as_by_the_central_limit() -> None:
    """The interval of a mean is 1.96 standard errors wide to each side; columns are drawn together."""
    values = np.random.default_rng(0).normal(3, 2, size=(2000, 1))
    drawn = bootstrap.resampled_means(np.hstack([values, -values]))
    low, high = bootstrap.interval(drawn[:, 0])
    error = 1.96 * values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - error, values.mean() + error), abs=error / 5)
    assert np.allclose(drawn[:, 0], -drawn[:, 1])


def test_the_same_rows_have_the_same_interval() -> None:
    """The draws are seeded: an interval is a figure that can be found again."""
    counts = np.array([[9, 1, 2], [3, 50, 4], [2, 1, 20]])
    assert np.array_equal(bootstrap.resampled_counts(counts), bootstrap.resampled_counts(counts))
    assert not np.array_equal(bootstrap.resampled_counts(counts), bootstrap.resampled_counts(counts, seed=1))
