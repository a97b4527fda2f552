"""What a variant loses is measured on the same reviews as the reference, each at its own temperatures."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from contract.scoring import probabilities
from evaluation.calibration import reliability
from export.gates.loss import TEXTS_DECIDE, Answers, loss

ROWS = 1200
DRAW = np.random.default_rng(7)
LABELS = DRAW.integers(3, size=ROWS)
LOGITS = (2 * np.eye(3)[LABELS] + DRAW.normal(size=(ROWS, 3))).astype(np.float32)


def answers(logits: NDArray[np.float32] = LOGITS, temperature: float = 1.0) -> Answers:
    return Answers(LABELS, logits, temperature)


def moved(share: float) -> NDArray[np.float32]:
    """The answers of which this share of rows says something else."""
    logits, rows = LOGITS.copy(), DRAW.permutation(ROWS)[: int(share * ROWS)]
    logits[rows] = np.roll(logits[rows], 1, axis=1)
    return logits


def test_a_graph_that_answers_alike_loses_nothing() -> None:
    """Every label is kept, and no resample shows a difference."""
    found = loss(answers(), answers())
    for estimate, value in ((found.labels_kept, 1), (found.macro_f1, 0), (found.ece_rise, 0)):
        assert (estimate.value, estimate.low, estimate.high) == (value, value, value)


def test_what_is_lost_is_what_the_two_graphs_have_apart() -> None:
    """Labels kept, macro-F1 and calibration error are those that other libraries give; intervals hold them."""
    other = moved(0.1)
    found = loss(answers(other), answers())
    new, old = other.argmax(axis=1), LOGITS.argmax(axis=1)
    scores = [f1_score(LABELS, predicted, average="macro") for predicted in (new, old)]
    errors = [reliability(LABELS, probabilities(logits, 1.0)).error() for logits in (other, LOGITS)]
    assert found.labels_kept.value == pytest.approx((new == old).mean())
    assert found.macro_f1.value == pytest.approx(scores[0] - scores[1])
    assert found.ece_rise.value == pytest.approx(errors[0] - errors[1])
    assert found.macro_f1.high < 0, "a tenth of wrong labels is seen for sure"
    for estimate in (found.labels_kept, found.macro_f1):
        assert estimate.low < estimate.value < estimate.high


def test_each_graph_is_taken_at_its_own_temperature() -> None:
    """Logits twice as large at twice the temperature are the same answers."""
    found = loss(answers(2 * LOGITS, temperature=2.0), answers())
    assert found.ece_rise.value == pytest.approx(0, abs=1e-6)
    assert loss(answers(temperature=4.0), answers()).ece_rise.low > 0.01, (
        "which is not sure enough of what is right"
    )


def test_few_reviews_decide_nothing() -> None:
    """Of fewer than a thousand the interval says little; they are told all the same."""
    few = Answers(LABELS[: TEXTS_DECIDE - 1], LOGITS[: TEXTS_DECIDE - 1], 1.0)
    found = loss(few, few)
    assert not found.decides
    assert loss(answers(), answers()).decides
    assert found.sentence().startswith("on 999 calibration texts it keeps 100.0%")
    assert found.record()["macro_f1_difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
