"""The command that a report prints is one that we take."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from contract.training_record import TrainingRecord
from tests.evaluations import HOSTILE
from training.__main__ import parser
from training.recipe import Recipe
from training.report.reproduce import command


@pytest.mark.parametrize("taught", [False, True])
def test_the_command_is_one_that_we_take(record: dict[str, Any], *, taught: bool) -> None:
    """Our own parser reads the command back, with the settings of the record."""
    if taught:
        record["distillation"] = {
            "soft_share": 0.9,
            "fragments": 3,
            "teachers": [{"name": "big"}, {"name": "old"}],
            "unlabelled": {"files": [{"name": "u.jsonl", "sha256": "cd" * 32}]},
        }
        record["data"]["categories"] = ["Books", "Home & Kitchen"]
    words = shlex.split(command("my <model>", TrainingRecord.model_validate(record)))
    options = parser(Recipe()).parse_args(words[3:])
    assert words[:4] == ["python", "-m", "training", "distill" if taught else "fit"]
    assert {name: getattr(options, name) for name in record["settings"]} == record["settings"]
    assert (str(options.output), options.split) == ("my <model>-again", "hash")
    assert [file.name for file in options.data] == [Path(f"{HOSTILE}.jsonl").name]
    if taught:
        assert (options.student, options.soft_share) == ("tiny-bert", 0.9)
        assert options.teacher == [Path("big"), Path("old")]
        assert options.categories == ["Books", "Home & Kitchen"]
    else:
        assert options.base_model == "tiny-bert"
