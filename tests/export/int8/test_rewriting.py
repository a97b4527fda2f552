"""The operators of the int8 graph, on the fused graph of a BERT: fewer and faster ones, and the same answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from contract.scoring import probabilities
from export.int8.activations import observe
from export.int8.rewriting import products, rewritten
from export.int8.scales import Scales, choose_scales
from worker.adapters.classifier import OnnxClassifier

ROWS = [[2, 7, 3], [2, 9, 9, 8, 3], [2, 3], [2, *range(5, 40), 3], [2, 11, 3]]


@pytest.fixture(scope="module")
def scales(exported: Path) -> dict[str, Scales]:
    """Of every product of the graph."""
    model = onnx.load(exported / "model.onnx")
    weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    found = products(model)
    observed = observe(model, [node.input[0] for node in found], ROWS)
    return {node.name: choose_scales(observed[node.input[0]], weights[node.input[1]]) for node in found}


def test_bias_and_attention_take_the_operators_that_a_cpu_is_fast_at(
    exported: Path, scales: dict[str, Scales]
) -> None:
    """No Split, no bias that is added apart, no fused operator with a slow kernel: what is left is counted."""
    model = rewritten(onnx.load(exported / "model.onnx"), scales)
    graph = model.graph
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 23), ("com.microsoft", 1)]
    assert {tuple(item.dims) for item in graph.initializer if item.name.endswith("/step")} == {()}
    operators = [(node.domain, node.op_type) for node in graph.node]
    layers = len(scales) // 4
    assert operators.count(("com.microsoft", "MatMulIntegerToFloat")) == 6 * layers
    assert operators.count(("", "QuantizeLinear")) == 4 * layers
    assert operators.count(("", "Attention")) == operators.count(("", "Gelu")) == layers
    assert operators.count(("", "LayerNormalization")) == operators.count(("", "Add")) == 2 * layers
    assert operators.count(("", "Expand")) == 1, "one mask for all layers"
    assert not {"Split", "MatMul", "BiasGelu", "MultiHeadAttention"} & {operator for _, operator in operators}


@pytest.mark.parametrize("kind", ["MatMul", "Attention"])
def test_what_stays_in_fp32_stays_as_it_was(exported: Path, scales: dict[str, Scales], kind: str) -> None:
    """Its bias and all, whatever the products beside it become."""
    model = onnx.load(exported / "model.onnx")
    kept = [node for node in model.graph.node if node.name in scales and node.op_type == kind]
    graph = rewritten(
        model, {name: scales[name] for name in scales if name not in {node.name for node in kept}}
    ).graph
    assert [node for node in graph.node if node.name in {node.name for node in kept}] == kept


def test_answers_are_those_of_fp32_alone_and_beside_others(
    exported: Path, scales: dict[str, Scales], tmp_path: Path
) -> None:
    """Rows of any lengths get what fp32 gives them, as near as 8 bits are; padding is masked."""
    onnx.save(rewritten(onnx.load(exported / "model.onnx"), scales), tmp_path / "int8.onnx")
    int8 = OnnxClassifier(tmp_path / "int8.onnx", device="cpu")
    together = probabilities(int8.logits(ROWS))
    exact = probabilities(OnnxClassifier(exported / "model.onnx", device="cpu").logits(ROWS))
    assert np.abs(together - exact).max() <= 0.1
    alone = np.concatenate([probabilities(int8.logits([row])) for row in ROWS])
    assert np.abs(together - alone).max() <= 1e-4
