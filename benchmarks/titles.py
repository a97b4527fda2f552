"""What titles bring: the same reviews, all of which have one, read with it and without it.

Two models of one recipe learn from the titled texts of the train part and answer those of the validation and the
calibration part; only the template differs. The difference is paired: what both answered to the same texts is
resampled. Baseline: TF-IDF with logistic regression on the texts alone.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.trials import answers, held_out, recipe_of, show
from contract.labels import LABELS
from evaluation.baselines import baselines
from evaluation.comparison import compare
from evaluation.evaluate import ids_of, summarise
from evaluation.figures import written
from evaluation.tables import interval
from reviews.corpus import read_corpus
from reviews.review import Reviews
from training.encoding import TEMPLATES
from training.recipe import Recipe

_TFIDF = "TF-IDF + logistic regression"


def main() -> None:
    """Train with and without titles, and print and write down the figures and their difference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.titles", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files")
    parser.add_argument("--base-model", required=True, help="as `fit` has it")
    parser.add_argument("--like", type=Path, help="a checkpoint: the settings of its run instead of the defaults")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoints and the figures")
    options = parser.parse_args()
    corpus = read_corpus(options.data)
    train, others = _titled(corpus.split("train").reviews), _titled(held_out(corpus))
    recipe = recipe_of(options.like) if options.like else Recipe()
    options.output.mkdir(parents=True, exist_ok=True)
    figures = _figures(train, others, options.base_model, options.output, recipe)
    (options.output / "titles.json").write_text(json.dumps(figures, indent=2) + "\n")
    _show(figures, len(train), len(others))


def _titled(reviews: Reviews) -> Reviews:
    return reviews.select(reviews.titled.nonzero()[0])


def _figures(train: Reviews, others: Reviews, base_model: str, folder: Path, recipe: Recipe) -> dict[str, Any]:
    labels = ids_of(others)
    answered = {
        template: answers(train, others, base_model, folder / template, replace(recipe, template=template))
        for template in TEMPLATES
    }
    difference = compare(labels, answered["title+text"], answered["text"], len(LABELS), tolerance=0.0)
    answered[_TFIDF] = baselines(others, train)[0][_TFIDF]
    return {
        "difference": written(difference.figures()) | {"measured": difference.measured()},
        "columns": {name: written(summarise(labels, given)) for name, given in answered.items()},
    }


def _show(figures: dict[str, Any], learnt: int, measured: int) -> None:
    table = Table(title=f"{learnt:,} titled reviews to train on, {measured:,} of the held-out parts to measure on")
    for column in ("read", "macro-F1", "95 %", "F1 of neutral", "95 %"):
        table.add_column(column)
    for name, one in figures["columns"].items():
        bounds, neutral = one["intervals"], one["by_class"]["neutral"]["f1"]
        table.add_row(
            name, f"{one['macro_f1']:.3f}", interval(bounds["macro_f1"]), f"{neutral:.3f}",
            interval(bounds["f1_neutral"]),
        )  # fmt: skip
    show(table, figures["difference"]["measured"])


if __name__ == "__main__":
    main()
