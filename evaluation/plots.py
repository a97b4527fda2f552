"""The pictures of a run, as PNG files, and as SVG that takes its colours and its font from the page around it."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contract.labels import LABELS, ORDER
from evaluation.figures import CalibrationFigures, Evaluation
from evaluation.history import History

_DPI = 110
_SVG = {"svg.fonttype": "none", "font.size": 9.0, "axes.linewidth": 0.6}


@dataclass(frozen=True)
class Colours:
    """Of text and axes, of what stands back, and of the lines."""

    ink: str
    faint: str
    first: str
    second: str


PAPER = Colours("black", "tab:gray", "tab:blue", "tab:orange")
_STAND_INS = Colours("#010101", "#020202", "#030303", "#040404")  # matplotlib knows no variables of CSS
_VARIABLES = Colours("var(--ink)", "var(--faint)", "var(--first)", "var(--second)")

Draw = Callable[[Colours], Figure]


def loss_figure(history: History, colours: Colours = PAPER) -> Figure:
    """Loss of both parts over steps, and the learning rate below, from the Trainer's log."""
    figure = Figure(figsize=(4.6, 3.7), layout="constrained")
    losses, rate = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    steps = [entry.step for entry in history.steps]
    losses.plot(steps, [entry.loss for entry in history.steps], color=colours.first, linewidth=1, label="training")
    losses.plot(
        [epoch.step for epoch in history.epochs],
        [epoch.eval_loss for epoch in history.epochs],
        "o-", color=colours.second, markersize=4, label="validation",
    )  # fmt: skip
    rate.plot(steps, [entry.learning_rate for entry in history.steps], color=colours.ink, linewidth=1)
    losses.set(ylabel="cross-entropy (nats)", ylim=(0, None), xlim=(0, None))
    rate.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=False)
    _style(losses, colours, legend="best")
    _style(rate, colours)
    return figure


def scores_figure(history: History, kept_step: int | None, colours: Colours = PAPER) -> Figure:
    """Macro-F1 on the validation part after each epoch, with a ring around the step whose weights were kept."""
    figure = Figure(figsize=(4.6, 3.7), layout="constrained")
    axes = figure.subplots()
    steps = [epoch.step for epoch in history.epochs]
    scores = [epoch.eval_macro_f1 for epoch in history.epochs]
    axes.plot(steps, scores, "o-", color=colours.first, markersize=4)
    for step, score in zip(steps, scores, strict=True):
        if step == kept_step:
            axes.plot([step], [score], "o", markersize=11, markerfacecolor="none", color=colours.second)
            axes.annotate(
                "kept", (step, score), (0, 11), textcoords="offset points", ha="center", color=colours.second
            )
    axes.set(xlabel="step", ylabel="macro-F1")
    axes.margins(x=0.12, y=0.25)
    _style(axes, colours)
    return figure


def reliability_figure(calibration: CalibrationFigures, colours: Colours = PAPER) -> Figure:
    """Accuracy over confidence, before and after temperature scaling; each dot stands for equally many texts."""
    figure = Figure(figsize=(4.6, 3.9), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color=colours.faint)
    parts = ((calibration.before, "as it is", colours.second), (calibration.after, "scaled", colours.first))
    for row, name, colour in parts:
        points = [(dot.confidence, dot.accuracy) for dot in row.reliability]
        label = f"{name}: ECE {row.ece:.3f}"
        axes.plot(*zip(*points, strict=True), "o-", color=colour, markersize=4, label=label, alpha=0.85)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0.3, 1.01), ylim=(0, 1.02))
    _style(axes, colours, legend="upper left")
    return figure


def confusion_figure(confusion: Sequence[Sequence[int]]) -> Figure:
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
    return figure


def plot_loss(history: History, file: Path) -> None:
    """Write the loss as a PNG file."""
    _save(loss_figure(history), file)


def plot_confusion(confusion: Sequence[Sequence[int]], file: Path) -> None:
    """Write the confusion matrix as a PNG file."""
    _save(confusion_figure(confusion), file)


def plot_evaluation(evaluation: Evaluation, file: Path) -> None:
    """The pictures beside the JSON file of an evaluation, named like it: `.confusion.png`, `.reliability.png`."""
    plot_confusion(evaluation.confusion, file.with_suffix(".confusion.png"))
    if evaluation.calibration:
        _save(reliability_figure(evaluation.calibration), file.with_suffix(".reliability.png"))


def svg(name: str, label: str, draw: Draw) -> str:
    """A picture as an element of a page, which sets `--ink`, `--faint`, `--first` and `--second`.

    Args:
        name: Its own on the page: what the picture refers to inside itself begins with it.
        label: Says in words what is seen.
        draw: Makes it of the colours that it is given.
    """
    written = StringIO()
    with mpl.rc_context({**_SVG, "svg.hashsalt": name}), _quietly():
        draw(_STAND_INS).savefig(written, format="svg", transparent=True, metadata={"Date": None})
    element = written.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r"(?s)<metadata>.*?</metadata>|<!--.*?-->", "", element)
    element = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', "", element)
    element = re.sub(r'( id="|href="#|url\(#)', rf"\1{name}-", element)
    element = re.sub(r"(?s) font-family: [^;\"]*;?|<style.*?</style>", "", element)
    for stand_in, variable in zip(vars(_STAND_INS).values(), vars(_VARIABLES).values(), strict=True):
        element = element.replace(stand_in, variable)
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _style(axes: Axes, colours: Colours, legend: str | None = None) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colours.faint)
    axes.tick_params(color=colours.faint, labelcolor=colours.ink)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.yaxis.get_offset_text()):
        text.set_color(colours.ink)
    axes.grid(axis="y", color=colours.faint, alpha=0.25, linewidth=0.5)
    if legend:
        axes.legend(loc=legend, frameon=False, labelcolor=colours.ink)


def _save(figure: Figure, file: Path) -> None:
    with _quietly():
        figure.savefig(file, dpi=_DPI)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own
        yield
