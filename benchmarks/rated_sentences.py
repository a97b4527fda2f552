"""How a bundle agrees with people: the 3,708 sentences of Amazon reviews that twenty people rated each.

The sentences and ratings are Hutto & Gilbert's of 2014 (MIT), in the domain of which VADER was tuned. A model that
was trained on stars saw none of them. Its score is P(positive) - P(negative) at the bundle's temperature.
Baseline: VADER's compound score, and its labels at its own cut of 0.05. Limit: one person alone against the mean
rating, 0.911 as the authors published it. A sentence is neutral where |mean rating| < 0.5.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from benchmarks.trials import show
from contract.fields import Fields
from contract.labels import LABELS
from contract.scoring import probabilities
from dev.samples import RatedSentence, rated_sentences
from evaluation.evaluate import summarise
from evaluation.tables import interval
from export.scoring import score
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder

_VADER_CUT = 0.05
_ONE_PERSON = 0.911
_RESAMPLES = 2000
_NEGATIVE, _NEUTRAL, _POSITIVE = (LABELS.index(name) for name in ("negative", "neutral", "positive"))

Scores = NDArray[np.float64]
Ids = NDArray[np.int64]


def main() -> None:
    """Score the sentences with each bundle's graphs and VADER, and print correlations and figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rated_sentences", description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="+", help="what `python -m export bundle` wrote")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    sentences = rated_sentences()
    means = np.array([sentence.mean_rating for sentence in sentences])
    labels = np.array([LABELS.index(sentence.label) for sentence in sentences])
    answers = {"VADER": _vader(sentences)}
    for folder in options.bundles:
        bundle = read_bundle(folder)
        for variant in (name for name, one in bundle.manifest.variants.items() if one.device == "cpu"):
            answers[f"{bundle.manifest.name} {variant}"] = _bundle(bundle, variant, sentences)
    rows = {name: _row(means, labels, *answer) for name, answer in answers.items()}
    _show(rows, len(sentences))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def _bundle(bundle: Bundle, variant: str, sentences: list[RatedSentence]) -> tuple[Scores, Ids]:
    encoding = bundle.manifest.encoding
    logits = score(
        TokenizersEncoder(bundle.tokenizer_file, encoding),
        OnnxClassifier(bundle.folder / bundle.variant(variant).file, device="cpu"),
        [Fields(sentence.text) for sentence in sentences],
        tokens_max=encoding.tokens_max,
    )
    predicted = probabilities(logits, bundle.variant(variant).temperature)
    return predicted[:, _POSITIVE] - predicted[:, _NEGATIVE], predicted.argmax(axis=1)


def _vader(sentences: list[RatedSentence]) -> tuple[Scores, Ids]:
    analyser = SentimentIntensityAnalyzer()
    scores = np.array([analyser.polarity_scores(sentence.text)["compound"] for sentence in sentences])
    labels = np.full(len(scores), _NEUTRAL)
    labels[scores >= _VADER_CUT], labels[scores <= -_VADER_CUT] = _POSITIVE, _NEGATIVE
    return scores, labels


def _row(means: Scores, labels: Ids, scores: Scores, answers: Ids) -> dict[str, Any]:
    randomly = np.random.default_rng(0)
    drawn = [randomly.integers(0, len(means), len(means)) for _ in range(_RESAMPLES)]
    correlations = [float(np.corrcoef(means[rows], scores[rows])[0, 1]) for rows in drawn]
    figures = summarise(labels, answers)
    return {
        "correlation": float(np.corrcoef(means, scores)[0, 1]),
        "correlation_95": [float(bound) for bound in np.quantile(correlations, [0.025, 0.975])],
        "macro_f1": figures.macro_f1,
        "macro_f1_95": figures.intervals["macro_f1"],
        "accuracy": figures.accuracy,
        "f1": {name: row.f1 for name, row in figures.by_class.items()},
    }


def _show(rows: dict[str, dict[str, Any]], count: int) -> None:
    table = Table(title=f"{count} rated sentences; 95 % intervals by bootstrap; one person: r = {_ONE_PERSON}")
    for column in ("", "r", "95 %", "macro-F1", "95 %", "accuracy", *(f"F1 {name}" for name in LABELS)):
        table.add_column(column)
    for name, row in rows.items():
        table.add_row(
            name, f"{row['correlation']:.3f}", interval(row["correlation_95"]), f"{row['macro_f1']:.3f}",
            interval(row["macro_f1_95"]), f"{row['accuracy']:.3f}",
            *(f"{row['f1'][label]:.3f}" for label in LABELS),
        )  # fmt: skip
    show(table)


if __name__ == "__main__":
    main()
