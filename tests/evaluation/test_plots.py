"""The pictures of a run."""

import re
from functools import partial
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from evaluation.figures import Evaluation
from evaluation.history import History
from evaluation.plots import (
    Draw,
    confusion_figure,
    loss_figure,
    plot_evaluation,
    plot_loss,
    reliability_figure,
    scores_figure,
    svg,
)
from tests.evaluations import HISTORY


def draws(evaluation: Evaluation) -> dict[str, Draw]:
    """Those that stand on a page."""
    assert evaluation.calibration
    return {
        "loss": partial(loss_figure, HISTORY),
        "scores": partial(scores_figure, HISTORY, 20),
        "reliability": partial(reliability_figure, evaluation.calibration),
    }


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("name", ["loss", "scores", "reliability"])
def test_a_picture_takes_colours_and_font_from_its_page(evaluation: Evaluation, name: str) -> None:
    """It brings no style and no address, its ids begin with its name, and it is the same each time."""
    element = svg(name, "what is seen", draws(evaluation)[name])
    assert element.startswith('<svg role="img" aria-label="what is seen"')
    assert {"var(--ink)", "var(--faint)", "var(--first)"} <= set(re.findall(r"var\(--\w+\)", element))
    assert set(re.findall(r"#[0-9a-f]{6}\b", element)) <= {"#ffffff"}, "nothing is painted otherwise"
    assert "http" not in element
    assert "font-family" not in element
    ids, uses = re.findall(r' id="([^"]+)"', element), re.findall(r'(?:href="#|url\(#)([^")]+)', element)
    assert all(each.startswith(f"{name}-") for each in ids)
    assert set(uses) <= set(ids)
    assert element == svg(name, "what is seen", draws(evaluation)[name])


def test_the_step_whose_weights_were_kept_has_a_ring() -> None:
    """One ring at most; where no step is known, none."""
    assert texts(scores_figure(HISTORY, 20)) == ["kept"]
    assert texts(scores_figure(HISTORY, None)) == texts(scores_figure(HISTORY, 7)) == []


def test_the_confusion_holds_counts_and_shares_of_the_true_class() -> None:
    """True classes in rows, in the order negative, neutral, positive; a class without texts has shares of 0."""
    shown = texts(confusion_figure([[3, 1, 0], [0, 0, 0], [1, 2, 5]]))
    assert shown == [
        "5\n62%", "1\n12%", "2\n25%",
        "0\n0%", "3\n75%", "1\n25%",
        "0\n0%", "0\n0%", "0\n0%",
    ]  # fmt: skip


def test_files_are_named_beside_the_figures(evaluation: Evaluation, tmp_path: Path) -> None:
    """PNG, after the JSON file; a run without a validation part has its loss all the same."""
    plot_evaluation(evaluation, tmp_path / "figures.json")
    plot_loss(History(steps=HISTORY.steps), tmp_path / "loss.png")
    names = ["figures.confusion.png", "figures.reliability.png", "loss.png"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
