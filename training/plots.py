"""The pictures of a run."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.data import LABELS
from training.metrics import ORDER

_DPI = 110


def plot_loss(history: Sequence[dict[str, Any]], file: Path) -> None:
    """Loss of both parts and the learning rate over steps, from the Trainer's log."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes, right = (axes := figure.subplots()), axes.twinx()
    axes.plot(*_series(history, "loss"), color="tab:blue", label="training loss")
    axes.plot(*_series(history, "eval_loss"), "o-", color="tab:orange", label="validation loss")
    right.plot(*_series(history, "learning_rate"), color="tab:gray", linestyle=":", label="learning rate")
    axes.set(xlabel="step", ylabel="cross-entropy (nats)", title="Loss", ylim=(0, None), xlim=(0, None))
    right.set(ylabel="learning rate", ylim=(0, None))
    axes.spines["top"].set_visible(False)
    right.spines["top"].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    _save(figure, file)


def plot_confusion(confusion: Sequence[Sequence[int]], file: Path) -> None:
    """The confusion matrix: counts, coloured by the share of the true class."""
    shares = [[confusion[i][j] / max(1, sum(confusion[i])) for j in ORDER] for i in ORDER]
    names = [LABELS[i] for i in ORDER]
    figure = Figure(figsize=(4.6, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answered", ylabel="true", title="Confusion")
    for row, i in enumerate(ORDER):
        for column, j in enumerate(ORDER):
            share = shares[row][column]
            colour = "white" if share > 0.5 else "black"  # noqa: PLR2004 - half of the colour scale
            axes.text(column, row, f"{confusion[i][j]}\n{share:.0%}", ha="center", va="center", color=colour)
    _save(figure, file)


def plot_reliability(calibration: dict[str, Any], file: Path) -> None:
    """Accuracy over confidence, before and after temperature scaling; each dot stands for equally many texts."""
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color="tab:gray")
    for part, name, colour in (("before", "as it is", "tab:orange"), ("after", "scaled", "tab:blue")):
        row = calibration[part]
        points = [(dot["confidence"], dot["accuracy"]) for dot in row["reliability"]]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, label=f"{name}: ECE {row['ece']:.3f}", alpha=0.8)
    axes.set(xlabel="confidence", ylabel="accuracy", title="Reliability", xlim=(0.3, 1.01), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False)
    _save(figure, file)


def plot_evaluation(result: dict[str, Any], file: Path) -> None:
    """The pictures beside the JSON file of an evaluation, named like it: `.confusion.png`, `.reliability.png`."""
    plot_confusion(result["confusion"], file.with_suffix(".confusion.png"))
    plot_reliability(result["calibration"], file.with_suffix(".reliability.png"))


def _series(history: Sequence[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    points = [entry for entry in history if name in entry]
    return [point["step"] for point in points], [point[name] for point in points]


def _save(figure: Figure, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own
        figure.savefig(file, dpi=_DPI)
