"""From PyTorch to a fused fp32 ONNX graph."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract.inputs import PADDED_INPUTS
from export.checkpoint import Config
from export.errors import CheckpointRefusedError

OPSET = 17
# The TorchScript exporter is deprecated and says so; it stays because ONNX Runtime fuses no attention in the
# graphs of its successor. The rest is tracing remarks on code that does not depend on the traced values.
_EXPECTED_WARNINGS = (
    (DeprecationWarning, "You are using the legacy TorchScript-based ONNX export"),
    (DeprecationWarning, "The feature will be removed"),
    (UserWarning, "Exporting aten::index operator of advanced indexing in opset"),
    (Warning, "Converting a tensor to a Python boolean might cause the trace to be incorrect"),
)


def export_fp32(model: Any, config: Config, file: Path) -> dict[str, int]:
    """Write the fused fp32 graph, with free batch and sequence axes.

    Args:
        model: A `BertForSequenceClassification` with eager attention.
        config: Of the same checkpoint.
        file: Where to write it.

    Returns:
        How often each operator stands in the graph.

    Raises:
        CheckpointRefusedError: If the attention or the embedding was not fused.
    """
    graph = fused_graph(model, config, file.with_suffix(".raw.onnx"))
    save_graph(graph, file)
    return count_operators(graph)


def fused_graph(model: Any, config: Config, raw_file: Path, *, for_cuda: bool = False) -> Any:
    """The fused fp32 graph, as ONNX Runtime's optimiser holds it.

    Args:
        model: A `BertForSequenceClassification` with eager attention.
        config: Of the same checkpoint.
        raw_file: Where the traced graph may be for a while.
        for_cuda: Whether attention shall read how long each row is, as kernels of GPUs do, and not a mask of each
            token, and a sum and its normalisation be one operator, whose kernel for CPUs is slow.

    Raises:
        CheckpointRefusedError: If the attention or the embedding was not fused.
    """
    try:
        _trace(model, raw_file)
        graph = _fuse(raw_file, config, for_cuda=for_cuda)
    finally:
        raw_file.unlink(missing_ok=True)
    check_fusion(count_operators(graph), config.num_hidden_layers)
    return graph


def save_graph(graph: Any, file: Path) -> None:
    """Write it, with the operator sets that it uses."""
    _keep_used_opsets(graph.model)
    graph.save_model_to_file(str(file))


def count_operators(graph: Any) -> dict[str, int]:
    """How often each operator stands in the graph."""
    return dict(Counter(node.op_type for node in graph.model.graph.node))


def check_fusion(operators: dict[str, int], layers: int) -> None:
    """Refuse a graph whose attention or embedding is not fused.

    Nothing else would tell: an unfused graph gives the same answers, at a fraction of the speed.

    Raises:
        CheckpointRefusedError: If it is not.
    """
    attention, embedding = operators.get("Attention", 0), operators.get("EmbedLayerNormalization", 0)
    if attention != layers or embedding != 1:
        raise CheckpointRefusedError(
            f"ONNX Runtime's optimiser fused {attention} of {layers} attention layers and {embedding} of 1 "
            "embedding, so the graph would be correct but slow. It recognises a BERT traced with eager attention "
            "by the TorchScript exporter: check the versions of torch, transformers and onnxruntime against "
            "requirements/."
        )


def read_opset(file: Path) -> int:
    """The version of the default operator set that a graph needs."""
    import onnx  # noqa: PLC0415 - only an export needs it

    model = onnx.load(file, load_external_data=False)
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return int(versions[0])


def _trace(model: Any, file: Path) -> None:
    import torch  # noqa: PLC0415 - seconds of import, which wrong usage need not wait for

    model.config.return_dict = False
    # Two rows of eight: sizes of one could be taken for constants.
    ids = torch.ones(2, 8, dtype=torch.int64)
    axes = {0: "batch", 1: "sequence"}
    with _without_expected_warnings():
        torch.onnx.export(
            model,
            (ids, torch.ones_like(ids), torch.zeros_like(ids)),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(PADDED_INPUTS),
            output_names=["logits"],
            dynamic_axes={**dict.fromkeys(PADDED_INPUTS, axes), "logits": {0: "batch"}},
        )


def _fuse(file: Path, config: Config, *, for_cuda: bool) -> Any:
    from onnxruntime.transformers.fusion_options import FusionOptions  # noqa: PLC0415 - imports torch
    from onnxruntime.transformers.optimizer import optimize_model  # noqa: PLC0415

    options = FusionOptions("bert")
    options.use_raw_attention_mask(not for_cuda)
    options.enable_skip_layer_norm = for_cuda
    with without_logs():
        return optimize_model(
            str(file),
            model_type="bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            optimization_options=options,
        )


def _keep_used_opsets(model: Any) -> None:
    """Drop the imports of operator sets that the optimiser adds and nothing uses: other readers trip on them."""
    used = {node.domain for node in model.graph.node}
    for index in reversed(range(len(model.opset_import))):
        if model.opset_import[index].domain not in used:
            del model.opset_import[index]


@contextmanager
def _without_expected_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for category, message in _EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message, category=category)
        yield


@contextmanager
def without_logs() -> Iterator[None]:
    """Keep quiet what logs to the root logger at every step; what matters is counted afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
