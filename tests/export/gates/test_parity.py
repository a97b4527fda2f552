"""How far a graph is from PyTorch, and from itself in other batches; PyTorch's side is in test_graph."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.manifest import Golden
from contract.scoring import probabilities
from export.gates.parity import golden_answers, measure

ROWS = [[1] * (2 + number % 40) + [number % 3] for number in range(600)]


class RowByRow:
    """The last token is the label; `wrong` rows by their length get the next one."""

    provider = "FakeExecutionProvider"

    def __init__(self, wrong: Sequence[int] = ()) -> None:
        self._wrong = set(wrong)

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        labels = [(row[-1] + (len(row) in self._wrong)) % 3 for row in rows]
        return np.asarray(3 * np.eye(3)[labels], dtype=np.float32)


class Neighbourly(RowByRow):
    """A row's answer depends on how long the longest of its batch is."""

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = max(map(len, rows))
        return np.asarray(super().logits(rows) + np.array([longest / 10, 0, 0]), dtype=np.float32)


def reference() -> NDArray[np.float64]:
    return probabilities(RowByRow().logits(ROWS), 1.0)


def test_the_same_answers_deviate_by_nothing() -> None:
    """In whatever batches they were given."""
    found = measure(RowByRow(), ROWS, reference(), batchings=3)
    assert (found.texts, found.batchings, found.label_agreement, found.flip_rate) == (600, 3, 1.0, 0.0)
    assert found.batched_texts == 150, "of all lengths, and no more than say something new"
    assert found.probability_delta_max == found.neighbour_delta_max == 0


def test_another_answer_shows_in_the_agreement_and_in_no_batching() -> None:
    """The share of texts with another label, and the largest difference of any probability."""
    found = measure(RowByRow(wrong=[7]), ROWS, reference(), batchings=3)
    answers = np.sort(reference()[0])
    assert found.label_agreement == 1 - sum(len(row) == 7 for row in ROWS) / len(ROWS) < 1
    assert found.probability_delta_max == pytest.approx(answers[2] - answers[0])
    assert found.flip_rate == found.neighbour_delta_max == 0


def test_what_depends_on_neighbours_is_found() -> None:
    """Random batches put short texts beside long ones, as sorted ones do not."""
    found = measure(Neighbourly(), ROWS, reference(), batchings=20)
    assert found.flip_rate > 0
    assert found.neighbour_delta_max > 0.1
    assert found == measure(Neighbourly(), ROWS, reference(), batchings=20), "and it is found again"


def test_golden_answers_are_the_graphs_own() -> None:
    """In the order of the texts, whatever batches the worker makes of them."""
    goldens = [Golden(text="", ids=row, probabilities=[0.0, 0.0, 1.0]) for row in ROWS]
    assert golden_answers(RowByRow(), goldens) == pytest.approx(reference())
