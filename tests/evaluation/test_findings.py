"""What is said about a model is true to its figures."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contract.training_record import Settings, TrainingRecord
from evaluation.figures import Evaluation, Group, read, written
from evaluation.findings import findings, limits, reaches
from evaluation.history import History
from tests.evaluations import HISTORY

Edit = Callable[[Evaluation], Evaluation]


def vader(evaluation: Evaluation, **changes: Any) -> Evaluation:
    """With other figures of this baseline."""
    baselines = evaluation.baselines or {}
    return replace(evaluation, baselines=baselines | {"VADER": replace(baselines["VADER"], **changes)})


@pytest.mark.parametrize(
    ("edit", "title"),
    [
        (lambda one: replace(one, baselines={}), None),
        (lambda one: one, "good: Better than every baseline"),
        (lambda one: vader(one, macro_f1=0.99), "warning: No better than a baseline"),
        (
            lambda one: vader(one, macro_f1=one.macro_f1 - 0.01, intervals={"macro_f1": (0.0, 1.0)}),
            "note: Ahead of every baseline, but not by much",
        ),
    ],
)
def test_baselines_decide_what_is_said_of_them(evaluation: Evaluation, edit: Edit, title: str | None) -> None:
    """Better only where the intervals do not touch; nothing where there are none."""
    found = findings(edit(evaluation), History(), TrainingRecord())
    said = [f"{one.kind}: {one.title}" for one in found if "baseline" in one.title]
    assert said == ([title] if title else [])


def _say(evaluation: Evaluation, record: TrainingRecord, history: History) -> dict[str, str]:
    return {one.title: one.text for one in findings(evaluation, history, record)}


def test_what_went_wrong_is_said(evaluation: Evaluation, record: dict[str, Any]) -> None:
    """Weights chosen on the same texts, a rising loss, few texts and overconfidence are named; the worst first."""
    changed = written(evaluation)
    for dot in changed["calibration"]["before"]["reliability"]:
        dot["confidence"] = min(1.0, dot["accuracy"] + 0.2)
    changed["by_class"]["neutral"]["rows"] = 12
    surer, run = read(changed), TrainingRecord.model_validate(record)
    said = _say(surer, run, HISTORY)
    assert {"It is overconfident", "The weights were chosen by these very texts"} <= said.keys()
    assert "rose by 20.0\u202f% after step 10" in said["It became surer than it became better"]
    assert "Few texts: 12 neutral" in said
    kinds = [one.kind for one in findings(surer, HISTORY, run)]
    assert kinds == sorted(kinds, key=["warning", "good", "note"].index)
    two_epochs = replace(HISTORY, epochs=HISTORY.epochs[:2])
    assert "It was still learning" in _say(evaluation, TrainingRecord(best_step=20), two_epochs)


def test_limits_tell_what_was_not_measured(evaluation: Evaluation) -> None:
    """What is cut, and which categories had too few texts."""
    toys = Group(rows=3, accuracy=1.0, macro_f1=None, ordinal_error=0.0, answered={})
    settings = Settings(tokens_max=64, truncation="head+tail")
    said = " ".join(limits(replace(evaluation, by_category={"Toys": toys}), TrainingRecord(settings=settings)))
    assert "more than 64 tokens the middle is not read" in said
    assert "of Toys" in said


@pytest.mark.parametrize(
    ("wanted", "bounds", "title"),
    [
        (None, (0.7, 0.8), None),
        (0.7, (0.7, 0.8), "good: Good enough"),
        (0.75, (0.7, 0.8), "warning: Perhaps not good enough"),
        (0.85, (0.7, 0.8), "warning: Not good enough"),
        (0.0, None, "good: Good enough"),
        (0.1, None, "warning: Perhaps not good enough"),
    ],
)
def test_what_is_good_enough_is_judged_by_the_interval(
    evaluation: Evaluation, wanted: float | None, bounds: tuple[float, float] | None, title: str | None
) -> None:
    """Only a lower end that reaches what was asked for will do, and nothing is said where nobody asked."""
    judged = replace(evaluation, macro_f1_min=wanted, intervals={"macro_f1": bounds} if bounds else {})

    said = [
        f"{one.kind}: {one.title}"
        for one in findings(judged, History(), TrainingRecord())
        if "enough" in one.title
    ]

    assert said == ([title] if title else [])
    assert reaches(judged) == (title is None or title.startswith("good"))


@pytest.mark.parametrize(
    ("kept", "said"),
    [(10, "warning: Another epoch was better"), (20, None), (30, "note: Another epoch was better")],
)
def test_a_kept_epoch_that_is_worse_than_another_is_a_finding(
    evaluation: Evaluation, kept: int, said: str | None
) -> None:
    """Wherever it lies in the run: a warning if by more than 0.01 of macro-F1, as the page's picture shows it."""
    found = findings(evaluation, HISTORY, TrainingRecord(best_step=kept))
    another = [one for one in found if one.title == "Another epoch was better"]

    assert [f"{one.kind}: {one.title}" for one in another] == ([said] if said else [])
    assert all("0.650 after step 20" in one.text and f"after step {kept}, whose" in one.text for one in another)
