"""How much more data would help: one recipe on growing shares of the train part.

A smaller share is contained in every larger one. Each model is measured on the validation and the calibration part
together; the test part stays out of it. Baseline: TF-IDF with logistic regression on the same texts.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.trials import answers, held_out, recipe_of, share_of, show
from evaluation.baselines import baselines
from evaluation.evaluate import ids_of, summarise
from evaluation.tables import interval
from reviews.corpus import Corpus, read_corpus
from reviews.review import Reviews
from training.recipe import Recipe

_TFIDF = "TF-IDF + logistic regression"
_SHARES = (0.125, 0.25, 0.5, 1.0)


def main() -> None:
    """Train and measure once a share, print the figures and draw them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_curve", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files")
    parser.add_argument("--base-model", required=True, help="as `fit` has it")
    parser.add_argument("--like", type=Path, help="a checkpoint: the settings of its run instead of the defaults")
    parser.add_argument("--shares", type=float, nargs="+", default=_SHARES, help="of the train part")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoints and the figures")
    options = parser.parse_args()
    corpus = read_corpus(options.data)
    others, train = held_out(corpus), corpus.split("train")
    recipe = recipe_of(options.like) if options.like else Recipe()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = [
        _row(train, share, others, options.base_model, options.output, recipe) for share in sorted(options.shares)
    ]
    (options.output / "learning_curve.json").write_text(json.dumps(rows, indent=2) + "\n")
    _draw(rows, options.base_model).savefig(options.output / "learning_curve.svg")
    _show(rows, len(others))


def _row(
    part: Corpus, share: float, others: Reviews, base_model: str, folder: Path, recipe: Recipe
) -> dict[str, Any]:
    train, labels = share_of(part, share), ids_of(others)
    model = _figures(labels, answers(train, others, base_model, folder / f"{share:g}", recipe, share=share))
    words = _figures(labels, baselines(others, train)[0][_TFIDF])
    return {"reviews": len(train), "model": model, "TF-IDF": words}


def _figures(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, Any]:
    figures = summarise(labels, answers)
    bounds = figures.intervals
    return {
        "macro_f1": figures.macro_f1,
        "macro_f1_95": bounds["macro_f1"],
        "f1_neutral": figures.by_class["neutral"].f1,
        "f1_neutral_95": bounds["f1_neutral"],
    }


def _draw(rows: list[dict[str, Any]], name: str) -> Figure:
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    reviews = [row["reviews"] for row in rows]
    for who, label in (("model", Path(name).name), ("TF-IDF", _TFIDF)):
        scores = np.array([row[who]["macro_f1"] for row in rows])
        bounds = np.array([row[who]["macro_f1_95"] for row in rows])
        axes.errorbar(reviews, scores, yerr=np.abs(bounds.T - scores), marker="o", capsize=3, label=label)
    axes.set(xscale="log", xlabel="reviews to train on", ylabel="macro-F1, 95 % interval")
    axes.set_xticks(reviews, [f"{count:,}" for count in reviews], minor=False)
    axes.minorticks_off()
    axes.legend(loc="lower right", frameon=False)
    return figure


def _show(rows: list[dict[str, Any]], count: int) -> None:
    table = Table(title=f"measured on {count} texts of the validation and the calibration part")
    for column in ("reviews", "macro-F1", "95 %", "F1 of neutral", "95 %", "TF-IDF", "95 %"):
        table.add_column(column)
    for row in rows:
        model, words = row["model"], row["TF-IDF"]
        table.add_row(
            f"{row['reviews']:,}", f"{model['macro_f1']:.3f}", interval(model["macro_f1_95"]),
            f"{model['f1_neutral']:.3f}", interval(model["f1_neutral_95"]), f"{words['macro_f1']:.3f}",
            interval(words["macro_f1_95"]),
        )  # fmt: skip
    show(table)


if __name__ == "__main__":
    main()
