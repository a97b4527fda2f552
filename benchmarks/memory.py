"""What workers with a real model take of memory.

Resident (RSS); with each shared page divided by the processes that share it (PSS); what no other has (USS).
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Bench
from benchmarks.events import event_values
from dev.processes import WorkerProcess
from worker.adapters.bundle import Bundle
from worker.cores import cores

_FLEET = 4
_IDLE_S, _BACKLOG_S, _EVERY_S = 10, 20, 0.5
_EVENTS = 20_000
"""More than workers hold at a time, however fast they are."""
_STATES, _KINDS = ("ready", "idle", "backlog"), ("rss", "pss", "uss")


def measure(bench: Bench, bundle: Bundle, data: Sequence[Path]) -> list[dict[str, Any]]:
    """MiB for each graph that may serve on a CPU, of one worker by its passes at a time, and of several."""
    values = event_values(data, _EVENTS)
    return [
        {"variant": variant, "workers": workers, "callers": callers}
        | _taken(bench, values, workers, {"WORKER_VARIANT": variant, "WORKER_CALLERS": callers})
        for variant in bundle.servable("cpu")
        for workers, callers in dict.fromkeys([(1, 1), (1, cores()), (_FLEET, 1)])
    ]


def _taken(bench: Bench, values: Sequence[bytes], workers: int, settings: dict[str, Any]) -> dict[str, Any]:
    """When all are ready, after some seconds without events, and the most under a backlog."""
    topics = bench.topics()
    with bench.fleet(topics, workers, **settings) as fleet:
        ready = _memory_mib(fleet)
        time.sleep(_IDLE_S)
        idle = _memory_mib(fleet)
        bench.send(topics[0], values)
        samples = []
        for _ in range(int(_BACKLOG_S / _EVERY_S)):
            time.sleep(_EVERY_S)
            samples.append(_memory_mib(fleet))
    return dict(zip(_STATES, (ready, idle, max(samples, key=lambda it: it["uss"])), strict=True))


def _memory_mib(fleet: Sequence[WorkerProcess]) -> dict[str, float]:
    found = [psutil.Process(one.process_id).memory_full_info() for one in fleet]
    return {name: sum(getattr(one, name) for one in found) / 2**20 for name in _KINDS}


def show(found: Sequence[dict[str, Any]], console: Console) -> None:
    """As a table."""
    table = Table(title="MiB of all workers together: RSS, PSS, USS")
    for heading in ("variant", "workers", "passes at a time", *_STATES):
        table.add_column(heading, justify="right")
    for row in found:
        taken = (", ".join(f"{row[state][kind]:,.0f}" for kind in _KINDS) for state in _STATES)
        table.add_row(row["variant"], str(row["workers"]), str(row["callers"]), *taken)
    console.print(table)
