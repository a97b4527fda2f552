"""The fp32 graph of a model of BERT-base's shape, and the int8 one of it."""

from pathlib import Path

import numpy as np
import pytest

from contract.scoring import probabilities
from export.checkpoint import load_model, read_checkpoint
from export.errors import CheckpointRefusedError
from export.gates.parity import reference_probabilities
from export.graph import check_fusion, export_fp32, read_opset
from export.int8.activations import observe
from export.int8.quantisation import quantise
from tests.export.conftest import write_checkpoint
from worker.adapters.classifier import OnnxClassifier


def test_bert_base_goes_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """12 layers of 768: all attention and the embedding fuse, the answers are PyTorch's, and int8 runs."""
    checkpoint = read_checkpoint(
        write_checkpoint(tmp_path / "base", layers=12, hidden=768, heads=12, taught=False)
    )
    model = load_model(checkpoint)
    operators = export_fp32(model, checkpoint.config, tmp_path / "model.onnx")
    assert operators["Attention"] == 12
    assert operators["EmbedLayerNormalization"] == 1
    assert operators["SkipLayerNormalization"] == 24
    assert read_opset(tmp_path / "model.onnx") == 17
    rows = [pair.ids for pair in checkpoint.golden_pairs[:4]]
    logits = OnnxClassifier(tmp_path / "model.onnx", device="cpu", threads=1).logits(rows)
    assert np.abs(probabilities(logits, 1.0) - reference_probabilities(model, rows)).max() <= 1e-4
    monkeypatch.setattr("export.int8.scales._MIGRATIONS", (0.0,))  # the search itself has its own tests
    details = quantise(tmp_path / "model.onnx", tmp_path / "model.int8.onnx", rows[:2])
    assert details["products"] == 4 * 12
    int8 = OnnxClassifier(tmp_path / "model.int8.onnx", device="cpu", threads=1).logits(rows)
    assert np.abs(probabilities(int8, 1.0) - probabilities(logits, 1.0)).max() <= 0.1


@pytest.mark.parametrize("operators", [{"Attention": 11, "EmbedLayerNormalization": 1}, {"Attention": 12}, {}])
def test_anything_less_than_all_is_refused(operators: dict[str, int]) -> None:
    """One layer unfused, or the embedding, is enough."""
    with pytest.raises(CheckpointRefusedError, match="fused"):
        check_fusion(operators, 12)


def test_watching_a_graph_leaves_it_as_it_was(exported: Path) -> None:
    """Calibration reads activations of a copy: the graph that is quantised gets no new outputs."""
    import onnx  # noqa: PLC0415 - one test needs it

    model = onnx.load(exported / "model.onnx")
    tensor = next(node for node in model.graph.node if node.op_type == "MatMul").input[0]
    observed = observe(model, [tensor], [[2, 7, 3], [2, 9, 9, 3]])[tensor]
    assert [output.name for output in model.graph.output] == ["logits"]
    assert observed.rows.shape[1] == observed.low.shape[0] == observed.high.shape[0] == 32
    assert (observed.low <= observed.rows).all()
    assert (observed.rows <= observed.high).all()
