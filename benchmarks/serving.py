"""What a worker does end to end on a real Kafka: with a backlog, at a share of its load, idle, and at its start.

The baseline is the loop that comes first to mind: kafka-python, `transformers.pipeline` and a producer. The limit
is the same graph alone, in the layout of the worker, on the same texts. All in one run, on one machine.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Bench
from benchmarks.events import event_values
from contract.fields import TEXT_FIELDS, Fields, first_text
from dev.account import Auditor
from dev.kafka import AnyCluster, cluster_or_existing
from worker.adapters.bundle import read_bundle
from worker.cores import cores, cpu_name
from worker.model import load_encoder, load_model
from worker.settings import Settings
from worker.tuning import Candidate, loader, measure

_SHARES, _PACED_S, _IDLE = (0.1, 0.3, 0.5, 0.7, 0.9), 20, 20
_LOOP_ROWS = 32
_OUTPUT = Path("runs/benchmarks")


class Serving(Bench):
    """The questions, and the events to ask with."""

    def __init__(self, cluster: AnyCluster, bundle: Path, values: Sequence[bytes], folder: Path) -> None:
        super().__init__(cluster, bundle, folder)
        self._values = values

    def backlog(self) -> float:
        """Events a second of a worker that finds all of them waiting, from its first result to its last."""
        topics = self.topics()
        self.send(topics[0], self._values)
        with closing(Auditor(self.bootstrap_servers, *topics[1:])) as auditor, self.worker(topics):
            arrivals = _arrivals(auditor, len(self._values))
        first = arrivals.count(arrivals[0])  # came together, and took no one knows how long
        return (len(arrivals) - first) / (arrivals[-1] - arrivals[0])

    def latencies_s(self, per_second: float, count: int) -> list[float]:
        """Of each event at this pace, from its timestamp to a reader's arrival; the first tenth warms up."""
        topics = self.topics()
        values = [self._values[number % len(self._values)] for number in range(count)]
        found: list[float] = []
        with ExitStack() as stack:
            auditor = stack.enter_context(closing(Auditor(self.bootstrap_servers, *topics[1:])))
            stack.enter_context(self.worker(topics)).wait_ready()
            sending = threading.Thread(target=self.send, args=(topics[0], values, per_second))
            sending.start()
            while len(found) < count:
                outcomes, now_s = auditor.read(timeout_s=0.01), time.time()
                found += [now_s - outcome.timestamp_ms / 1000 for outcome in outcomes]
            sending.join()
        return found[count // 10 :]

    def start_s(self) -> tuple[float, float]:
        """From the start of a process to its readiness, and to its first result."""
        topics = self.topics()
        self.send(topics[0], self._values[:1])
        with closing(Auditor(self.bootstrap_servers, *topics[1:])) as auditor:
            started_s = time.monotonic()
            with self.worker(topics) as worker:
                worker.wait_ready()
                ready_s = time.monotonic() - started_s
                return ready_s, _arrivals(auditor, 1)[0] - started_s

    def loop(self, checkpoint: Path, count: int) -> float:
        """Events a second of the loop that comes first to mind, from its first batch to its last."""
        from transformers import pipeline  # noqa: PLC0415 - seconds of import

        topics, servers = self.topics(), self.bootstrap_servers
        self.send(topics[0], self._values[:count])
        classify = pipeline("text-classification", model=str(checkpoint), truncation=True, batch_size=_LOOP_ROWS)
        consumer = KafkaConsumer(
            topics[0], bootstrap_servers=servers, group_id=topics[0], auto_offset_reset="earliest",
            enable_auto_commit=False, max_poll_records=_LOOP_ROWS,
        )  # fmt: skip
        producer, done, started_s = KafkaProducer(bootstrap_servers=servers), 0, 0.0
        while done < count:
            records = [it for chunk in consumer.poll(1000).values() for it in chunk]
            started_s = started_s or (time.monotonic() if records else 0.0)
            events = [json.loads(record.value) for record in records]
            texts = [first_text(event, TEXT_FIELDS) or "" for event in events]
            for event, answer in zip(events, classify(texts), strict=True):
                producer.send(topics[1], json.dumps({**event, "sentiment": answer}).encode())
            producer.flush()
            consumer.commit()
            done += len(records)
        elapsed_s = time.monotonic() - started_s
        consumer.close()
        producer.close()
        return count / elapsed_s


def alone(bundle: Path, values: Sequence[bytes]) -> tuple[str, float]:
    """The graph that serves, and its reviews a second in the worker's layout, without anything else."""
    model = load_model(Settings(bundle=bundle))
    texts = [Fields(first_text(json.loads(value), TEXT_FIELDS) or "") for value in values]
    rows = [one.ids for one in load_encoder(model.bundle).encode(texts)]
    candidate = Candidate(model.variant, model.layout)
    load = loader(model.bundle, "cpu")
    return model.variant, measure([candidate], load, rows, 0)[candidate].median


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("runs/demo/bundle"))
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/demo/checkpoint"), help="for the baseline")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; default: rated sentences")
    parser.add_argument("--events", type=int, default=2000)
    options = parser.parse_args()
    read_bundle(options.bundle)
    values = event_values(options.data, options.events)
    with tempfile.TemporaryDirectory() as scratch, cluster_or_existing(Path(scratch) / "kafka") as cluster:
        found = _ask(Serving(cluster, options.bundle, values, Path(scratch)), options, values)
    _OUTPUT.mkdir(parents=True, exist_ok=True)
    (_OUTPUT / "serving.json").write_text(json.dumps(found, indent=2) + "\n")
    _show(found)


