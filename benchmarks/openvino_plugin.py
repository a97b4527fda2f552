"""Whether ONNX Runtime's plugin for OpenVINO serves a bundle faster than its own kernels do, and as right.

The plugin is no dependency. To have it for this alone:

    .venv/bin/uv pip install --no-deps --target .cache/openvino onnxruntime-ep-openvino==1.8.1
    PYTHONPATH=.cache/openvino python -m benchmarks.openvino_plugin

Layouts take turns, as in `python -m worker tune`; the baseline is the worker's rule. On AMD's processors the
plugin offers no device.
"""

import argparse
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.events import event_values
from contract.fields import TEXT_FIELDS, Fields, first_text
from contract.inputs import pad_rows
from export.scoring import logits_of
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.core.batching import Layout, plan_batches
from worker.cores import cores, cpu_name
from worker.model import load_encoder
from worker.ports import Classifier
from worker.tuning import Candidate, measure

_TEXTS = 256
_PLUGIN = "OpenVINO"


class _Plugin:
    """A session that the plugin runs; as many of its streams as there are callers."""

    provider = _PLUGIN

    def __init__(self, file: Path, layout: Layout, precision: str) -> None:
        devices = [it for it in onnxruntime.get_ep_devices() if it.ep_name.startswith(_PLUGIN)]
        if not devices:
            raise SystemExit(f"the plugin offers no device on {cpu_name()}")
        wanted = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": str(layout.callers),
            "INFERENCE_NUM_THREADS": str(layout.callers * layout.threads),
        }
        options = onnxruntime.SessionOptions()
        options.add_provider_for_devices(devices[:1], {"load_config": json.dumps({"CPU": wanted})})
        self._session = onnxruntime.InferenceSession(str(file), options)

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        names = {item.name for item in self._session.get_inputs()}
        feed = {name: array for name, array in pad_rows(rows).items() if name in names}
        return np.asarray(self._session.run(["logits"], feed)[0], dtype=np.float32)


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.openvino_plugin", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("runs/demo/bundle"))
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; default: rated sentences")
    parser.add_argument("--seconds", type=float, default=90.0)
    options = parser.parse_args()
    plugin = importlib.import_module("onnxruntime_ep_openvino")  # no dependency: see above

    onnxruntime.register_execution_provider_library(_PLUGIN, plugin.get_library_path())
    bundle = read_bundle(options.bundle)
    texts = [Fields(first_text(json.loads(it), TEXT_FIELDS) or "") for it in event_values(options.data, _TEXTS)]
    rows = [one.ids for one in load_encoder(bundle).encode(texts)]
    classifiers = _classifiers(bundle, max(512, bundle.manifest.encoding.tokens_max))
    speeds = measure(list(classifiers), classifiers.__getitem__, rows, options.seconds)
    reference = _labels(classifiers[_candidate("fp32", cores(), 1, 512)], rows)
    _show(
        {it: speed.median for it, speed in speeds.items()},
        {it: float((_labels(classifiers[it], rows) == reference).mean()) for it in speeds},
    )


def _candidate(name: str, callers: int, threads: int, tokens: int) -> Candidate:
    return Candidate(name, Layout(callers, threads, 64, tokens))


def _classifiers(bundle: Bundle, tokens: int) -> dict[Candidate, Classifier]:
    found: dict[Candidate, Classifier] = {}
    for variant in bundle.servable("cpu"):
        file = bundle.folder / bundle.variant(variant).file
        for callers, threads in ((cores(), 1), (1, cores())):
            found[_candidate(variant, callers, threads, tokens)] = OnnxClassifier(
                file, device="cpu", threads=threads
            )
            for precision in ("f32", "bf16") if variant == "fp32" else ("f32",):
                candidate = _candidate(f"{variant} {_PLUGIN} {precision}", callers, threads, tokens)
                found[candidate] = _Plugin(file, candidate.layout, precision)
    return found


def _labels(classifier: Classifier, rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    plan = plan_batches([len(row) for row in rows], rows_max=64, tokens_max=512)
    return np.asarray(logits_of(classifier, rows, plan).argmax(axis=1))


def _show(speeds: dict[Candidate, float], kept: dict[Candidate, float]) -> None:
    served: dict[str, Any] = {it.variant: speed for it, speed in speeds.items() if it.layout.threads == 1}
    table = Table(title=f"{cpu_name()}, {cores()} cores · {_TEXTS} texts")
    for title in ("graph", "callers x threads", "reviews/s", "of int8 as served", "labels of fp32"):
        table.add_column(title, justify="left" if title == "graph" else "right")
    for candidate, speed in speeds.items():
        layout = candidate.layout
        table.add_row(
            candidate.variant, f"{layout.callers} x {layout.threads}", f"{speed:.1f}",
            f"{speed / served.get('int8', served['fp32']):.2f}", f"{kept[candidate]:.1%}",
        )  # fmt: skip
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
