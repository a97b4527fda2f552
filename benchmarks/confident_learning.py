"""Which stars contradict their text, and whether leaving them out helps: confident learning with TF-IDF.

A linear model answers every training review from four fifths of the others. A review is in doubt if another
class than its own has a probability above what the reviews of that class have in the mean (Northcutt et al.
2021, "Confident learning: estimating uncertainty in dataset labels"). Baselines in the same run: all of the
reviews, and as many left out by chance.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from contract.labels import LABELS
from evaluation.comparison import compare
from evaluation.evaluate import ids_of
from reviews.corpus import read_corpus, without_copies

_FOLDS, _SEED = 5, 2018
_FEWEST = 200
"""Reviews of a source: of fewer, a share says nothing."""

Ids = NDArray[np.int64]


def model() -> LogisticRegression:
    """The baseline of `evaluation.baselines`."""
    return LogisticRegression(class_weight="balanced", max_iter=1000)


def in_doubt(labels: Ids, predicted: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which labels confident learning holds for wrong.

    Args:
        labels: Shape (rows,).
        predicted: Probabilities by a model that has not learnt the row, shape (rows, classes).
    """
    thresholds = np.array([predicted[labels == label, label].mean() for label in range(predicted.shape[1])])
    confident = np.where(predicted >= thresholds, predicted, -1.0)
    return np.asarray((confident.max(axis=1) > 0) & (confident.argmax(axis=1) != labels))


def main() -> None:
    """Find them, leave them out, and compare on reviews that neither model has seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.confident_learning", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files to learn from")
    parser.add_argument("--test", type=Path, nargs="+", help="files whose validation and calibration parts decide")
    options = parser.parse_args()
    asked = read_corpus(options.test or options.data)
    others = asked.split("validation").reviews.joined(asked.split("calibration").reviews)
    train = without_copies(read_corpus(options.data).split("train").reviews, of=others)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=5)
    features, asked_of = words.fit_transform(it.text for it in train), words.transform(it.text for it in others)
    labels, truth = ids_of(train), ids_of(others)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    predicted = cross_val_predict(model(), features, labels, cv=folds, method="predict_proba")
    doubted = in_doubt(labels, predicted)
    console = Console(width=110)
    console.print(_sources([it.source for it in train], doubted))
    console.print(f"{doubted.sum()} of {len(labels)} in doubt: {_by_class(labels, doubted)}")

    def answers(kept: NDArray[np.bool_]) -> Ids:
        return np.asarray(model().fit(features[kept], labels[kept]).predict(csr_matrix(asked_of)))

    everything = answers(np.ones(len(labels), dtype=bool))
    chance = np.random.default_rng(_SEED).permutation(doubted)
    for name, kept in (("without those in doubt", ~doubted), ("without as many by chance", ~chance)):
        found = compare(truth, answers(kept), everything, len(LABELS), tolerance=0.0)
        console.print(f"{name}, beside all, on {len(truth)} validation and calibration texts: {found.measured()}")


def _sources(sources: list[str], doubted: NDArray[np.bool_]) -> Table:
    reviews, wrong = Counter(sources), Counter(np.array(sources)[doubted].tolist())
    table = Table(title="In doubt, by source")
    for title in ("source", "reviews", "in doubt"):
        table.add_column(title, justify="left" if title == "source" else "right")
    for source in sorted(reviews, key=lambda name: -wrong[name] / reviews[name]):
        if reviews[source] >= _FEWEST:
            table.add_row(source, f"{reviews[source]:,}", f"{wrong[source] / reviews[source]:.1%}")
    return table


def _by_class(labels: Ids, doubted: NDArray[np.bool_]) -> str:
    return ", ".join(f"{doubted[labels == label].mean():.1%} of {name}" for label, name in enumerate(LABELS))


if __name__ == "__main__":
    main()
