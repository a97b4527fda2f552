"""What a larger encoder brings: base models of different sizes, fine-tuned on the same reviews for as long.

Each is measured on the validation and the calibration part together; the test part stays out of it. Differences
are paired: what a model and the first one named answered to the same texts is resampled. Baseline: TF-IDF with
logistic regression.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.trials import answers, held_out, recipe_of, share_of, show
from contract.labels import LABELS
from evaluation.baselines import baselines
from evaluation.comparison import compare
from evaluation.evaluate import ids_of, summarise
from evaluation.figures import written
from evaluation.tables import interval
from reviews.corpus import read_corpus
from reviews.review import Reviews
from training.model import load_checkpoint
from training.recipe import Recipe

_TFIDF = "TF-IDF + logistic regression"


def main() -> None:
    """Train each base model, and print and write down the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoders", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files")
    parser.add_argument(
        "--base-model", nargs=2, action="append", required=True, metavar=("NAME", "RATE"), dest="base_models",
        help="as `fit` has it, and its learning rate; once for each",
    )  # fmt: skip
    parser.add_argument("--like", type=Path, help="a checkpoint: the settings of its run instead of the defaults")
    parser.add_argument("--epochs", type=float, default=1.0, help="how often each reads the reviews (default: 1)")
    parser.add_argument("--share", type=float, default=1.0, help="of the train part (default: 1)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoints and the figures")
    options = parser.parse_args()
    corpus = read_corpus(options.data)
    train, others = share_of(corpus.split("train"), options.share), held_out(corpus)
    recipe = replace(recipe_of(options.like) if options.like else Recipe(), epochs=options.epochs)
    options.output.mkdir(parents=True, exist_ok=True)
    recipes = {name: replace(recipe, learning_rate=float(rate)) for name, rate in options.base_models}
    figures = _figures(train, others, recipes, options.output, options.share)
    (options.output / "encoders.json").write_text(json.dumps(figures, indent=2) + "\n")
    _show(figures, len(train), len(others))


def _figures(
    train: Reviews, others: Reviews, recipes: dict[str, Recipe], folder: Path, share: float
) -> list[dict[str, Any]]:
    labels = ids_of(others)
    answered = baselines(others, train)[0][_TFIDF]
    rows: list[dict[str, Any]] = [{"name": _TFIDF, **written(summarise(labels, answered))}]
    first = None
    for base_model, recipe in recipes.items():
        checkpoint = folder / Path(base_model).name
        answered = answers(train, others, base_model, checkpoint, recipe, share=share)
        first = answered if first is None else first
        record = json.loads((checkpoint / "training.json").read_text())
        rows.append({
            "name": checkpoint.name,
            "learning_rate": recipe.learning_rate,
            "parameters": load_checkpoint(checkpoint)[1].num_parameters(),
            "elapsed_s": record["elapsed_s"],
            "against_first": written(compare(labels, answered, first, len(LABELS), tolerance=0.0).figures()),
            **written(summarise(labels, answered)),
        })  # fmt: skip
    return rows


def _show(rows: list[dict[str, Any]], learnt: int, measured: int) -> None:
    table = Table(title=f"{learnt:,} reviews to train on, {measured:,} of the held-out parts to measure on")
    for column in ("", "parameters", "time", "macro-F1", "95 %", "F1 of neutral", "95 %", "against the first"):
        table.add_column(column)
    for row in rows:
        bounds, against = row["intervals"], row.get("against_first")
        table.add_row(
            row["name"],
            f"{row['parameters'] / 1e6:.0f} M" if against else "",
            f"{row['elapsed_s'] / 60:.0f} min" if against else "",
            f"{row['macro_f1']:.3f}", interval(bounds["macro_f1"]),
            f"{row['by_class']['neutral']['f1']:.3f}", interval(bounds["f1_neutral"]),
            f"{against['difference']:+.3f} ({against['interval'][0]:+.3f} to {against['interval'][1]:+.3f})"
            if against else "",
        )  # fmt: skip
    show(table)


if __name__ == "__main__":
    main()
