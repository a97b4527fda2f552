"""Whether other processors give a bundle's golden texts the answers of the one that exported it.

QEMU's user-mode emulation (`qemu-x86_64`, package qemu-user) shows the runtime an older processor, and so has it
take the kernels that it has for that one. What they answer is real, and how long they take is not.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from contract.errors import UsageError
from export.gates.parity import golden_answers
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier

EMULATOR = "qemu-x86_64"
PROCESSORS = {"Nehalem": "SSE4.2", "Haswell-noTSX": "AVX2"}
"""As QEMU calls them, with the widest vectors that they have."""


def answers(bundle: Path, variant: str, processor: str) -> list[list[float]]:
    """The probabilities that a variant gives the golden texts on another processor.

    Args:
        bundle: Its folder.
        variant: One for CPUs.
        processor: As QEMU calls it.

    Raises:
        UsageError: If the emulator is missing.
        subprocess.CalledProcessError: If the runtime fails there.
    """
    if shutil.which(EMULATOR) is None:
        raise UsageError(f"there is no {EMULATOR}: install the package qemu-user")
    command = [EMULATOR, "-cpu", processor, sys.executable, "-m", "benchmarks.processors", "--answer"]
    command += [str(bundle), "--variants", variant]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)  # noqa: S603 - ours
    found: list[list[float]] = json.loads(done.stdout)
    return found


def _answer(folder: Path, variant: str) -> Any:
    """What `answers` gives, on the processor that this process sees."""
    bundle = read_bundle(folder)
    classifier = OnnxClassifier(folder / bundle.variant(variant).file, device="cpu")
    return golden_answers(classifier, bundle.goldens).tolist()


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processors", description=__doc__)
    parser.add_argument("--bundle", type=Path, nargs="+", default=[Path("runs/demo/bundle")])
    parser.add_argument("--variants", nargs="+", help="default: those that may serve on a CPU")
    parser.add_argument("--processors", nargs="+", default=list(PROCESSORS), choices=PROCESSORS)
    parser.add_argument("--answer", type=Path, metavar="BUNDLE", help="print a variant's answers here, as JSON")
    options = parser.parse_args()
    if options.answer:
        print(json.dumps(_answer(options.answer, *options.variants)))  # noqa: T201 - the parent reads it
        return
    table = Table(title="Golden texts on other processors, beside the answers at export")
    for title in ("bundle", "variant", "processor"):
        table.add_column(title)
    for title in ("texts", "off by over", "the most", "labels kept"):
        table.add_column(title, justify="right")
    for folder in options.bundle:
        for row in _rows(read_bundle(folder), options.variants, options.processors):
            table.add_row(*row)
    Console(width=110).print(table)


def _rows(bundle: Bundle, variants: Sequence[str] | None, processors: Sequence[str]) -> Iterator[tuple[str, ...]]:
    told = Console(stderr=True)
    for name, processor in product(variants or bundle.servable("cpu"), processors):
        told.print(f"{bundle.folder}: {name} on {processor}; minutes, with a graph of 100 MB")
        given = answers(bundle.folder, name, processor)
        own = np.array([golden.own[name] for golden in bundle.goldens])
        deltas = np.abs(np.array(given) - own).max(axis=1)
        limit = bundle.variant(name).own_golden_delta_max or 0.0
        kept = float((np.argmax(given, axis=1) == own.argmax(axis=1)).mean())
        over = f"{int((deltas > limit).sum())} over {limit:g}"
        told.print(f"  off by {over}, {deltas.max():.4f} the most; {kept:.1%} of the labels kept")
        row = (PROCESSORS[processor], str(len(own)), over, f"{deltas.max():.4f}", f"{kept:.1%}")
        yield bundle.folder.name, name, *row


if __name__ == "__main__":
    main()
