"""Probabilities that mean what they say, and others."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import scoring
from evaluation import calibration

_ROWS = 20_000
some_logits = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3)),
    min_size=1, max_size=60,
)  # fmt: skip


def calibrated(seed: int, rows: int = _ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the very probabilities that the logits stand for."""
    randomly = np.random.default_rng(seed)
    logits = randomly.normal(scale=2, size=(rows, 3))
    labels = (scoring.probabilities(logits).cumsum(axis=1) < randomly.random((rows, 1))).sum(axis=1)
    return labels.clip(0, 2), logits


@given(st.integers(0, 2**32))
def test_a_calibrated_classifier_has_no_error_and_an_overconfident_one_has(seed: int) -> None:
    """Where labels follow the probabilities, confidence is accuracy; thrice the logits promise too much."""
    labels, logits = calibrated(seed)
    assert calibration.reliability(labels, scoring.probabilities(logits)).error() < 0.02
    assert calibration.reliability(labels, scoring.probabilities(3 * logits)).error() > 0.1


@given(st.integers(0, 2**32), st.floats(0.2, 5))
def test_the_temperature_that_spoilt_the_logits_is_found(seed: int, temperature: float) -> None:
    """Logits multiplied by a number are divided by it again."""
    labels, logits = calibrated(seed, rows=4000)
    assert calibration.fit_temperature(labels, logits * temperature) == pytest.approx(temperature, rel=0.15)


@given(some_logits)
def test_a_temperature_changes_no_answer_and_never_makes_its_own_rows_worse(
    rows: list[tuple[int, list[float]]],
) -> None:
    """The likeliest class stays the likeliest; the cross-entropy of the fitted part does not rise."""
    labels, logits = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])

    common, of_each = calibration.fit_temperature(labels, logits), calibration.fit_temperatures(labels, logits)

    assert all(0.05 <= temperature <= 20.001 for temperature in (common, *of_each))
    loss_as_it_is = calibration.cross_entropy(labels, logits)
    by_one, by_answer = scoring.scaled(logits, common), scoring.scaled(logits, of_each)
    assert calibration.cross_entropy(labels, by_one) <= loss_as_it_is
    assert calibration.cross_entropy(labels, by_answer) <= calibration.cross_entropy(labels, by_one) + 1e-12
    for changed in (by_one, by_answer):
        predicted = scoring.probabilities(changed)
        assert (predicted[np.arange(len(rows)), logits.argmax(axis=1)] == predicted.max(axis=1)).all()


def test_each_answer_has_its_own_temperature() -> None:
    """Logits that were multiplied by another number for each answered label are found out, label by label."""
    labels, logits = calibrated(1, rows=20_000)
    factors = np.array([1.0, 0.5, 3.0])
    found = calibration.fit_temperatures(labels, logits * factors[logits.argmax(axis=1), None])
    assert found == pytest.approx(factors, rel=0.1)


def test_a_label_of_few_answers_has_nearly_the_common_temperature() -> None:
    """Three rows do not decide, and where there is none the common one is taken."""
    labels, logits = calibrated(2, rows=4000)
    kept = logits.argmax(axis=1) != 2
    kept[np.flatnonzero(~kept)[:3]] = True
    common = calibration.fit_temperature(labels[kept], logits[kept])
    assert calibration.fit_temperatures(labels[kept], logits[kept])[2] == pytest.approx(common, rel=0.3)
    without = kept & (logits.argmax(axis=1) != 2)
    common = calibration.fit_temperature(labels[without], logits[without])
    assert calibration.fit_temperatures(labels[without], logits[without])[2] == common


def test_no_half_is_scaled_by_what_it_gave_itself() -> None:
    """Each half has the temperatures of the other; a half without rows leaves the other as it is."""
    labels, logits = calibrated(0, rows=4000)
    second = np.arange(4000) % 2 == 1
    logits[second] *= 4

    scaled, (for_first, for_second) = calibration.cross_fitted(labels, logits, second)

    assert for_first == calibration.fit_temperatures(labels[second], logits[second])
    assert for_second == calibration.fit_temperatures(labels[~second], logits[~second])
    assert for_first == pytest.approx([4] * 3, rel=0.15)
    assert for_second == pytest.approx([1] * 3, rel=0.15)
    assert np.array_equal(scaled[second], scoring.scaled(logits[second], for_second))
    assert np.array_equal(scaled[~second], scoring.scaled(logits[~second], for_first))
    assert calibration.cross_fitted(labels, logits, np.zeros(4000, dtype=bool))[1][0] == (1, 1, 1)


@given(st.lists(st.floats(1 / 3, 1), min_size=1, max_size=400), st.integers(1, 20))
def test_bins_hold_equally_many_rows_and_like_confidences_share_one(values: list[float], bins: int) -> None:
    """No bin holds more than its share, but for rows of the same confidence; bins are in order of confidence."""
    confidence = np.array(values)
    places = calibration.confidence_bins(confidence, bins)
    order = np.argsort(confidence)
    assert (np.diff(places[order]) >= 0).all()
    assert 0 <= places.min() <= places.max() < bins
    for place in set(places.tolist()):
        inside = confidence[places == place]
        assert (
            len(set(inside.tolist())) == 1
            or len(inside) <= math.ceil(len(values) / bins) + (inside == inside.min()).sum()
        )
    assert all(len(set(places[confidence == value].tolist())) == 1 for value in values)


@given(some_logits)
def test_the_error_is_the_sum_of_the_mean_gaps(rows: list[tuple[int, list[float]]]) -> None:
    """The form that is resampled gives the same error as the table that is drawn."""
    labels, logits = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    predicted = scoring.probabilities(logits)
    table = calibration.reliability(labels, predicted)
    gaps = calibration.gaps(labels, predicted)
    assert np.abs(gaps.mean(axis=0)).sum() == pytest.approx(table.error(), abs=1e-12)
    assert table.rows.sum() == len(rows)


def test_one_confidence_for_all_is_one_bin() -> None:
    """70 % promised and 70 % right is no error, in whatever order the rows stand."""
    predicted = np.tile([0.1, 0.7, 0.2], (100, 1))
    table = calibration.reliability(np.array([1] * 70 + [0] * 30), predicted)
    assert table.rows.tolist() == [100]
    assert table.error() == pytest.approx(0, abs=1e-12)


def test_the_brier_score_is_the_squared_distance() -> None:
    """By hand: 0.3^2 + 0.1^2 + 0.2^2 where the truth had 0.7; 2 for certainty in the wrong class."""
    predicted = np.array([[0.1, 0.7, 0.2], [0, 0, 1]])
    assert calibration.brier(np.array([1, 0]), predicted).tolist() == pytest.approx([0.14, 2])
