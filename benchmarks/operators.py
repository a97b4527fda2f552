"""Which operators ONNX Runtime runs fastest here, where it has more than one for the same thing.

Export puts a graph together of those that won (`export.int8.rewriting`, `export.graph`); another version of the
runtime may turn it round, as 1.32 did. One thread, the tokens of one forward pass, medians of rounds in turns.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

from worker.cores import cpu_name

MICROSOFT = "com.microsoft"
_ROUNDS = 100
Feed = Mapping[str, NDArray[Any]]


class Operator(NamedTuple):
    """A node of a graph, its inputs and outputs named in one string each."""

    kind: str
    inputs: str
    outputs: str = "y"
    domain: str = ""
    attributes: Mapping[str, int] = {}


class Question(NamedTuple):
    """Ways to compute `y` of the same arrays, of which `constant` are part of the graph."""

    name: str
    feed: Feed
    constant: Feed
    ways: Mapping[str, Sequence[Operator]]


def questions(rows: int, tokens: int, hidden: int, heads: int) -> list[Question]:
    """What is asked, for a batch of so many rows of so many tokens, of a BERT so wide."""
    draw = np.random.default_rng(0)
    return [
        _normalisation(draw, rows, tokens, hidden),
        _attention(draw, rows, tokens, hidden, heads),
        _gelu(draw, rows, tokens, 4 * hidden),
        _projection(draw, rows, tokens, hidden),
    ]


def _normalisation(draw: np.random.Generator, rows: int, tokens: int, hidden: int) -> Question:
    return Question(
        "sum and normalisation",
        {"x": _floats(draw, rows, tokens, hidden), "skip": _floats(draw, rows, tokens, hidden)},
        {"weight": _floats(draw, hidden), "beta": _floats(draw, hidden)},
        {
            "SkipLayerNormalization": [Operator("SkipLayerNormalization", "x skip weight beta", domain=MICROSOFT)],
            "Add, LayerNormalization": [
                Operator("Add", "x skip", "sum"),
                Operator("LayerNormalization", "sum weight beta"),
            ],
        },
    )


def _attention(draw: np.random.Generator, rows: int, tokens: int, hidden: int, heads: int) -> Question:
    mask = np.ones((rows, tokens), dtype=np.int32)
    mask[0, tokens // 2 :] = 0
    each = np.broadcast_to(mask.astype(bool)[:, None, None, :], (rows, 1, tokens, tokens))
    both = {"q_num_heads": heads, "kv_num_heads": heads}
    return Question(
        "attention",
        {name: _floats(draw, rows, tokens, hidden) for name in "qkv"} | {"mask": mask, "each": each.copy()},
        {},
        {
            "MultiHeadAttention": [
                Operator("MultiHeadAttention", "q k v - mask", domain=MICROSOFT, attributes={"num_heads": heads})
            ],
            "Attention of opset 23": [Operator("Attention", "q k v each", attributes=both)],
        },
    )


def _gelu(draw: np.random.Generator, rows: int, tokens: int, hidden: int) -> Question:
    return Question(
        "GELU, and the bias before it",
        {"x": _floats(draw, rows, tokens, hidden)},
        {"bias": _floats(draw, hidden)},
        {
            "BiasGelu": [Operator("BiasGelu", "x bias", domain=MICROSOFT)],
            "Gelu (the product adds the bias)": [Operator("Gelu", "x")],
        },
    )


def _projection(draw: np.random.Generator, rows: int, tokens: int, hidden: int) -> Question:
    parts = {name: draw.integers(-63, 64, (hidden, hidden)).astype(np.int8) for name in ("wq", "wk", "wv")}
    steps = {"step": np.array(0.02, np.float32), "wstep": np.array(0.01, np.float32)}
    constant: Feed = {
        **parts,
        **steps,
        "qkv": np.concatenate(list(parts.values()), axis=1),
        "zero": np.array(128, np.uint8),
    }
    split = {"axis": -1, "num_outputs": 3}
    return Question(
        "query, key and value in int8",
        {"x": draw.integers(0, 256, (rows, tokens, hidden)).astype(np.uint8)},
        constant,
        {
            "one product, Split": [
                Operator("MatMulIntegerToFloat", "x qkv step wstep zero", "all", MICROSOFT),
                Operator("Split", "all", "y k v", attributes=split),
            ],
            "three products": [
                Operator("MatMulIntegerToFloat", f"x {part} step wstep zero", output, MICROSOFT)
                for part, output in zip(parts, ("y", "k", "v"), strict=True)
            ],
        },
    )


def _floats(draw: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return draw.normal(size=shape).astype(np.float32)


def measure(question: Question) -> dict[str, float]:
    """Each way's median, in milliseconds, of rounds in turns."""
    sessions = {name: session(question, operators) for name, operators in question.ways.items()}
    elapsed: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(_ROUNDS):
        for name, session in sessions.items():
            feed = {each.name: question.feed[each.name] for each in session.get_inputs()}
            started_s = time.perf_counter()
            session.run(["y"], feed)
            elapsed[name].append(1_000 * (time.perf_counter() - started_s))
    return {name: median(each) for name, each in elapsed.items()}


def session(question: Question, operators: Sequence[Operator]) -> Any:
    """A graph of these operators and the question's constants, of one thread, as written and not optimised."""
    read = {name for each in operators for name in each.inputs.split()}
    made = [name for each in operators for name in each.outputs.split() if name not in read]
    nodes = [
        helper.make_node(
            each.kind,
            [name.strip("-") for name in each.inputs.split()],
            each.outputs.split(),
            domain=each.domain,
            **each.attributes,
        )
        for each in operators
    ]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in question.feed.items()
        if name in read
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in made]
    constants = [numpy_helper.from_array(array, name) for name, array in question.constant.items() if name in read]
    imports = [helper.make_opsetid("", 23), helper.make_opsetid(MICROSOFT, 1)]
    graph = helper.make_graph(nodes, "ways", inputs, outputs, constants)
    oldest = helper.find_min_ir_version_for(imports, ignore_unknown=True)
    model = helper.make_model(graph, opset_imports=imports, ir_version=oldest)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # as written
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operators", description=__doc__)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64, help="of a row (default: %(default)d)")
    parser.add_argument("--hidden", type=int, default=384, help="numbers of a token; 768 for BERT-base")
    parser.add_argument("--heads", type=int, default=12)
    options = parser.parse_args()
    shape = f"{options.rows} x {options.tokens} tokens of {options.hidden}"
    table = Table(title=f"ONNX Runtime {onnxruntime.__version__} on {cpu_name()}, one thread: {shape}")
    for title in ("", "operators", "ms", "of the first"):
        table.add_column(title, justify="left" if title in ("", "operators") else "right")
    for question in questions(options.rows, options.tokens, options.hidden, options.heads):
        found = measure(question)
        names = list(found)
        for name, elapsed_ms in found.items():
            first, last = name == names[0], name == names[-1]
            ratio = f"{elapsed_ms / found[names[0]]:.2f}"
            asked = question.name if first else ""
            table.add_row(asked, name, f"{elapsed_ms:.3f}", ratio, end_section=last)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
