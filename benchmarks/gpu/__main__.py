"""`python -m benchmarks.gpu`: all that a machine with a GPU, no registry and no Kafka can tell of a bundle.

Parity of each CUDA variant with the fp32 graph on the CPU; forward passes by length and batch beside PyTorch in
half precision and beside the card's own matrix product, which is the limit; lengths as reviews have them, padded
and packed; and the worker's host path on the real device. Without a GPU every part is skipped, by its name.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gpu.parts import PARTS, Bench
from contract.variants import VARIANTS
from export.pipeline import BundleOptions, export_bundle
from export.progress import Progress
from worker.cores import cpu_name

_CHECKPOINT = Path("runs/demo/checkpoint")
_OUTPUT = Path("runs/benchmarks/gpu.json")


def main() -> int:
    """Measure what can be measured; 1 if a part failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, default=_CHECKPOINT, help="what `training fit` wrote; default: %(default)s"
    )
    parser.add_argument("--bundle", type=Path, help="exported from it here before; default: export one now")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; without, made-up texts")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--json", type=Path, default=_OUTPUT, help="default: %(default)s")
    options = parser.parse_args()
    console = Console(width=120)
    result: dict[str, Any] = {"cpu": cpu_name(), "python": platform.python_version(), "parts": {}, "failed": {}}
    if reason := _lacking():
        for name in options.parts:
            console.print(f"skipped {name}: {reason}", highlight=False)
        result["skipped"] = dict.fromkeys(options.parts, reason)
    else:
        bundle = options.bundle or _exported(options.checkpoint, options.json.with_suffix(".bundle"))
        bench = Bench(bundle, options.checkpoint, options.data)
        result |= bench.machine()
        for name in options.parts:
            _run(name, PARTS[name], bench, result, console)
            _write(options.json, result)
    _write(options.json, result)
    return 1 if result["failed"] else 0


def _exported(checkpoint: Path, folder: Path) -> Path:
    """A bundle with the variants for CUDA, held to their gates on this very GPU."""
    progress = Progress(Console(stderr=True))
    names = tuple(name for name, kind in VARIANTS.items() if kind.device == "cuda")
    options = BundleOptions(checkpoint, folder, variants=names, overwrite=True)
    progress.table(export_bundle(options, progress), str(folder))
    return folder


def _lacking() -> str | None:
    """Why nothing can be measured here; None where it can."""
    import onnxruntime  # noqa: PLC0415 - --help need not wait
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        return "PyTorch finds no GPU"
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "ONNX Runtime is the CPU's: install the extra `gpu`"
    return None


def _run(
    name: str,
    part: Callable[[Bench], list[dict[str, Any]]],
    bench: Bench,
    result: dict[str, Any],
    console: Console,
) -> None:
    try:
        rows = part(bench)
    except Exception as error:  # noqa: BLE001 - the other parts still count, and this one is named
        result["failed"][name] = repr(error)
        console.print(f"failed {name}: {error!r}", style="red", markup=False)
        return
    result["parts"][name] = rows
    table = Table(title=name)
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{value:,.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    console.print(table)


def _write(file: Path, result: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
