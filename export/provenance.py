"""Where a bundle comes from: what a reader needs to judge it, and to make it again."""

import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import onnxruntime
from pydantic import JsonValue

from export.checkpoint import Checkpoint
from worker.cores import cpu_name

_PACKAGES = ("torch", "transformers", "tokenizers", "onnx")


def provenance(checkpoint: Checkpoint) -> dict[str, JsonValue]:
    """Base model, training record, accuracy figures, versions and processor."""
    return {
        "base_model": checkpoint.training.get("base_model"),
        "weights_sha256": checkpoint.weights_sha256,
        "training": checkpoint.training,
        "metrics": checkpoint.metrics,
        "versions": _versions(),
        "cpu": cpu_name(),
    }


def _versions() -> dict[str, JsonValue]:
    # ONNX Runtime is asked itself: it is installed under one name for the CPU and another for GPUs.
    return {
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        **{name: version(name) for name in _PACKAGES},
    }


def default_version(checkpoint: Checkpoint, now: datetime | None = None) -> str:
    """The UTC date and six digits of the weights' hash: sorts by time and tells two models of a day apart."""
    return f"{now or datetime.now(UTC):%Y%m%d}.{checkpoint.weights_sha256[:6]}"


def default_name(folder: Path) -> str:
    """The folder's name in lower case, with dashes for what would not fit into a label or a file name."""
    return re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-.") or "model"


def accuracy_figures(metrics: Mapping[str, JsonValue], prefix: str = "") -> dict[str, float]:
    """The numbers of `metrics.json`, nested names joined with dots; lists and texts stay in the provenance."""
    figures: dict[str, float] = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            figures |= accuracy_figures(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            figures[prefix + key] = float(value)
    return figures
