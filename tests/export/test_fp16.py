"""The graphs for CUDA, held to what a CPU can tell of them; `make test-gpu` runs them on a GPU."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from scipy.special import erf

from contract.inputs import PACKED_INPUTS, pack_rows
from contract.scoring import probabilities
from export.checkpoint import load_model, read_checkpoint
from export.devices import check_without_device
from export.errors import CheckpointRefusedError
from export.fp16 import export_fp16, export_packed, pack
from export.gates.parity import reference_probabilities
from worker.adapters.classifier import OnnxClassifier

ROWS = [[2, 7, 3], [2, 9, 9, 8, 3], [2, 3], [2, *range(5, 40), 3], [2, 11, 3]]


class PackedAttention(OpRun):  # type: ignore[misc]
    """Each row for itself; `token_offset` must list the tokens first, as the kernel believes."""

    op_domain = "com.microsoft"

    def _run(self, x: Any, weights: Any, bias: Any, offsets: Any, bounds: Any, num_heads: int = 0) -> tuple[Any]:
        rows, longest = offsets.shape
        tokens = [row * longest + place for row in range(rows) for place in range(bounds[row + 1] - bounds[row])]
        assert offsets.ravel()[: len(tokens)].tolist() == tokens
        assert sorted(offsets.ravel().tolist()) == list(range(rows * longest))
        projected = x.astype(np.float32) @ weights.astype(np.float32) + bias.astype(np.float32)
        parts = [attend(projected[a:b], num_heads) for a, b in pairwise(bounds)]
        return (np.concatenate(parts).astype(x.dtype),)


class SkipLayerNormalization(OpRun):  # type: ignore[misc]
    op_domain = "com.microsoft"

    def _run(
        self, x: Any, skip: Any, weight: Any, beta: Any, bias: Any = None, epsilon: float = 0.0
    ) -> tuple[Any]:
        total = x.astype(np.float32) + skip.astype(np.float32) + (0 if bias is None else bias.astype(np.float32))
        centred = total - total.mean(axis=-1, keepdims=True)
        normal = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
        return ((normal * weight + beta).astype(x.dtype),)


class BiasGelu(OpRun):  # type: ignore[misc]
    op_domain = "com.microsoft"

    def _run(self, x: Any, bias: Any) -> tuple[Any]:
        total = x.astype(np.float32) + bias.astype(np.float32)
        return ((total * 0.5 * (1 + erf(total / np.sqrt(2)))).astype(x.dtype),)


def attend(projected: Any, heads: int) -> Any:
    """Self-attention of one row, shape (tokens, 3 x hidden) to (tokens, hidden)."""
    tokens, width = len(projected), projected.shape[1] // 3
    query, key, value = projected.reshape(tokens, 3, heads, -1).transpose(1, 2, 0, 3)
    scores = probabilities(query @ key.transpose(0, 2, 1) / np.sqrt(width // heads))
    return (scores @ value).transpose(1, 0, 2).reshape(tokens, width)


def test_packed_tokens_get_the_answers_of_padded_rows(checkpoint: Path, tmp_path: Path) -> None:
    """Operator for operator, with PackedAttention as its documentation has it, in whatever order rows stand."""
    read = read_checkpoint(checkpoint)
    model = load_model(read)
    operators = export_packed(model, read.config, tmp_path / "packed.onnx")
    assert (operators["PackedAttention"], operators.get("Attention", 0)) == (2, 0)
    evaluator = ReferenceEvaluator(
        str(tmp_path / "packed.onnx"), new_ops=[PackedAttention, SkipLayerNormalization, BiasGelu]
    )
    for rows in (ROWS, ROWS[::-1], ROWS[:1]):
        answers = probabilities(evaluator.run(None, pack_rows(rows))[0], 1.0)
        assert np.abs(answers - reference_probabilities(model, rows)).max() <= 0.01


def test_only_kernels_are_missing_on_a_cpu(checkpoint: Path, tmp_path: Path) -> None:
    """ONNX Runtime finds nothing wrong with the packed graph but that it is for another device."""
    read = read_checkpoint(checkpoint)
    export_packed(load_model(read), read.config, tmp_path / "packed.onnx")
    with pytest.raises(Exception, match=r"Failed to find kernel for com\.microsoft\.PackedAttention"):
        OnnxClassifier(tmp_path / "packed.onnx", device="cpu")
    check_without_device(tmp_path / "packed.onnx")
    graph = onnx.load(tmp_path / "packed.onnx")
    assert [value.name for value in graph.graph.input] == list(PACKED_INPUTS)
    next(node for node in graph.graph.node if node.op_type == "PackedAttention").input.append("nothing")
    onnx.save(graph, tmp_path / "broken.onnx")
    with pytest.raises(CheckpointRefusedError, match=r"broken\.onnx"):
        check_without_device(tmp_path / "broken.onnx")


def test_the_padded_graph_has_lengths_for_a_mask(checkpoint: Path, tmp_path: Path) -> None:
    """Its weights are halves, its logits floats; the CPU, which computes in float, gives PyTorch's answers."""
    read = read_checkpoint(checkpoint)
    model = load_model(read)
    operators = export_fp16(model, read.config, tmp_path / "fp16.onnx")
    assert operators["Attention"] == 2
    graph = onnx.load(tmp_path / "fp16.onnx").graph
    assert {item.data_type for item in graph.initializer if len(item.dims) == 2} == {onnx.TensorProto.FLOAT16}
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    logits = OnnxClassifier(tmp_path / "fp16.onnx", device="cpu").logits(ROWS)
    assert np.abs(probabilities(logits, 1.0) - reference_probabilities(model, ROWS)).max() <= 0.01


def test_a_graph_of_another_form_is_not_packed(exported: Path) -> None:
    """What is rewritten must be what is known: here the embedding is gone."""
    model = onnx.load(exported / "model.onnx")
    nodes = [node for node in model.graph.node if node.op_type != "EmbedLayerNormalization"]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    with pytest.raises(CheckpointRefusedError, match="0 EmbedLayerNormalization"):
        pack(model)