def _ask(bench: Serving, options: argparse.Namespace, values: Sequence[bytes]) -> dict[str, Any]:
    variant, limit = alone(options.bundle, values)
    starts = [bench.start_s() for _ in range(3)]
    backlog = statistics.median(bench.backlog() for _ in range(3))
    found: dict[str, Any] = {
        "cpu": cpu_name(), "cores": cores(), "variant": variant, "events": len(values),
        "graph_alone_per_s": limit, "worker_per_s": backlog,
        "loop_per_s": bench.loop(options.checkpoint, max(_LOOP_ROWS, len(values) // 8)),
        "start_to_ready_s": statistics.median(ready for ready, _ in starts),
        "start_to_first_result_s": statistics.median(first for _, first in starts),
        "idle_ms": _quantiles(bench.latencies_s(2, _IDLE)),
    }  # fmt: skip
    for share in _SHARES:
        pace = share * backlog
        found[f"load_{share:.0%}_ms"] = _quantiles(bench.latencies_s(pace, max(100, int(pace * _PACED_S))))
    return found


def _arrivals(auditor: Auditor, count: int) -> list[float]:
    """When so many outcomes came, in seconds of the monotonic clock."""
    found: list[float] = []
    while len(found) < count:
        found += [time.monotonic()] * len(auditor.read(timeout_s=0.05))
    return found


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {name: round(1000 * cuts[place - 1], 1) for name, place in (("p50", 50), ("p95", 95), ("p99", 99))}


def _show(found: dict[str, Any]) -> None:
    console, limit = Console(width=110), found["graph_alone_per_s"]
    table = Table(title=f"Events/s · {found['variant']} · {found['cpu']}, {found['cores']} cores")
    for title in ("", "events/s", "of the limit"):
        table.add_column(title, justify="right" if title else "left")
    for name, label in (
        ("graph_alone", "limit: the graph alone"),
        ("worker", "worker"),
        ("loop", "baseline: a loop"),
    ):
        speed = found[f"{name}_per_s"]
        table.add_row(label, f"{speed:.1f}", f"{speed / limit:.2f}")
    console.print(table)
    table = Table(title="From an event's timestamp to a reader, ms")
    for title in ("load", "p50", "p95", "p99"):
        table.add_column(title, justify="right")
    for name, cuts in found.items():
        if name.endswith("_ms"):
            table.add_row(name.removeprefix("load_").removesuffix("_ms"), *(f"{it:.0f}" for it in cuts.values()))
    console.print(table)
    console.print(f"start to ready {found['start_to_ready_s']:.1f} s, to the first result "
                  f"{found['start_to_first_result_s']:.1f} s")  # fmt: skip


if __name__ == "__main__":
    main()
