"""Watching what the matrix products of a graph are fed with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from export.int8.scales import Floats, Observed

TEXTS_MAX = 200
_ROWS_PER_TEXT = 16
"""Tokens kept of each text, besides its first: [CLS] is what the label is read from."""


def observe(model: Any, tensors: Sequence[str], texts: Sequence[Sequence[int]]) -> dict[str, Observed]:
    """Run a graph on `texts`, each alone, and record the named tensors.

    Args:
        model: An `onnx.ModelProto`; it is left as it was.
        tensors: Names of tensors of shape (1, tokens, channels).
        texts: Token ids.
    """
    run = _session(model, tensors)
    randomly = np.random.default_rng(0)
    seen: dict[str, list[tuple[Floats, Floats, Floats]]] = {name: [] for name in tensors}
    for ids in texts:
        kept = np.unique([0, *randomly.integers(0, len(ids), _ROWS_PER_TEXT)])
        for name, value in zip(tensors, run(ids), strict=True):
            rows = value.reshape(-1, value.shape[-1])
            seen[name].append((rows[kept], rows.min(axis=0), rows.max(axis=0)))
    return {name: _summary(parts) for name, parts in seen.items()}


def calibration_texts(texts: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """At most `TEXTS_MAX` texts, spread evenly over all."""
    return list(texts[:: -(-len(texts) // TEXTS_MAX)])


def _session(model: Any, tensors: Sequence[str]) -> Any:
    import onnx  # noqa: PLC0415 - only an export needs it
    import onnxruntime  # noqa: PLC0415

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in tensors
    )
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(ids: Sequence[int]) -> list[Floats]:
        array = np.array([ids], dtype=np.int64)
        feed = {"input_ids": array, "attention_mask": np.ones_like(array), "token_type_ids": np.zeros_like(array)}
        result: list[Floats] = session.run(list(tensors), feed)
        return result

    return run


def _summary(parts: Sequence[tuple[Floats, Floats, Floats]]) -> Observed:
    rows, lows, highs = zip(*parts, strict=True)
    return Observed(np.concatenate(rows), np.min(lows, axis=0), np.max(highs, axis=0))
