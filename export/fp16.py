"""The graphs for CUDA, in half precision: one that pads, and one of tokens without padding.

The packed graph takes the tokens of all rows one after the other, so that padding costs nothing but in attention's
own kernel. ONNX Runtime's converter puts RemovePadding and RestorePadding around the layers instead; then the host
waits in the middle of each run until the device has told how many tokens there are, the embeddings are those of
padded rows, and so is the head's input (docs/experiments.md has both). Here the worker says where rows begin.
"""

from pathlib import Path
from typing import Any

import numpy as np

from contract.inputs import PACKED_INPUTS
from export.checkpoint import Config
from export.errors import CheckpointRefusedError
from export.graph import count_operators, fused_graph, save_graph, without_logs

_MS = "com.microsoft"


def export_fp16(model: Any, config: Config, file: Path) -> dict[str, int]:
    """Write the graph that pads: inputs and output are those of the fp32 one.

    Args:
        model: A `BertForSequenceClassification` with eager attention.
        config: Of the same checkpoint.
        file: Where to write it.

    Returns:
        How often each operator stands in the graph.

    Raises:
        CheckpointRefusedError: If the attention or the embedding was not fused.
    """
    graph = fused_graph(model, config, file.with_suffix(".raw.onnx"), for_cuda=True)
    return _save_in_fp16(graph, file)


def export_packed(model: Any, config: Config, file: Path) -> dict[str, int]:
    """Write the graph of packed tokens, whose inputs are those of `contract.inputs`; else like `export_fp16`.

    Raises:
        CheckpointRefusedError: If the attention was not fused, or the graph is not the one that is rewritten here.
    """
    graph = fused_graph(model, config, file.with_suffix(".raw.onnx"), for_cuda=True)
    pack(graph.model)
    operators = _save_in_fp16(graph, file)
    packed, padded = operators.get("PackedAttention", 0), operators.get("Attention", 0)
    if (packed, padded) != (config.num_hidden_layers, 0):
        raise CheckpointRefusedError(
            f"{packed} of {config.num_hidden_layers} attention layers could be packed: check the versions of "
            "torch, transformers and onnxruntime against requirements/."
        )
    return operators


def pack(model: Any) -> None:
    """Rewrite a fused graph, in place, so that it takes packed tokens.

    Args:
        model: An ONNX model whose attention takes its mask as lengths, in the optimiser's form: an embedding, the
            layers, and a head that reads the first token of each row.
    """
    embedding = _only(model, "EmbedLayerNormalization")
    first_token = _only(model, "Gather")
    nodes = [*_embedding(model, embedding), *_row_starts()]
    for node in model.graph.node:
        if node.op_type in ("Cast", "EmbedLayerNormalization"):
            continue
        if node.op_type == "Attention":
            nodes.append(_packed_attention(node))
        elif node is first_token:
            nodes.append(_node("Gather", [node.input[0], "row_starts"], list(node.output), axis=0))
        else:
            nodes.append(node)
    _install(model, nodes)


def _only(model: Any, operator: str) -> Any:
    found = [node for node in model.graph.node if node.op_type == operator]
    if len(found) != 1:
        raise CheckpointRefusedError(f"the fused graph has {len(found)} {operator}, where packing knows one")
    return found[0]


def _embedding(model: Any, node: Any) -> list[Any]:
    """Words and places by look-up, summed with the one segment there is and normalised."""
    from onnx import numpy_helper  # noqa: PLC0415 - only an export needs it

    _, _, words, positions, segments, weight, bias = node.input[:7]
    table = next(item for item in model.graph.initializer if item.name == segments)
    first_segment = numpy_helper.from_array(numpy_helper.to_array(table)[0], "first_segment")
    model.graph.initializer.append(first_segment)
    epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
    return [
        _node("Gather", [words, "input_ids"], ["words"]),
        _node("Gather", [positions, "position_ids"], ["places"]),
        _node(
            "SkipLayerNormalization", ["words", "places", weight, bias, first_segment.name], [node.output[0]],
            domain=_MS, epsilon=epsilon,
        ),
    ]  # fmt: skip


def _row_starts() -> list[Any]:
    """Where each row begins: all of the cumulative lengths but the last."""
    from onnx import helper, numpy_helper  # noqa: PLC0415 - only an export needs it

    bounds = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array([value], dtype=np.int64)))
        for name, value in (("from_first", 0), ("to_last", -1))
    ]
    return [*bounds, _node("Slice", ["cumulative_sequence_length", "from_first", "to_last"], ["row_starts"])]


def _packed_attention(node: Any) -> Any:
    from onnx import helper  # noqa: PLC0415 - only an export needs it

    packed = _node(
        "PackedAttention",
        [*node.input[:3], "token_offset", "cumulative_sequence_length"],
        list(node.output),
        domain=_MS,
    )
    kept = [attribute for attribute in node.attribute if attribute.name in ("num_heads", "scale")]
    packed.attribute.extend(helper.make_attribute(one.name, helper.get_attribute_value(one)) for one in kept)
    return packed


def _install(model: Any, nodes: list[Any]) -> None:
    from onnx import TensorProto, helper  # noqa: PLC0415 - only an export needs it

    nodes = [type(node).FromString(node.SerializeToString()) for node in nodes]  # the graph owns those it loses
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    kept = [item for item in model.graph.initializer if item.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.input[:], model.graph.value_info[:]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, list(axes)) for name, axes in PACKED_INPUTS.items()
    ]
    model.graph.input.extend(inputs)


def _node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    from onnx import helper  # noqa: PLC0415 - only an export needs it

    return helper.make_node(operator, inputs, outputs, name=f"{outputs[0]}/{operator}", **attributes)


def _save_in_fp16(graph: Any, file: Path) -> dict[str, int]:
    with without_logs():
        graph.convert_float_to_float16(use_symbolic_shape_infer=True, keep_io_types=True)
    save_graph(graph, file)
    return count_operators(graph)
