"""What one to eight workers do together, each before a device of its own, and what a worker takes of memory.

The devices are simulated: they sleep, and are so slow that eight of them together ask for half of what one worker
reaches before a device that takes no time. That worker is measured first; it is the limit, what this host carries
with its Kafka. The baseline is one worker before such a device, and linear is as many times that. When a result
came is the broker's time, and all are read when all are there, so that no reader takes part in what is measured.
"""

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import memory
from benchmarks.bench import Bench, Topics, wait_until
from benchmarks.events import event_values
from benchmarks.simulated_worker import VARIABLE
from contract.fields import TEXT_FIELDS, Fields, first_text
from dev.account import Account, Auditor, committed_positions
from dev.kafka import cluster_or_existing
from dev.processes import WorkerProcess
from worker.adapters.bundle import Bundle, read_bundle
from worker.cores import cores, cpu_name
from worker.model import load_encoder

_WORKERS, _PARTITIONS = (1, 2, 4, 8), 8
_HOST_SHARE = 0.5
"""Of what the host can carry that all devices together ask for."""
_LIMIT_EVENTS, _VALUE_BYTES_MAX = 100_000, 120
_BURST_MS = 50
"""What comes so soon after the first result came with it: the rest of a worker's first window."""
_FINISH_S = 600
_DEVICE = {"WORKER_CALLERS": 1, "WORKER_BATCH_ROWS_MAX": 1_024, "WORKER_BATCH_TOKENS_MAX": 16_384}
"""As for a GPU: one pass at a time, of many rows."""
_OUTPUT = Path("runs/benchmarks")


@dataclass(frozen=True)
class Part:
    """What one worker of a fleet did."""

    events_per_s: float
    cpu_us_per_event: float


@dataclass(frozen=True)
class Run:
    """What a fleet did with a backlog."""

    workers: int
    events: int
    events_per_s: float
    lost: int
    duplicated: int
    cpu_us_per_event: float
    """Of workers, sender, and the broker where it is one of ours."""
    parts: tuple[Part, ...]


def device_speed(limit_per_s: float) -> float:
    """Rows a second of a device of which the largest fleet's together ask for a share of the limit."""
    return limit_per_s * _HOST_SHARE / max(_WORKERS)


def backlog_events(per_s: float, workers: int, seconds: float) -> int:
    """How many events keep so many devices busy for so long, the same number in each partition."""
    return round(per_s * workers * seconds / _PARTITIONS) * _PARTITIONS


def events_per_s(times_ms: Sequence[int]) -> float:
    """Events a second from the first, or what came with it, to the last."""
    first, last = min(times_ms), max(times_ms)
    return 1000 * sum(it > first + _BURST_MS for it in times_ms) / (last - first)


def of_linear(run: Run, alone: Run) -> float:
    """The speed of a fleet as a share of so many times one worker's."""
    return run.events_per_s / (run.workers * alone.events_per_s)


def cores_used(run: Run) -> float:
    """Of workers, sender and broker together, in the mean."""
    return run.events_per_s * run.cpu_us_per_event / 1e6


