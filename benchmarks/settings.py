"""What a setting brings: one recipe with and without it, on the same reviews, with the same seeds.

Measured on the validation and the calibration part together; the test part stays out of it. A figure is the mean
over the seeds. Its difference from the first trial's is paired: texts are drawn, each with all that was answered
to it. So the interval tells what other texts would change, and the seeds' own figures what other seeds would.
"""

import argparse
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import log_softmax

from benchmarks.trials import held_out, share_of, show, trained_logits
from contract.labels import LABELS
from evaluation.bootstrap import interval, resampled_means
from evaluation.confusion import precision_recall_f1
from evaluation.evaluate import ids_of
from reviews.corpus import read_corpus
from training.recipe import Recipe

Scores = NDArray[np.float64]


def main() -> None:
    """Train each trial with each seed, and print and write down the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.settings", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files")
    parser.add_argument("--base-model", required=True, help="as `fit` has it")
    words: dict[str, Any] = {"type": _setting, "nargs": "+", "metavar": "NAME=VALUE"}
    parser.add_argument("--common", **words, default=[], help="settings of every trial, else the defaults")
    parser.add_argument(
        "--trial", **words, action="append", required=True, dest="trials", help="its settings; once for each trial"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="(default: 1 2)")
    parser.add_argument("--share", type=float, default=1.0, help="of the train part (default: 1)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoints and the figures")
    options = parser.parse_args()
    corpus = read_corpus(options.data)
    train, others = share_of(corpus.split("train"), options.share), held_out(corpus)
    options.output.mkdir(parents=True, exist_ok=True)
    trials = {",".join(f"{name}={value}" for name, value in trial): dict(trial) for trial in options.trials}
    answered = {
        (name, seed): trained_logits(
            train, others, options.base_model, options.output / f"{name},seed={seed}",
            replace(Recipe(), **dict(options.common) | trial, seed=seed), share=options.share,
        )
        for seed in options.seeds for name, trial in trials.items()
    }  # fmt: skip
    logits = np.stack([[answered[name, seed] for seed in options.seeds] for name in trials])
    figures = dict(zip(trials, compared(ids_of(others), logits), strict=True))
    (options.output / "settings.json").write_text(json.dumps(figures, indent=2) + "\n")
    _show(figures, len(train), len(others), options.seeds)


def _setting(word: str) -> tuple[str, Any]:
    name, _, value = word.partition("=")
    if name not in {one.name for one in fields(Recipe)}:
        raise argparse.ArgumentTypeError(f"{name!r} is no setting of a recipe")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def compared(labels: NDArray[np.int64], logits: NDArray[np.floating]) -> list[dict[str, Any]]:
    """The figures of each trial, and how far they are from the first one's.

    Args:
        labels: Shape (texts,).
        logits: Shape (trials, seeds, texts, classes).
    """
    trials, seeds, texts, classes = logits.shape
    cells = np.eye(classes**2)[labels * classes + logits.argmax(axis=-1)]
    losses = -log_softmax(logits, axis=-1)[:, :, np.arange(texts), labels]
    columns = np.concatenate([cells, losses[..., None]], axis=-1)  # of each text: its cell, its cross-entropy
    rows = np.moveaxis(columns, 2, 0).reshape(texts, -1)
    found, drawn = (
        _scores(means.reshape(-1, trials, seeds, classes**2 + 1), classes)
        for means in (rows.mean(axis=0), resampled_means(rows))
    )
    return [
        {
            score: {
                "seeds": found[score][0, trial].tolist(),
                "mean": float(found[score][0, trial].mean()),
                "against_first": float(found[score][0, trial].mean() - found[score][0, 0].mean()),
                "interval": interval((drawn[score][:, trial] - drawn[score][:, 0]).mean(axis=-1)),
            }
            for score in found
        }
        for trial in range(trials)
    ]


def _scores(means: Scores, classes: int) -> dict[str, Scores]:
    f1 = precision_recall_f1(means[..., :-1].reshape(*means.shape[:-1], classes, classes))[2]
    neutral = f1[..., LABELS.index("neutral")]
    return {"macro_f1": f1.mean(axis=-1), "f1_neutral": neutral, "cross_entropy": means[..., -1]}


def _show(figures: dict[str, Any], learnt: int, measured: int, seeds: list[int]) -> None:
    table = Table(title=f"{learnt:,} reviews to train on, {measured:,} of the held-out parts, {len(seeds)} seeds")
    for column in ("trial", "score", "mean", "by seed", "against the first, paired"):
        table.add_column(column)
    for name, scores in figures.items():
        for score, found in scores.items():
            table.add_row(name, score, *_words(found))
    show(table)


def _words(score: dict[str, Any]) -> tuple[str, str, str]:
    low, high = score["interval"]
    return (
        f"{score['mean']:.3f}",
        ", ".join(f"{one:.3f}" for one in score["seeds"]),
        f"{score['against_first']:+.3f} ({low:+.3f} to {high:+.3f})",
    )


if __name__ == "__main__":
    main()
