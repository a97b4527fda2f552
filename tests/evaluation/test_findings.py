"""What is said about a model: true to its figures, and a command that we take."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.findings import findings, limits
from tests.assessments import HISTORY, HOSTILE, sample_assessment
from training.__main__ import _parser
from training.recipe import Recipe
from training.report.reproduce import command

Edit = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("edit", "title"),
    [
        (lambda a: a["baselines"].clear(), None),
        (lambda a: None, "good: Better than every baseline"),
        (lambda a: a["baselines"]["VADER"].update(macro_f1=0.99), "warning: No better than a baseline"),
        (
            lambda a: a["baselines"]["VADER"].update(
                macro_f1=a["macro_f1"] - 0.01, intervals={"macro_f1": [0, 1]}
            ),
            "note: Ahead of every baseline, but not by much",
        ),
    ],
)
def test_baselines_decide_what_is_said_of_them(assessment: dict[str, Any], edit: Edit, title: str | None) -> None:
    """Better only where the intervals do not touch; nothing where there are none."""
    edit(assessment)
    said = [f"{one.kind}: {one.title}" for one in findings(assessment, [], {}) if "baseline" in one.title]
    assert said == ([title] if title else [])


def _say(assessment: dict[str, Any], record: dict[str, Any], history: list[dict[str, Any]]) -> dict[str, str]:
    return {one.title: one.text for one in findings(assessment, history, record)}


def test_what_went_wrong_is_said(assessment: dict[str, Any], record: dict[str, Any]) -> None:
    """Weights chosen on the same texts, a rising loss, few texts and overconfidence are named; the worst first."""
    surer = sample_assessment()
    for dot in surer["calibration"]["before"]["reliability"]:
        dot["confidence"] = min(1.0, dot["accuracy"] + 0.2)
    surer["by_class"]["neutral"]["rows"] = 12
    said = _say(surer, record, HISTORY)
    assert {"It is overconfident", "The weights were chosen by these very texts"} <= said.keys()
    assert "rose by 20.0\u202f% after step 10" in said["It became surer than it became better"]
    assert "Few texts: 12 neutral" in said
    kinds = [one.kind for one in findings(surer, HISTORY, record)]
    assert kinds == sorted(kinds, key=["warning", "good", "note"].index)
    assert "It was still learning" in _say(assessment, {"best_step": 20}, HISTORY[:32])


def test_limits_tell_what_was_not_measured(assessment: dict[str, Any]) -> None:
    """What is cut, and which categories had too few texts."""
    few = {**assessment, "by_category": {"Toys": {"rows": 3}}}
    said = " ".join(limits(few, {"settings": {"tokens_max": 64, "truncation": "head+tail"}}))
    assert "more than 64 tokens the middle is not read" in said
    assert "of Toys" in said


@pytest.mark.parametrize("taught", [False, True])
def test_the_command_is_one_that_we_take(record: dict[str, Any], *, taught: bool) -> None:
    """Our own parser reads the command back, with the settings of the record."""
    if taught:
        record["distillation"] = {
            "soft_share": 0.9,
            "fragments": 3,
            "teachers": [{"name": "big"}, {"name": "old"}],
            "unlabelled": {"files": [{"name": "u.jsonl"}]},
        }
        record["data"]["categories"] = ["Books", "Home & Kitchen"]
    words = shlex.split(command("my <model>", record))
    options = _parser(Recipe()).parse_args(words[3:])
    assert words[:4] == ["python", "-m", "training", "distill" if taught else "fit"]
    assert {name: getattr(options, name) for name in record["settings"]} == record["settings"]
    assert (str(options.output), options.split) == ("my <model>", "hash")
    assert [file.name for file in options.data] == [Path(f"{HOSTILE}.jsonl").name]
    if taught:
        assert (options.student, options.soft_share) == ("tiny-bert", 0.9)
        assert options.teacher == [Path("big"), Path("old")]
        assert options.categories == ["Books", "Home & Kitchen"]
    else:
        assert options.base_model == "tiny-bert"
