"""What exactly once costs beside at least once, by the size of a transaction.

Scored windows are delivered as fast as it goes, on a real broker, by the worker's own delivery; the model is left
out, since its time would hide what is measured. The baseline is at-least-once delivery of the same windows in the
same run; the limit is one transaction for everything. Rounds are interleaved, and the median counts.
"""

import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from kafka import KafkaConsumer
from rich.console import Console
from rich.table import Table

from contract.events import ModelIdentity
from dev.kafka import cluster_or_existing
from worker.adapters.kafka_client import examine_cluster
from worker.adapters.kafka_positions import LogPositions
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.kafka_transactions import KafkaTransactionalSink
from worker.adapters.metrics import Metrics
from worker.core.backpressure import Marks
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import WindowPolicy
from worker.delivery import Answered, AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.in_flight import InFlight
from worker.outcomes import Kind, OutcomeBuilder, Outgoing
from worker.settings import Settings

mpl.use("Agg")
import matplotlib.pyplot as plt

_PARTITIONS, _WINDOW, _RECORDS, _ROUNDS = 4, 64, 8192, 3
_SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
_VALUE = json.dumps({"reviewText": "quite good " * 50}).encode()
_OUTPUT = Path("runs/benchmarks")


@dataclass
class _Bench:
    settings: Settings
    limits: dict[str, int]
    membership: Callable[[], object]
    input_topic: str

    def run(self, records_max: int | None) -> tuple[float, float]:
        """Records a second, and CPU microseconds a record; None for at least once."""
        in_flight = InFlight(
            WindowPolicy(_WINDOW, 1e9, 0, 10**6), Marks(10**9, 10**12), transactional=records_max is not None
        )
        partitions = [Partition(self.input_topic, number) for number in range(_PARTITIONS)]
        in_flight.assign(partitions)
        identity = ModelIdentity(name="none", version="1", sha256="0" * 64, variant="none", provider="none")
        outcomes = OutcomeBuilder("c", "s", identity, ("a", "b", "c"), 0, self.settings.output_topic, "d")
        sink: Any
        delivery: Delivery
        if records_max is None:
            sink = KafkaSink(self.settings, self.limits)
            delivery = AtLeastOnce(in_flight, sink, outcomes, Metrics())
        else:
            sink = KafkaTransactionalSink(self.settings, self.limits, LogPositions(lambda _: None).address)
            policy = TransactionPolicy(1e9, records_max, retry_s_max=30, overdue_s=60)
            delivery = ExactlyOnce(policy, in_flight, sink, outcomes, Metrics(), self.membership)
        windows = self._windows(in_flight, partitions)
        started_s, cpu_s = time.perf_counter(), time.process_time()
        for window in windows:
            delivery.deliver(self._answered(window))
        delivery.catch_up()
        elapsed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
        sink.close()
        return _RECORDS / elapsed_s, cpu_s / _RECORDS * 1e6

    def _windows(self, in_flight: InFlight, partitions: list[Partition]) -> list[Window]:
        share = _WINDOW // _PARTITIONS
        windows = []
        for first in range(0, _RECORDS // _PARTITIONS, share):
            in_flight.receive(
                Chunk(p, tuple(Record(p, first + n, 0, b"key", _VALUE) for n in range(share)), first + share)
                for p in partitions
            )
            window = in_flight.take()
            assert window is not None  # noqa: S101
            in_flight.scored(window.records, 0.001)
            windows.append(window)
        return windows

    def _answered(self, window: Window) -> Answered:
        topic = self.settings.output_topic
        outgoing = (
            Outgoing(Kind.FORWARDED, r, Partition(topic, r.partition.number), r.value, []) for r in window.records
        )
        return Answered(window, tuple(outgoing))


def main() -> None:
    """Run it; the figures go to runs/benchmarks/."""
    console = Console()
    _OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, cluster_or_existing(Path(folder)) as cluster:
        name = f"b{uuid.uuid4().hex[:8]}"
        topics = [f"{name}.in", f"{name}.out", f"{name}.dlq"]
        cluster.create_topics(dict.fromkeys(topics, _PARTITIONS))
        settings = Settings.model_validate(
            {"bundle": "none", "kafka_bootstrap_servers": cluster.bootstrap_servers, "group_id": name,
             "input_topic": topics[0], "output_topic": topics[1], "dead_letter_topic": topics[2]}
        )  # fmt: skip
        consumer = KafkaConsumer(
            topics[0],
            bootstrap_servers=cluster.bootstrap_servers.split(","),
            group_id=name,
            enable_auto_commit=False,
        )
        while not consumer.assignment():
            consumer.poll(100)
        limits = dict(examine_cluster(settings).message_bytes_max)
        bench = _Bench(settings, limits, consumer.group_metadata, topics[0])
        found: dict[int | None, list[tuple[float, float]]] = {size: [] for size in (None, *_SIZES)}
        for round_number in range(_ROUNDS + 1):  # the first warms everything up
            for size, results in found.items():
                result = bench.run(size)
                if round_number:
                    results.append(result)
                console.print(f"round {round_number}: {size or 'at least once'}: {result[0]:,.0f} records/s")
        consumer.close()
    _report(found, console)


def _report(found: dict[int | None, list[tuple[float, float]]], console: Console) -> None:
    medians = {
        size: (statistics.median(r for r, _ in results), statistics.median(c for _, c in results))
        for size, results in found.items()
    }
    baseline = medians[None][0]
    table = Table("records a transaction", "records/s", "of at least once", "CPU µs a record")
    for size, (rate, cpu_us) in medians.items():
        table.add_row(str(size or "at least once"), f"{rate:,.0f}", f"{rate / baseline:.0%}", f"{cpu_us:.0f}")
    console.print(table)
    rows = [{"records": size, "per_second": rate, "cpu_us": cpu_us} for size, (rate, cpu_us) in medians.items()]
    report = {"cores": os.cpu_count(), "value_bytes": len(_VALUE), "window": _WINDOW, "medians": rows}
    (_OUTPUT / "transactions.json").write_text(json.dumps(report, indent=2) + "\n")
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(_SIZES, [medians[size][0] / baseline for size in _SIZES], marker="o", label="exactly once")
    axes.axhline(1, color="grey", linestyle="--", label="at least once")
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, 1.2)
    axes.set_xlabel("records a transaction")
    axes.set_ylabel("throughput, of at least once")
    axes.legend()
    figure.tight_layout()
    figure.savefig(_OUTPUT / "transactions.svg")
    console.print(f"{_OUTPUT}/transactions.json and transactions.svg")


if __name__ == "__main__":
    main()
