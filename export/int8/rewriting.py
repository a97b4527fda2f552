"""The int8 form of a fused fp32 graph, of the operators that a CPU runs fastest.

ONNX Runtime has more than one operator for the same thing, and on a CPU the more fused is not always the faster
(docs/experiments.md has the figures). The bias goes into the integer product, which adds it in its last step.
Query, key and value are three products of one quantised input, so that nothing has to split them. Attention is the
standard's operator, whose kernel takes less time than com.microsoft's.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from export.int8.scales import Scales

_MS = "com.microsoft"
_OPSET = 23
"""The first with the operator Attention."""
_PARTS = ("query", "key", "value")


def products(model: Any) -> list[Any]:
    """The nodes whose matrix product with a weight can be quantised."""
    weights = {item.name for item in model.graph.initializer}
    return [node for node in model.graph.node if _is_product(node) and node.input[1] in weights]


def rewritten(model: Any, quantised: Mapping[str, Scales]) -> Any:
    """A copy of a graph with the int8 form of the named products."""
    copy = type(model)()
    copy.CopyFrom(model)
    rewriter = _Rewriter(copy, quantised)
    for node in model.graph.node:
        rewriter.take(node)
    rewriter.install()
    return copy


def _is_product(node: Any) -> bool:
    return node.op_type in ("MatMul", "Attention")


class _Quantised(NamedTuple):
    """The names of a product's quantised input, and of the constants that say what its levels mean."""

    levels: str
    step: str
    zero_point: str


class _Rewriter:
    """Collects the nodes and constants of the int8 graph."""

    def __init__(self, model: Any, quantised: Mapping[str, Scales]) -> None:
        from onnx import numpy_helper  # noqa: PLC0415 - only an export needs it

        self._model, self._quantised = model, quantised
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._masks: dict[str, str] = {}
        self._vectors = {
            item.name: numpy_helper.to_array(item) for item in model.graph.initializer if len(item.dims) == 1
        }
        self._biased = self._products_with_bias()
        """What adds a constant to a quantised product and nothing else reads that, by the product's output."""

    def take(self, node: Any) -> None:
        """Take a node over, in its int8 form where it has one."""
        scales = self._quantised.get(node.name)
        product = next((name for name in node.input if name in self._biased), None)
        if scales is not None and node.op_type == "Attention":
            self._attend(node, scales)
        elif scales is not None:
            self._multiply(node, scales)
        elif product is None:
            self._nodes.append(node)
        elif node.op_type == "BiasGelu":  # an Add is done where it is a bias
            self._node("Gelu", [product], list(node.output))

    def install(self) -> None:
        """Put what was collected in the place of the copy's own."""
        from onnx import helper  # noqa: PLC0415 - only an export needs it

        model, nodes = self._model, list(self._nodes)
        used = {name for node in nodes for name in node.input}
        kept = [item for item in model.graph.initializer if item.name in used]
        del model.graph.initializer[:]
        model.graph.initializer.extend([*kept, *self._constants])
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        others = [(one.domain, one.version) for one in model.opset_import if one.domain not in ("", _MS)]
        imports = [helper.make_opsetid(*one) for one in [("", _OPSET), (_MS, 1), *others]]
        del model.opset_import[:]
        model.opset_import.extend(imports)
        model.ir_version = max(model.ir_version, helper.find_min_ir_version_for(imports, ignore_unknown=True))

    def _products_with_bias(self) -> dict[str, Any]:
        nodes = self._model.graph.node
        plain = {node.output[0] for node in nodes if node.name in self._quantised and node.op_type == "MatMul"}
        readers = Counter(name for node in nodes for name in node.input)
        return {
            name: node
            for node in nodes
            if node.op_type in ("Add", "BiasGelu") and any(each in self._vectors for each in node.input)
            for name in node.input
            if name in plain and readers[name] == 1
        }

    def _multiply(self, node: Any, scales: Scales) -> None:
        adder, output, bias = self._biased.get(node.output[0]), node.output[0], None
        if adder is not None:
            bias = next(self._vectors[name] for name in adder.input if name in self._vectors)
            output = adder.output[0] if adder.op_type == "Add" else output
        self._product(node.name, self._quantised_input(node, scales), scales, slice(None), bias, output)

    def _attend(self, node: Any, scales: Scales) -> None:
        from onnx import helper  # noqa: PLC0415 - only an export needs it

        source, width = self._quantised_input(node, scales), scales.weight.shape[1] // len(_PARTS)
        parts = []
        for place, part in enumerate(_PARTS):
            columns = slice(place * width, (place + 1) * width)
            bias = self._vectors[node.input[2]][columns]
            parts.append(self._product(f"{node.name}/{part}", source, scales, columns, bias))
        given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        heads = {"q_num_heads": given["num_heads"], "kv_num_heads": given["num_heads"]}
        scale = {"scale": given["scale"]} if "scale" in given else {}
        self._node("Attention", [*parts, self._mask(node.input[3])], list(node.output), **heads, **scale)

    def _product(
        self, name: str, source: _Quantised, scales: Scales, columns: slice, bias: Any, output: str | None = None
    ) -> str:
        """Some columns of an integer product, in floats, with the bias added."""
        weight = self._constant(f"{name}/weight_int8", scales.weight[:, columns])
        weight_step = self._constant(f"{name}/weight_step", scales.weight_step[columns])
        inputs = [source.levels, weight, source.step, weight_step, source.zero_point]
        if bias is not None:
            inputs += ["", self._constant(f"{name}/bias", bias)]
        return self._node("MatMulIntegerToFloat", inputs, [output or f"{name}/projected"], domain=_MS)

    def _quantised_input(self, node: Any, scales: Scales) -> _Quantised:
        source = node.input[0]
        if scales.channel is not None:
            factors = self._constant(f"{node.name}/channel_factor", (1 / scales.channel).astype(np.float32))
            source = self._node("Mul", [source, factors], [f"{node.name}/scaled"])
        step = self._constant(f"{node.name}/step", scales.step)
        zero_point = self._constant(f"{node.name}/zero_point", scales.zero_point)
        levels = self._node("QuantizeLinear", [source, step, zero_point], [f"{node.name}/quantised"])
        return _Quantised(levels, step, zero_point)

    def _mask(self, tokens: str) -> str:
        """Which token may look at which, (rows, 1, tokens, tokens), once for all layers."""
        if tokens not in self._masks:
            from onnx import TensorProto  # noqa: PLC0415 - only an export needs it

            one = self._constant(f"{tokens}/one", np.array([1], dtype=np.int64))
            axes = self._constant(f"{tokens}/axes", np.array([1, 2], dtype=np.int64))
            real = self._node("Cast", [tokens], [f"{tokens}/real"], to=TensorProto.BOOL)
            row = self._node("Unsqueeze", [real, axes], [f"{tokens}/row"])
            length = self._node("Shape", [real], [f"{tokens}/length"], start=1)
            shape = self._node("Concat", [one, one, length, one], [f"{tokens}/shape"], axis=0)
            # The kernel takes no row for all: it wants a mask of each looking token.
            self._masks[tokens] = self._node("Expand", [row, shape], [f"{tokens}/mask"])
        return self._masks[tokens]

    def _node(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        from onnx import helper  # noqa: PLC0415 - only an export needs it

        name = f"{outputs[0]}/{operator}"
        self._nodes.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def _constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper  # noqa: PLC0415 - only an export needs it

        self._constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name
