"""Figures on their way to JSON and back."""

import json
import math
from dataclasses import replace

import pytest

from contract.training_record import ReviewFile
from evaluation.figures import ComparisonFigures, Evaluation, MeasuredData, read, written

_SCORES = ["rows", "accuracy", "macro_f1", "ordinal_error", "off_by_two", "balanced", "by_class", "confusion"]
_GROUP = ["rows", "accuracy", "macro_f1", "ordinal_error", "answered"]
_PROBABILITIES = ["ece", "brier", "loss", "by_answer", "intervals", "reliability"]


@pytest.fixture
def whole(evaluation: Evaluation) -> Evaluation:
    """With all that `training evaluate` adds."""
    return replace(
        evaluation,
        checkpoint="new",
        macro_f1_min=0.7,
        data=MeasuredData(files=[ReviewFile(name="t.jsonl", sha256="cd" * 32, reviews=7)], copies_left_out=1),
        against=replace((evaluation.baselines or {})["VADER"], checkpoint="old"),
        comparison=ComparisonFigures(
            new=0.7, old=0.8, interval=(-0.2, 0.0), tolerance=0.01, difference=-0.1, passed=False, sentence="no"
        ),
    )


def test_the_keys_are_those_that_were_published(whole: Evaluation) -> None:
    """Other programs read `metrics.json` and what `--json` writes: names, nesting and order stay."""
    figures = written(whole)
    assert list(figures) == [
        *("checkpoint", *_SCORES, "loss", "ece", "brier", "intervals", "calibration", "coverage", "macro_f1_min"),
        *("by_category", "by_words", "by_stars", "hardest"),
        *("baselines", "baselines_left_out", "data", "against", "comparison"),
    ]
    assert list(figures["balanced"]) == ["accuracy", "macro_f1"]
    assert list(figures["by_class"]["neutral"]) == ["precision", "recall", "f1", "rows"]
    assert list(figures["by_stars"]["3"]) == _GROUP
    assert figures["by_stars"]["3"]["macro_f1"] is None, "what can't be told is null, and not missing"
    calibration = figures["calibration"]
    assert list(calibration) == ["fitted_on", "temperatures", "bins", "before", "after"]
    assert list(calibration["before"]) == list(calibration["after"]) == _PROBABILITIES
    assert list(calibration["before"]["by_answer"]["neutral"]) == ["rows", "confidence", "accuracy", "ece"]
    assert list(calibration["before"]["reliability"][0]) == ["rows", "confidence", "accuracy"]
    assert list(figures["coverage"][0]) == ["below", "kept", "precision", "precision_at_least"]
    hardest = ["text", "category", "stars", "label", "answer", "confidence", "loss"]
    assert list(figures["hardest"][0]) == hardest
    assert list(figures["baselines"]["VADER"]) == [*_SCORES, "intervals"]
    assert list(figures["against"]) == ["checkpoint", *_SCORES, "intervals"]
    compared = ["new", "old", "interval", "tolerance", "difference", "passed", "sentence"]
    assert list(figures["comparison"]) == compared
    assert list(figures["data"]) == ["files", "copies_left_out"]
    assert figures["data"]["files"] == [{"name": "t.jsonl", "sha256": "cd" * 32, "reviews": 7}]


def test_what_is_written_can_be_read(whole: Evaluation) -> None:
    """Through JSON and back they are the same."""
    assert read(json.loads(json.dumps(written(whole)))) == whole


def test_what_was_not_measured_is_not_written(whole: Evaluation) -> None:
    """Nor is it made up where an older version left it out; a run of no end has a loss that is no number."""
    figures = json.loads(json.dumps(written(whole)))
    for part in figures.keys() - {"rows", "accuracy", "macro_f1", "by_class", "confusion"}:
        lacking = {name: value for name, value in figures.items() if name != part}
        assert json.loads(json.dumps(written(read(lacking)))) == lacking
    assert math.isnan(read(json.loads(json.dumps(written(replace(whole, loss=math.nan))))).loss or 0)


def test_none_is_not_the_same_as_nothing_found(evaluation: Evaluation) -> None:
    """Without baselines `--json` says that there are none; a run, which does not look for any, says nothing."""
    assert written(replace(evaluation, baselines={}, baselines_left_out=[]))["baselines"] == {}
    assert "baselines" not in written(replace(evaluation, baselines=None))