def serve(bench: Bench, workers: int, rows_per_s: float, values: Sequence[bytes]) -> Run:
    """Have so many workers, each before such a device, answer all of these."""
    topics = bench.topics({"message.timestamp.type": "LogAppendTime"})
    settings = {**_DEVICE, VARIABLE: rows_per_s}
    with bench.fleet(topics, workers, module="benchmarks.simulated_worker", **settings) as fleet:
        before_s = _cpu_s(fleet)
        bench.send(topics[0], values)
        wait_until(_committed(bench, topics, fleet, len(values)), "all to be committed", _FINISH_S)
        spent_s, *each_s = (after - before for after, before in zip(_cpu_s(fleet), before_s, strict=True))
        sessions = [str(one.logged("worker_serving")[-1]["session"]) for one in fleet]
    account = _read(bench, topics)
    times_ms = [_times_ms(account, session) for session in sessions]
    return Run(
        workers,
        len(values),
        events_per_s([time_ms for times in times_ms for time_ms in times]),
        len(account.lost((number % _PARTITIONS, number // _PARTITIONS) for number in range(len(values)))),
        len(account.duplicated()),
        1e6 * spent_s / len(values),
        tuple(Part(events_per_s(it), 1e6 * cpu_s / len(it)) for it, cpu_s in zip(times_ms, each_s, strict=True)),
    )


def _cpu_s(fleet: Sequence[WorkerProcess]) -> list[float]:
    """CPU time so far of all our processes together, and of each worker."""
    ours = psutil.Process()
    times = {it.pid: it.cpu_times() for it in (ours, *ours.children(recursive=True))}
    spent_s = {process_id: it.user + it.system for process_id, it in times.items()}
    return [sum(spent_s.values()), *(spent_s[one.process_id] for one in fleet)]


def _committed(bench: Bench, topics: Topics, fleet: Sequence[WorkerProcess], events: int) -> Callable[[], bool]:
    def holds() -> bool:
        if dead := [one.log_file.read_text() for one in fleet if one.exit_code is not None]:
            raise RuntimeError(f"a worker ended:\n{dead[0]}")
        return sum(committed_positions(bench.bootstrap_servers, topics[0], topics[0]).values()) == events

    return holds


def _read(bench: Bench, topics: Topics) -> Account:
    with closing(Auditor(bench.bootstrap_servers, *topics[1:])) as auditor:
        while auditor.read(timeout_s=5):
            pass
        return auditor.account


def _times_ms(account: Account, session: str) -> list[int]:
    """When the results of a worker came, whose sessions are numbered by the assignments of a partition."""
    outcomes = (outcome for each in account.outcomes.values() for outcome in each)
    return [outcome.timestamp_ms for outcome in outcomes if outcome.session.split(".")[0] == session]


def short_events(bundle: Bundle) -> tuple[list[bytes], float]:
    """The shortest of the rated sentences, and how many tokens they have in the mean."""
    values = [it for it in event_values((), 4_000) if len(it) <= _VALUE_BYTES_MAX]
    texts = [Fields(first_text(json.loads(value), TEXT_FIELDS) or "") for value in values]
    return values, mean(len(one.ids) for one in load_encoder(bundle).encode(texts))


def measure(
    bench: Bench, values: Sequence[bytes], rounds: int, seconds: float, console: Console
) -> dict[str, Any]:
    """The limit, the device's speed that follows from it, and each size of a fleet in turns."""

    def ask(workers: int, rows_per_s: float, events: int) -> Run:
        run = serve(bench, workers, rows_per_s, list(itertools.islice(itertools.cycle(values), events)))
        console.print(
            f"{workers} before {rows_per_s:,.0f} rows/s: {run.events_per_s:,.0f} events/s, {run.lost} lost"
        )
        return run

    limit = ask(1, 0, _LIMIT_EVENTS)
    speed = device_speed(limit.events_per_s)
    runs = [
        ask(workers, speed, backlog_events(speed, workers, seconds)) for _ in range(rounds) for workers in _WORKERS
    ]
    return {"limit": limit, "device_rows_per_s": speed, "runs": runs}


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("runs/demo/bundle"))
    parser.add_argument(
        "--data",
        type=Path,
        nargs="*",
        default=[],
        help="review files, for the memory alone; default: rated sentences",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each size of a fleet")
    parser.add_argument("--seconds", type=float, default=15, help="that a backlog lasts")
    options = parser.parse_args()
    bundle, console = read_bundle(options.bundle), Console(width=110)
    values, tokens = short_events(bundle)
    with tempfile.TemporaryDirectory() as scratch, cluster_or_existing(Path(scratch) / "kafka") as cluster:
        bench = Bench(cluster, options.bundle, Path(scratch), _PARTITIONS)
        found: dict[str, Any] = {
            "cpu": cpu_name(),
            "cores": cores(),
            "partitions": _PARTITIONS,
            "tokens_mean": tokens,
        }
        found |= measure(bench, values, options.rounds, options.seconds, console)
        found["memory"] = memory.measure(bench, bundle, options.data)
    _OUTPUT.mkdir(parents=True, exist_ok=True)
    (_OUTPUT / "scaling.json").write_text(json.dumps(found, indent=2, default=asdict) + "\n")
    _show(found, console)
    memory.show(found["memory"], console)
    runs = [found["limit"], *found["runs"]]
    lost, twice = sum(run.lost for run in runs), sum(run.duplicated for run in runs)
    console.print(f"of {sum(run.events for run in runs):,} events {lost} lost, {twice} answered twice")
    sys.exit(bool(lost))


def _show(found: dict[str, Any], console: Console) -> None:
    limit: Run = found["limit"]
    console.print(
        f"limit: one worker before a device that takes no time, {limit.events_per_s:,.0f} events/s of "
        f"{found['tokens_mean']:.0f} tokens, {limit.parts[0].cpu_us_per_event:.0f} CPU µs each, "
        f"{cores_used(limit):.2f} cores"
    )
    title = f"Each worker before a device of {found['device_rows_per_s']:,.0f} rows/s"
    table = Table(title=f"{title} · {found['cpu']}, {found['cores']} cores")
    for heading in ("workers", "events/s", "of linear", "of devices", "each worker's", "CPU µs", "cores used"):
        table.add_column(heading, justify="right")
    runs = {workers: [run for run in found["runs"] if run.workers == workers] for workers in _WORKERS}
    for each in runs.values():
        table.add_row(*row(each, runs[1], found["device_rows_per_s"]))
    console.print(table)


def row(runs: Sequence[Run], alone: Sequence[Run], device_per_s: float) -> list[str]:
    """Medians of the rounds, with least and most, beside one worker in the same rounds; CPU µs are a worker's."""
    parts = [part for run in runs for part in run.parts]
    workers, speed = runs[0].workers, median(run.events_per_s for run in runs)
    return [
        str(workers),
        _spread([run.events_per_s for run in runs]),
        f"{median(map(of_linear, runs, alone)):.2f}",
        f"{speed / workers / device_per_s:.2f}",
        _spread([part.events_per_s for part in parts]),
        f"{median(part.cpu_us_per_event for part in parts):.0f}",
        f"{median(map(cores_used, runs)):.2f}",
    ]


def _spread(figures: Sequence[float]) -> str:
    return f"{median(figures):,.0f} ({min(figures):,.0f} to {max(figures):,.0f})"


if __name__ == "__main__":
    main()
