"""The fp32 graph of a model of BERT-base's shape, and the int8 one of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.scoring import probabilities
from export import checkpoint as checkpoint_module
from export.checkpoint import Checkpoint, load_model, read_checkpoint
from export.errors import CheckpointRefusedError
from export.gates.parity import reference_probabilities
from export.graph import check_fusion, export_fp32, read_opset
from export.int8.quantisation import quantise
from tests.export.running import export, told
from tests.export.tiny_checkpoint import write_checkpoint
from worker.adapters.classifier import OnnxClassifier


def test_layers_as_wide_as_bert_bases_go_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 layers of 768: all attention and the embedding fuse, the answers are PyTorch's, and int8 runs."""
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "base", layers=3, hidden=768, heads=12, taught=False))
    model = load_model(checkpoint)
    operators = export_fp32(model, checkpoint.config, tmp_path / "model.onnx")
    assert operators["Attention"] == 3
    assert operators["EmbedLayerNormalization"] == 1
    assert operators["LayerNormalization"] == 6
    assert read_opset(tmp_path / "model.onnx") == 17
    rows = [pair.ids for pair in checkpoint.golden_pairs[:4]]
    logits = OnnxClassifier(tmp_path / "model.onnx", device="cpu").logits(rows)
    assert np.abs(probabilities(logits, 1.0) - reference_probabilities(model, rows)).max() <= 1e-4
    monkeypatch.setattr("export.int8.scales._MIGRATIONS", (0.0,))  # the search itself has its own tests
    details = next(quantise(tmp_path / "model.onnx", tmp_path / "model.int8.onnx", rows[:2]))
    assert details["products"] == 4 * 3
    int8 = OnnxClassifier(tmp_path / "model.int8.onnx", device="cpu").logits(rows)
    assert np.abs(probabilities(int8, 1.0) - probabilities(logits, 1.0)).max() <= 0.1


@pytest.mark.parametrize("operators", [{"Attention": 11, "EmbedLayerNormalization": 1}, {"Attention": 12}, {}])
def test_anything_less_than_all_is_refused(operators: dict[str, int]) -> None:
    """One layer unfused, or the embedding, is enough."""
    with pytest.raises(CheckpointRefusedError, match="fused"):
        check_fusion(operators, 12)


def test_a_graph_that_does_not_fuse_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default attention (sdpa) fuses nothing, silently; the gate counts, and refuses."""

    def load_with_sdpa(checkpoint: Checkpoint) -> Any:
        model = checkpoint_module.load_model(checkpoint)
        model.config._attn_implementation = "sdpa"
        return model

    monkeypatch.setattr("export.pipeline.load_model", load_with_sdpa)
    assert export(checkpoint, tmp_path / "b") == 3
    assert "fused 0 of 2 attention layers" in told(capsys)
    assert list(tmp_path.iterdir()) == []
