"""Whether other processors give a bundle's golden texts the answers of the one that exported it.

QEMU's user-mode emulation (`qemu-x86_64`, package qemu-user) shows the runtime an older processor, and so has it
take the kernels that it has for that one. What they answer is real, and how long they take is not.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from contract.errors import UsageError
from contract.scoring import probabilities
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier

EMULATOR = "qemu-x86_64"
PROCESSORS = {"Nehalem": "SSE4.2", "Haswell-noTSX": "AVX2"}
"""As QEMU calls them, with the widest vectors that they have."""
_BATCH = 8


def answers(bundle: Path, processor: str) -> dict[str, list[list[float]]]:
    """The probabilities that each variant for CPUs gives the golden texts on another processor, by its name.

    Raises:
        UsageError: If the emulator is missing.
        subprocess.CalledProcessError: If the runtime fails there.
    """
    if shutil.which(EMULATOR) is None:
        raise UsageError(f"there is no {EMULATOR}: install the package qemu-user")
    command = [EMULATOR, "-cpu", processor, sys.executable, "-m", "benchmarks.processors", "--answer", str(bundle)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)  # noqa: S603 - ours
    found: dict[str, list[list[float]]] = json.loads(done.stdout)
    return found


def _answer(folder: Path) -> dict[str, Any]:
    """What `answers` gives, on the processor that this process sees."""
    bundle, found = read_bundle(folder), {}
    rows = [golden.ids for golden in bundle.goldens]
    for name in bundle.servable("cpu"):
        classifier = OnnxClassifier(folder / bundle.variant(name).file, device="cpu")
        parts = [classifier.logits(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
        found[name] = probabilities(np.concatenate(parts)).tolist()
    return found


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processors", description=__doc__)
    parser.add_argument("--bundle", type=Path, nargs="+", default=[Path("runs/demo/bundle")])
    parser.add_argument("--answer", type=Path, metavar="BUNDLE", help="print the answers given here, as JSON")
    options = parser.parse_args()
    if options.answer:
        print(json.dumps(_answer(options.answer)))  # noqa: T201 - the parent reads it
        return
    table = Table(title="Golden texts on other processors, beside the answers at export")
    for title in ("bundle", "variant", "processor"):
        table.add_column(title)
    for title in ("texts", "off by over", "the most", "labels kept"):
        table.add_column(title, justify="right")
    for folder in options.bundle:
        for row in _rows(read_bundle(folder)):
            table.add_row(*row)
    Console(width=110).print(table)


def _rows(bundle: Bundle) -> Iterator[tuple[str, ...]]:
    for processor, vectors in PROCESSORS.items():
        for name, given in answers(bundle.folder, processor).items():
            own = np.array([golden.own[name] for golden in bundle.goldens])
            deltas = np.abs(np.array(given) - own).max(axis=1)
            limit = bundle.variant(name).own_golden_delta_max or 0.0
            kept = float((np.argmax(given, axis=1) == own.argmax(axis=1)).mean())
            over = f"{int((deltas > limit).sum())} over {limit:g}"
            yield bundle.folder.name, name, vectors, str(len(own)), over, f"{deltas.max():.4f}", f"{kept:.1%}"


if __name__ == "__main__":
    main()
