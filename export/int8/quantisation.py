"""From the fused fp32 graph to an int8 one for the CPU, with activation scales fixed at export.

Dynamic quantisation takes one activation scale a batch, so a text's label depends on the texts beside it: on a
fine-tuned MiniLM 2.5 % of labels changed with the batch, and 2.2 % were other than PyTorch's. Here every scale is
a constant of the graph, chosen on calibration texts: an event's result is the same in any batch. Quantised are the
matrix products with a weight, as 8-bit unsigned activations by signed weights, the pair that processors have
instructions for. Attention proper, the normalisations and the classification head stay in fp32.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from export.int8.activations import calibration_texts, observe
from export.int8.scales import WEIGHT_MAX, Scales, choose_scales

_MS = "com.microsoft"


EXACT_SHARES = (0.0, 0.125, 0.25, 0.5)
"""Of the products, that stay in fp32, one graph after the other. Beyond half there is little speed left to win."""


def quantise(source: Path, target: Path, texts: Sequence[Sequence[int]]) -> Iterator[dict[str, JsonValue]]:
    """Write an int8 graph, and for each further item one that keeps more products in fp32, the worst first.

    Args:
        source: The fused fp32 graph.
        target: Where to write the graph; the one before is replaced.
        texts: Token ids to choose the calibration texts from.

    Yields:
        How it was done, for the manifest.
    """
    import onnx  # noqa: PLC0415 - only an export needs it

    model = onnx.load(source)
    weights = {item.name: item for item in model.graph.initializer}
    products = [node for node in model.graph.node if _is_product(node, weights)]
    chosen = calibration_texts(texts)
    observed = observe(model, [node.input[0] for node in products], chosen)
    scales = {
        node.name: choose_scales(observed[node.input[0]], onnx.numpy_helper.to_array(weights[node.input[1]]))
        for node in products
    }
    worst_first = sorted(scales, key=lambda name: scales[name].error, reverse=True)
    for exact in sorted({int(share * len(products)) for share in EXACT_SHARES}):
        quantised = {name: scales[name] for name in worst_first[exact:]}
        onnx.save(_rewritten(model, quantised), target)
        yield {
            "scheme": "static activations (uint8), weights by output channel (int8)",
            "weight_levels": 2 * WEIGHT_MAX + 1,
            "products": len(quantised),
            "products_in_fp32": list[JsonValue](worst_first[:exact]),
            "product_error_mean": float(np.mean([one.error for one in quantised.values()])),
            "calibration_texts": len(chosen),
        }


class _Rewriter:
    """Collects the nodes and constants of the int8 graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def keep(self, node: Any) -> None:
        """Take a node over as it is."""
        self.nodes.append(node)

    def replace(self, node: Any, scales: Scales) -> None:
        """Put the int8 form of a matrix product, or of an attention's projection, in a node's place."""
        quantised = self._quantised_input(node, scales)
        is_attention = node.op_type == "Attention"
        output = f"{node.name}/projected" if is_attention else node.output[0]
        step, zero_point = f"{node.name}/step", f"{node.name}/zero_point"
        weight = self._constant(f"{node.name}/weight_int8", scales.weight)
        weight_step = self._constant(f"{node.name}/weight_step", scales.weight_step)
        inputs = [quantised, weight, step, weight_step, zero_point]
        self._node("MatMulIntegerToFloat", inputs, [output], domain=_MS)
        if is_attention:
            self._attend(node, output)

    def _quantised_input(self, node: Any, scales: Scales) -> str:
        source = node.input[0]
        if scales.channel is not None:
            factors = self._constant(f"{node.name}/channel_factor", (1 / scales.channel).astype(np.float32))
            source = self._node("Mul", [source, factors], [f"{node.name}/scaled"])
        step = self._constant(f"{node.name}/step", scales.step)
        zero_point = self._constant(f"{node.name}/zero_point", scales.zero_point)
        return self._node("QuantizeLinear", [source, step, zero_point], [f"{node.name}/quantised"])

    def _attend(self, node: Any, projected: str) -> None:
        """What is left of a fused attention once its projection is taken out; the bias goes with it."""
        parts = [f"{node.name}/{part}" for part in ("query", "key", "value")]
        self._node("Split", [projected], parts, axis=-1)
        heads = next(attribute.i for attribute in node.attribute if attribute.name == "num_heads")
        inputs = [*parts, node.input[2], node.input[3]]
        self._node("MultiHeadAttention", inputs, list(node.output), domain=_MS, num_heads=heads)

    def _node(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        from onnx import helper  # noqa: PLC0415 - only an export needs it

        name = f"{outputs[0]}/{operator}"
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def _constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper  # noqa: PLC0415 - only an export needs it

        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _rewritten(model: Any, quantised: Mapping[str, Scales]) -> Any:
    """A copy of a graph with the int8 form of the named products."""
    rewriter = _Rewriter()
    for node in model.graph.node:
        if node.name in quantised:
            rewriter.replace(node, quantised[node.name])
        else:
            rewriter.keep(node)
    copy = type(model)()
    copy.CopyFrom(model)
    _install(copy, rewriter)
    return copy


def _is_product(node: Any, weights: dict[str, Any]) -> bool:
    return node.op_type in ("MatMul", "Attention") and node.input[1] in weights


def _install(model: Any, rewriter: _Rewriter) -> None:
    nodes = list(rewriter.nodes)
    used = {name for node in nodes for name in node.input}
    kept = [item for item in model.graph.initializer if item.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, *rewriter.constants])
    del model.graph.node[:]
    model.graph.node.extend(nodes)
