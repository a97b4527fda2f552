"""The int8 graph: matrix products with a weight, and nothing else, in 8 bits; its answers depend on no batch."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.int8.quantisation import quantise

VOCABULARY, WIDTH = 30, 16
TEXTS = [[2, *range(4, 4 + length), 3] for length in range(1, 20)]


@pytest.fixture
def fp32(tmp_path: Path) -> Path:
    """An embedding, a product with a weight, and a product of activations alone, as attention has it."""
    draw = np.random.default_rng(3)
    table, weight = draw.normal(size=(VOCABULARY, WIDTH)), draw.normal(size=(WIDTH, WIDTH))
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"], name="embed"),
        helper.make_node("MatMul", ["embedded", "weight"], ["projected"], name="project"),
        helper.make_node("Transpose", ["projected"], ["turned"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["turned", "embedded"], ["answer"], name="mix"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", WIDTH, WIDTH])]
    constants = [
        numpy_helper.from_array(value.astype(np.float32), name)
        for name, value in (("table", table), ("weight", weight))
    ]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def run(file: Path, rows: list[list[int]]) -> NDArray[np.float32]:
    """The graph's answers to rows of one length."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    ids = np.array(rows, dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    answer: NDArray[np.float32] = session.run(["answer"], feed)[0]
    return answer


def test_products_with_a_weight_are_quantised_and_others_kept(fp32: Path) -> None:
    """The answers stay close; the fp32 weight is gone, and its graph is left as it was."""
    before = fp32.read_bytes()
    details = quantise(fp32, int8 := fp32.with_name("int8.onnx"), TEXTS)
    model = onnx.load(int8)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulIntegerToFloat") == kinds.count("QuantizeLinear") == details["products"] == 1
    assert kinds.count("MatMul") == 1, "of activations alone"
    assert "weight" not in {item.name for item in model.graph.initializer}
    assert details["calibration_texts"] == len(TEXTS)
    exact, answer = run(fp32, [TEXTS[9]]), run(int8, [TEXTS[9]])
    assert ((exact - answer) ** 2).mean() < 1e-3 * (exact**2).mean()
    assert not np.array_equal(exact, answer)
    assert fp32.read_bytes() == before


def test_an_answer_is_the_same_beside_any_neighbour(fp32: Path) -> None:
    """Scales are constants of the graph: no text of a batch changes another's, bit for bit."""
    quantise(fp32, int8 := fp32.with_name("int8.onnx"), TEXTS)
    rows = [[2, 4, 5, 6, 3], [2, 29, 28, 27, 3], [2, 7, 8, 9, 3]]
    together = run(int8, rows)
    assert all(np.array_equal(together[place], run(int8, [row])[0]) for place, row in enumerate(rows))
