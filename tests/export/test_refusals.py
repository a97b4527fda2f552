"""What export refuses, with which exit code, and that nothing is left behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from export import checkpoint as checkpoint_module
from export.__main__ import main
from export.checkpoint import Checkpoint
from tests.export.conftest import hold_to


def run(checkpoint: Path, output: Path, *more: str) -> int:
    """The command line, with one thread."""
    return main(["bundle", "--checkpoint", str(checkpoint), "--output", str(output), "--threads", "1", *more])


def edit(file: Path, **changes: Any) -> None:
    """Change members of a JSON object on disk."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_other_tokens_than_training_saw_are_refused(
    own_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One golden pair that the worker's encoder does not reproduce: exit code 3, no folder."""
    pairs = json.loads((own_checkpoint / "golden_pairs.json").read_text())
    pairs[7]["ids"][1] += 1
    (own_checkpoint / "golden_pairs.json").write_text(json.dumps(pairs))
    assert run(own_checkpoint, tmp_path / "b") == 3
    assert "1 of 63 golden pairs" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_graph_that_does_not_fuse_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default attention (sdpa) fuses nothing, silently; the gate counts, and refuses."""

    def load_with_sdpa(checkpoint: Checkpoint) -> Any:
        model = checkpoint_module.load_model(checkpoint)
        model.config._attn_implementation = "sdpa"
        return model

    monkeypatch.setattr("export.pipeline.load_model", load_with_sdpa)
    assert run(checkpoint, tmp_path / "b") == 3
    assert "fused 0 of 2 attention layers" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_another_model_than_pytorch_ran_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """fp32 probabilities off by more than the parity bound: exit code 3, no folder."""
    hold_to(monkeypatch, "fp32", probability_delta_max=0.0)
    assert run(checkpoint, tmp_path / "b") == 3
    assert "not the checkpoint's model" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


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
    assert run(own_checkpoint, tmp_path / "b") == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_weights_without_a_head_are_refused(
    own_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pretrained encoder without classifier would get a random one: it is wrong input."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 - one test needs it

    file = own_checkpoint / "model.safetensors"
    save_file({name: value for name, value in load_file(file).items() if "classifier" not in name}, file)
    assert run(own_checkpoint, tmp_path / "b") == 2
    assert "not a fine-tuned classifier" in " ".join(capsys.readouterr().err.split())


def test_a_missing_checkpoint_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the missing files and the command that makes them; nothing is created."""
    assert run(tmp_path / "nowhere", tmp_path / "b") == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "model.safetensors" in message
    assert "python -m training fit" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variants", ["fp64", "fp32,packed", ","])
def test_unknown_variants_are_wrong_usage(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], variants: str
) -> None:
    """The error names those that exist."""
    assert run(checkpoint, tmp_path / "b", "--variants", variants) == 2
    assert "fp32, int8, fp16 and fp16.packed" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "flags", [[], ["--checkpoint", "c"], ["--checkpoint", "c", "--output", "o", "--nonsense"]]
)
def test_wrong_flags_are_wrong_usage(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A missing or unknown flag: exit code 2 and no traceback."""
    assert main(flags) == 2
    assert capsys.readouterr().err.startswith("export: ")


@pytest.mark.parametrize("content", ["not json\n", "[1]\n", '{"overall": 5}\n'])
def test_unreadable_texts_are_wrong_input(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    """--texts takes JSON lines with a text; anything else is named, file and all."""
    (tmp_path / "r.json").write_text(content)
    assert run(checkpoint, tmp_path / "b", "--texts", str(tmp_path / "r.json")) == 2
    assert "--texts" in " ".join(capsys.readouterr().err.split())
