"""How a classifier's probabilities are best corrected: by one temperature, one for each answer, or biases as well.

Each way is fitted on some of the validation and calibration texts and measured on others, over many draws.
Baseline: one temperature (Guo et al. 2017). Limit: a model whose probabilities are exact, since labels are drawn
from them; what it has of an error is the noise of so few texts.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from rich.table import Table
from scipy.optimize import minimize

from benchmarks.trials import held_out, logits_of, show
from contract import scoring
from contract.labels import LABELS
from evaluation import calibration
from evaluation.evaluate import ids_of
from reviews.corpus import read_corpus

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Scale = Callable[[Floats], Floats]
Fit = Callable[[Ids, Floats], Scale]

_BINS_OF_ANSWER = 5
_DRAWS = 10
_SHOWN = ("ECE", "ECE of each answer", "cross-entropy", "labels changed")


def main() -> None:
    """Print the mean figures of each way for each checkpoint and each number of texts to fit on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.temperatures", description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="what `fit` or `distill` wrote")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files")
    parser.add_argument("--texts", type=int, nargs="+", default=[150, 350, 1350], help="to fit on")
    options = parser.parse_args()
    others = held_out(read_corpus(options.data))
    for checkpoint in options.checkpoints:
        logits = logits_of(checkpoint, others).astype(np.float64)
        for texts in options.texts:
            show(_table(checkpoint.name, ids_of(others), logits, texts))


def _table(name: str, labels: Ids, logits: Floats, texts: int) -> Table:
    table = Table(
        title=f"{name}: fitted on {texts} texts, measured on {len(labels) - texts}; mean of {_DRAWS} draws"
    )
    for column in ("", *_SHOWN):
        table.add_column(column)
    ways: dict[str, Fit] = {
        "as it is": lambda _, __: lambda given: given,
        "one temperature": _one,
        "one for each answer": _by_answer,
        "one, and a bias for each label": _biased,
    }
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in (*ways, "limit: exact probabilities")}
    for seed in track(range(_DRAWS), name, transient=True):
        randomly = np.random.default_rng(seed)
        order = randomly.permutation(len(labels))
        fitting, measuring = order[:texts], order[texts:]
        for way, fit in ways.items():
            scaled = fit(labels[fitting], logits[fitting])(logits[measuring])
            found[way].append(_figures(labels[measuring], scaled, logits[measuring]))
            if fit is _by_answer:
                exact = scoring.probabilities(scaled)
                drawn = (exact.cumsum(axis=1) < randomly.random((len(exact), 1))).sum(axis=1)
                found["limit: exact probabilities"].append(_figures(drawn, scaled, scaled))
    for way, rows in found.items():
        ece, of_answers, loss, changed = np.mean(rows, axis=0)
        table.add_row(way, f"{ece:.4f}", f"{of_answers:.4f}", f"{loss:.4f}", f"{changed:.1%}")
    return table


def _one(labels: Ids, logits: Floats) -> Scale:
    return partial(scoring.scaled, temperature=calibration.fit_temperature(labels, logits))


def _by_answer(labels: Ids, logits: Floats) -> Scale:
    return partial(scoring.scaled, temperature=calibration.fit_temperatures(labels, logits))


def _biased(labels: Ids, logits: Floats) -> Scale:
    """What undoes class weights: it may change the answers, which is why it does not serve."""

    def scaled(numbers: Floats, given: Floats) -> Floats:
        biased: Floats = given / np.exp(numbers[0]) + np.array([0.0, *numbers[1:]])
        return biased

    start = np.zeros(len(LABELS))
    best = minimize(lambda numbers: calibration.cross_entropy(labels, scaled(numbers, logits)), start)
    return partial(scaled, best.x)


def _figures(labels: Ids, scaled: Floats, before: Floats) -> tuple[float, ...]:
    predicted, answers = scoring.probabilities(scaled), scaled.argmax(axis=1)
    of_answers = sum(
        (answers == label).sum()
        * calibration.reliability(labels[answers == label], predicted[answers == label], _BINS_OF_ANSWER).error()
        for label in np.unique(answers)
    )
    return (
        calibration.reliability(labels, predicted).error(),
        of_answers / len(labels),
        calibration.cross_entropy(labels, scaled),
        float((answers != before.argmax(axis=1)).mean()),
    )


if __name__ == "__main__":
    main()
