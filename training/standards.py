"""What a model is held to, and how quick it is: for the report that has to decide. Needs no PyTorch."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contract.errors import InputError
from evaluation.baselines import baselines
from evaluation.evaluate import ids_of, summarise
from evaluation.figures import Evaluation
from reviews.review import UNLABELLED, Reviews


@dataclass(frozen=True)
class Standards:
    """What a model is held to: a macro-F1 that is good enough, and whether simple classifiers stand beside it."""

    macro_f1_min: float | None = None
    baselines: bool = False

    def applied(self, evaluation: Evaluation, measured: Reviews, learnt: Reviews) -> Evaluation:
        """With what was asked for, and the baselines' figures where they are wanted."""
        evaluation = replace(evaluation, macro_f1_min=self.macro_f1_min)
        if not self.baselines:
            return evaluation
        starred = Reviews.of([review for review in learnt if review.label != UNLABELLED])
        try:
            answers, left_out = baselines(measured, starred)
        except InputError as error:  # a model was trained for hours by then
            answers, left_out = baselines(measured, None)
            left_out = [f"TF-IDF + logistic regression is left out: {error}"]
        return beside(evaluation, measured, answers, left_out)


NO_STANDARDS = Standards()


def beside(
    evaluation: Evaluation, measured: Reviews, answers: Mapping[str, NDArray[np.int64]], left_out: list[str]
) -> Evaluation:
    """With the figures of baselines that gave these answers."""
    labels = ids_of(measured)
    return replace(
        evaluation,
        baselines={name: summarise(labels, given) for name, given in answers.items()},
        baselines_left_out=left_out,
    )


class Pace:
    """How many texts a second are measured, of a function that measures so many."""

    def __init__(self, texts: int) -> None:
        self._texts = texts
        self._shortest_s = math.inf

    def timed(self, function: Callable[[], Evaluation]) -> Callable[[], Evaluation]:
        """The same, with a look at the clock."""

        def measured() -> Evaluation:
            started_s = time.monotonic()
            evaluation = function()
            self._shortest_s = min(self._shortest_s, time.monotonic() - started_s)
            return evaluation

        return measured

    def told(self) -> dict[str, float]:
        """For the record; nothing if nothing was measured."""
        return {} if math.isinf(self._shortest_s) else {"texts_per_s": round(self._texts / self._shortest_s, 1)}
