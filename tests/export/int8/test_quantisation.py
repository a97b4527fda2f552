"""The int8 graph: matrix products with a weight, and nothing else, in 8 bits; its answers depend on no batch."""

from itertools import pairwise
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


def graph(file: Path, layers: int) -> Path:
    """An embedding, products with a weight, and a product of activations alone, as attention has it."""
    draw = np.random.default_rng(3)
    values = {"table": draw.normal(size=(VOCABULARY, WIDTH))}
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["product0"], name="embed")]
    for layer in range(1, layers + 1):  # the heavier the tails of a weight, the more is lost
        weight = draw.normal(size=(WIDTH, WIDTH)) ** (2 * layer - 1)
        values[f"weight{layer}"] = weight / (WIDTH**0.5 * weight.std())
        source, output = f"product{layer - 1}", f"product{layer}"
        nodes.append(helper.make_node("MatMul", [source, f"weight{layer}"], [output], name=f"project{layer}"))
    nodes += [
        helper.make_node("Transpose", [f"product{layers}"], ["turned"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["turned", "product0"], ["answer"], name="mix"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", WIDTH, WIDTH])]
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in values.items()]
    made = helper.make_graph(nodes, "small", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=8), file)
    return file


@pytest.fixture
def fp32(tmp_path: Path) -> Path:
    """With one product to quantise."""
    return graph(tmp_path / "model.onnx", layers=1)


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
    details = next(quantise(fp32, int8 := fp32.with_name("int8.onnx"), TEXTS))
    model = onnx.load(int8)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulIntegerToFloat") == kinds.count("QuantizeLinear") == details["products"] == 1
    assert kinds.count("MatMul") == 1, "of activations alone"
    assert "weight1" not in {item.name for item in model.graph.initializer}
    assert details["calibration_texts"] == len(TEXTS)
    exact, answer = run(fp32, [TEXTS[9]]), run(int8, [TEXTS[9]])
    assert ((exact - answer) ** 2).mean() < 1e-3 * (exact**2).mean()
    assert not np.array_equal(exact, answer)
    assert fp32.read_bytes() == before


def test_an_answer_is_the_same_beside_any_neighbour(fp32: Path) -> None:
    """Scales are constants of the graph: no text of a batch changes another's, bit for bit."""
    next(quantise(fp32, int8 := fp32.with_name("int8.onnx"), TEXTS))
    rows = [[2, 4, 5, 6, 3], [2, 29, 28, 27, 3], [2, 7, 8, 9, 3]]
    together = run(int8, rows)
    assert all(np.array_equal(together[place], run(int8, [row])[0]) for place, row in enumerate(rows))


def test_each_further_graph_keeps_more_of_the_worst_products(tmp_path: Path) -> None:
    """In fp32, up to half of them; what is kept says the manifest, and the answers come closer."""
    source, target = graph(tmp_path / "model.onnx", layers=8), tmp_path / "int8.onnx"
    exact = run(source, [TEXTS[9]])
    lost, kept = [], []
    for details in quantise(source, target, TEXTS):
        in_fp32 = details["products_in_fp32"]
        assert isinstance(in_fp32, list)
        kinds = [node.op_type for node in onnx.load(target).graph.node]
        assert kinds.count("MatMulIntegerToFloat") == details["products"] == 8 - len(in_fp32)
        assert kinds.count("MatMul") == len(in_fp32) + 1
        kept.append(in_fp32)
        lost.append(float(((run(target, [TEXTS[9]]) - exact) ** 2).mean() / (exact**2).mean()))
    assert [len(names) for names in kept] == [0, 1, 2, 4]
    assert all(fewer == more[: len(fewer)] for fewer, more in pairwise(kept))
    assert lost[-1] < lost[0]
