"""Reading a checkpoint: what would serve wrong answers is refused before the work."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.fields import Fields
from export.checkpoint import read_checkpoint
from tests.export.running import export, told


def edit(file: Path, **changes: Any) -> None:
    """Change members of a JSON object on disk."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "changes", "says"),
    [
        ("config.json", {"id2label": {"0": "negative", "1": "neutral", "2": "positive"}}, "wrong labels"),
        ("config.json", {"model_type": "distilbert"}, "'bert' only"),
        ("encoding.json", {"tokens_max": 4096}, "positions"),
        ("encoding.json", {"truncation": "middle"}, "not what training writes"),
    ],
)
def test_unfit_checkpoints_are_refused(
    own_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    changes: dict[str, Any],
    says: str,
) -> None:
    """A checkpoint that would serve wrong answers is wrong input: exit code 2 and what to do."""
    edit(own_checkpoint / file, **changes)
    assert export(own_checkpoint, tmp_path / "b") == 2
    assert says in told(capsys)


def test_weights_without_a_head_are_refused(
    own_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pretrained encoder without classifier would get a random one: it is wrong input."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 - one test needs it

    file = own_checkpoint / "model.safetensors"
    save_file({name: value for name, value in load_file(file).items() if "classifier" not in name}, file)
    assert export(own_checkpoint, tmp_path / "b") == 2
    assert "not a fine-tuned classifier" in told(capsys)


def test_a_missing_checkpoint_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the missing files and the command that makes them; nothing is created."""
    assert export(tmp_path / "nowhere", tmp_path / "b") == 2
    message = told(capsys)
    assert "model.safetensors" in message
    assert "python -m training fit" in message
    assert list(tmp_path.iterdir()) == []


def test_golden_pairs_keep_their_titles(own_checkpoint: Path) -> None:
    """A pair without a title has none, and what else a later version says of its fields is passed over."""
    pair = {"fields": {"text": "it works", "title": "great", "stars": 5}, "ids": [2, 3]}
    bare = {"fields": {"text": "it works"}, "ids": [2, 3], "more": 1}
    (own_checkpoint / "golden_pairs.json").write_text(json.dumps([pair, bare]))
    assert read_checkpoint(own_checkpoint).golden_fields() == [Fields("it works", "great"), Fields("it works")]
