"""How fast a device one process can keep busy: the worker's stages before a device that only takes its time.

The device sleeps, so the interpreter is free as with a GPU. The limit is the device's own speed, or that of the
host with a device that takes no time at all; all but Kafka is the worker's.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.events import event_values
from benchmarks.gpu.host import Layout, through_the_worker
from contract.encoding import Encoding
from contract.fields import TEXT_FIELDS, first_text
from dev.samples import encoder_folder
from worker.adapters.encoder import TokenizersEncoder
from worker.cores import cores, cpu_name

_SPEEDS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
_LAYOUT = Layout(window_records=512, batch_rows=1_024, batch_tokens=16_384)
_TEXTS = 4_096


class SimulatedDevice:
    """Answers so many rows a second, one call after another; at 0 at once."""

    provider = "simulated"

    def __init__(self, rows_per_s: float) -> None:
        self._rows_per_s, self._lock, self._free_s = rows_per_s, threading.Lock(), 0.0

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See `worker.ports.Classifier`."""
        if self._rows_per_s:
            with self._lock:  # however many call, it is one device
                done_s = max(time.monotonic(), self._free_s) + len(rows) / self._rows_per_s
                self._free_s = done_s
            time.sleep(max(0.0, done_s - time.monotonic()))
        return np.tile(np.array([0.1, 0.2, 0.3], dtype=np.float32), (len(rows), 1))


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_device", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; default: rated sentences")
    options = parser.parse_args()
    sys.setswitchinterval(0.001)  # as a worker does
    encoder = TokenizersEncoder(encoder_folder("bge-small-en-v1.5") / "tokenizer.json", Encoding(tokens_max=512))
    texts = [first_text(json.loads(it), TEXT_FIELDS) or "" for it in event_values(options.data, _TEXTS)]
    table = Table(title=f"One process before a simulated device · {cpu_name()}, {cores()} cores")
    for title in ("device, reviews/s", "events/s", "of the device", "device busy", "CPU µs an event"):
        table.add_column(title, justify="right")
    for speed in (*_SPEEDS, 0):
        found = through_the_worker(encoder, SimulatedDevice(speed), texts, 512, _LAYOUT)
        reached = found["events_per_s"]
        table.add_row(
            f"{speed:,}" if speed else "no time at all",
            f"{reached:,.0f}",
            f"{reached / speed:.2f}" if speed else "",
            f"{found['busy_share']:.0%}",
            f"{found['cpu_us_per_event']:.0f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
