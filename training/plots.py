"""The pictures of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from training.data import LABELS

mpl.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})


def plot_loss(history: Sequence[dict[str, Any]], file: Path) -> None:
    """Loss of both parts and the learning rate over steps, from the Trainer's log."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    training = [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]
    validation = [(entry["step"], entry["eval_loss"]) for entry in history if "eval_loss" in entry]
    rates = [(entry["step"], entry["learning_rate"]) for entry in history if "learning_rate" in entry]
    axes.plot(*zip(*training, strict=True), color="tab:blue", label="training") if training else None
    axes.plot(*zip(*validation, strict=True), "o-", color="tab:orange", label="validation") if validation else None
    axes.set(xlabel="step", ylabel="cross-entropy", title="Loss")
    axes.set_ylim(bottom=0)
    if rates:
        right = axes.twinx()
        right.plot(*zip(*rates, strict=True), color="tab:gray", linestyle=":", label="learning rate")
        right.set_ylabel("learning rate")
        right.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(file)


def plot_confusion(confusion: Sequence[Sequence[int]], file: Path) -> None:
    """The confusion matrix: counts, coloured by the share of the true class."""
    order = [LABELS.index(name) for name in ("negative", "neutral", "positive")]
    shares = [[confusion[i][j] / max(1, sum(confusion[i])) for j in order] for i in order]
    figure = Figure(figsize=(4.6, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [LABELS[i] for i in order]
    axes.set(xlabel="answered", ylabel="true", title="Confusion", xticks=range(3), yticks=range(3))
    axes.set_xticklabels(names)
    axes.set_yticklabels(names)
    for row, i in enumerate(order):
        for column, j in enumerate(order):
            share = shares[row][column]
            colour = "white" if share > 0.5 else "black"  # noqa: PLR2004 - half of the colour scale
            axes.text(column, row, f"{confusion[i][j]}\n{share:.0%}", ha="center", va="center", color=colour)
    figure.savefig(file)
