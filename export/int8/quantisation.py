"""From the fused fp32 graph to an int8 one for the CPU, with activation scales fixed at export.

Dynamic quantisation takes one activation scale a batch, so a text's label depends on the texts beside it: on a
fine-tuned MiniLM 2.5 % of labels changed with the batch, and 2.2 % were other than PyTorch's. Here every scale is
a constant of the graph, chosen on calibration texts: an event's result is the same in any batch. Quantised are the
matrix products with a weight, as 8-bit unsigned activations by signed weights, the pair that processors have
instructions for. Attention proper, the normalisations and the classification head stay in fp32.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from export.int8.activations import calibration_texts, observe
from export.int8.rewriting import products, rewritten
from export.int8.scales import WEIGHT_MAX, choose_scales

EXACT_SHARES = (0.0, 0.0625, 0.125, 0.25, 0.5)
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
    found = products(model)
    chosen = calibration_texts(texts)
    observed = observe(model, [node.input[0] for node in found], chosen)
    scales = {
        node.name: choose_scales(observed[node.input[0]], onnx.numpy_helper.to_array(weights[node.input[1]]))
        for node in found
    }
    worst_first = sorted(scales, key=lambda name: scales[name].error, reverse=True)
    for exact in sorted({int(share * len(found)) for share in EXACT_SHARES}):
        quantised = {name: scales[name] for name in worst_first[exact:]}
        onnx.save(rewritten(model, quantised), target)
        yield {
            "scheme": "static activations (uint8), weights by output channel (int8)",
            "weight_levels": 2 * WEIGHT_MAX + 1,
            "products": len(quantised),
            "products_in_fp32": list[JsonValue](worst_first[:exact]),
            "product_error_mean": float(np.mean([one.error for one in quantised.values()])),
            "calibration_texts": len(chosen),
        }
