"""The worker's metrics for Prometheus. Labels are few and closed, so that the series stay few.

What there is, is in `worker.adapters.metrics_table`. What the pipeline reports has a method in
`worker.ports.Telemetry` (and its fake) too; the poll loop calls the class itself. The pipeline tells once a window
and not once a record, since the host is what limits a worker with a GPU.
"""

import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from contract.encoding import Encoded
from contract.events import ModelIdentity
from worker.adapters.metrics_table import PREFIX, TABLE, Metric
from worker.core.history import DeadLetter, Totals
from worker.core.records import Partition, Record
from worker.outcomes import Kind, Outgoing

_DEAD_LETTERS_KEPT = 10


class ManyHistogram(Collector):
    """A histogram without labels that takes many values at once: its cost is by the window, not by the record."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._bounds = np.array(metric.buckets)
        self._counts = np.zeros(len(metric.buckets) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, values: ArrayLike) -> None:
        """Add values; one on a bound is in the bucket below it."""
        values = np.asarray(values, dtype=np.float64)
        added = np.bincount(np.searchsorted(self._bounds, values, side="left"), minlength=len(self._counts))
        with self._lock:
            self._counts += added
            self._sum += float(values.sum())

    def collect(self) -> Iterator[Family]:
        """What the registry asks for at each scrape."""
        with self._lock:
            counts, total = np.cumsum(self._counts), self._sum
        bounds = [*map(str, map(float, self._metric.buckets)), "+Inf"]
        buckets = list(zip(bounds, map(float, counts), strict=True))
        yield HistogramMetricFamily(self._metric.name, self._metric.help, buckets=buckets, sum_value=total)


class Metrics:
    """Implements `worker.ports.Telemetry`, and what the poll thread has to tell besides."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and nobody looks at them
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, ManyHistogram] = {}
        self._timers: dict[str, Histogram] = {}
        for metric in TABLE:
            if metric.ours:
                self._register(metric)
        self.last_dead_letters: deque[DeadLetter] = deque(maxlen=_DEAD_LETTERS_KEPT)
        self._by_partition: dict[str, set[Partition]] = {}

    def _register(self, metric: Metric) -> None:
        name, labels = metric.name.removeprefix(PREFIX), tuple(metric.labels)
        made: Counter | Gauge | Histogram
        if metric.kind == "counter":
            made = self._counters[name] = Counter(metric.name, metric.help, labels, registry=self.registry)
        elif metric.kind == "gauge":
            made = self._gauges[name] = Gauge(metric.name, metric.help, labels, registry=self.registry)
        elif labels:
            made = self._timers[name] = Histogram(
                metric.name, metric.help, labels, buckets=metric.buckets, registry=self.registry
            )
        else:
            self._histograms[name] = ManyHistogram(metric)
            self.registry.register(self._histograms[name])
            return
        if labels:  # a series that appears with its first event has no rate for it
            for values in product(*metric.labels.values()):
                made.labels(*values)

    # The pipeline's side

    def stage(self, name: str, elapsed_s: float) -> None:
        """See `worker.ports.Telemetry`, as for the methods below."""
        self._timers["stage_seconds"].labels(name).observe(elapsed_s)

    def window(self, records: int) -> None:
        """A window of so many records was closed."""
        self._histograms["window_records"].observe([records])

    def encoded(self, events: Sequence[Encoded]) -> None:
        """These events of a window go to the model."""
        self._histograms["input_tokens"].observe([len(event.ids) for event in events])
        self._counters["truncated_total"].inc(sum(event.truncated for event in events))

    def batch(self, rows: int, tokens: int, padded_tokens: int) -> None:
        """A forward pass took so many rows and tokens, and so many with padding."""
        self._histograms["batch_rows"].observe([rows])
        self._histograms["batch_tokens"].observe([padded_tokens])
        self._counters["tokens_total"].labels("text").inc(tokens)
        self._counters["tokens_total"].labels("padding").inc(padded_tokens - tokens)

    def outcomes(self, outgoing: Sequence[Outgoing]) -> None:
        """The broker has acknowledged these outcomes."""
        if not outgoing:
            return
        now_s = time.time()
        results = [item for item in outgoing if item.kind is Kind.RESULT]
        for label, count in Tally(item.detail for item in results).items():
            self._counters["results_total"].labels(label).inc(count)
        self._counters["abstained_total"].inc(sum(item.abstained for item in results))
        self._histograms["confidence"].observe([item.confidence for item in results])
        sent_ms = np.array([item.source.timestamp_ms for item in results], dtype=np.float64)
        sent_ms = sent_ms[sent_ms >= 0]  # -1 stands for none
        self._histograms["latency_seconds"].observe(np.maximum(0.0, now_s - sent_ms / 1000))
        if len(results) < len(outgoing):
            self._without_result([item for item in outgoing if item.kind is not Kind.RESULT], now_s)
        self._gauges["last_settled_timestamp_seconds"].set(now_s)

    def _without_result(self, outgoing: Sequence[Outgoing], now_s: float) -> None:
        dead = [item for item in outgoing if item.kind is Kind.DEAD_LETTER]
        for reason, count in Tally(item.detail for item in dead).items():
            self._counters["dead_letters_total"].labels(reason).inc(count)
        self.last_dead_letters.extend(
            DeadLetter(now_s, item.detail, item.source.partition, item.source.offset)
            for item in dead[-_DEAD_LETTERS_KEPT:]
        )
        self._counters["forwarded_total"].inc(len(outgoing) - len(dead))

    def unsendable(self, record: Record) -> None:  # noqa: ARG002 - the record is for logs and fakes
        """A record without key and value was settled."""
        self._counters["unsendable_total"].inc()

    def transaction_aborted(self) -> None:
        """A transaction was aborted."""
        self._counters["transactions_aborted_total"].inc()

    def model_failure(self, error: Exception) -> None:
        """A forward pass failed."""
        self._counters["model_failures_total"].labels(type(error).__name__).inc()

    # The group's side

    def rebalance(self, kind: str) -> None:
        """Partitions were assigned, revoked or lost."""
        self._counters["rebalances_total"].labels(kind).inc()

    def revoked(self, elapsed_s: float) -> None:
        """What was in flight of revoked partitions was settled and committed, or given up, after so long."""
        self._histograms["revocation_seconds"].observe([elapsed_s])

    # The poll loop's side

    def read(self, records: int) -> None:
        """So many records were read."""
        self._counters["records_read_total"].inc(records)

    def held(self, records: int, size_bytes: int, *, paused: bool) -> None:
        """What is read and not yet settled."""
        self._gauges["held_records"].set(records)
        self._gauges["held_bytes"].set(size_bytes)
        self._gauges["paused"].set(paused)

    def partitions(self, lag: Mapping[Partition, int], oldest_ms: Mapping[Partition, int]) -> None:
        """Our partitions: the records not yet read of each, and the timestamp of the oldest one held, if any."""
        now_ms = time.time() * 1000
        self._set("lag_records", lag)
        self._set("oldest_unsettled_seconds", {p: max(0.0, now_ms - oldest_ms.get(p, now_ms)) / 1000 for p in lag})
        self._gauges["partitions_assigned"].set(len(lag))

    def _set(self, name: str, values: Mapping[Partition, float]) -> None:
        """Set a gauge of each partition, and have no other; at no moment are there fewer."""
        for partition, value in values.items():
            self._gauges[name].labels(partition.topic, str(partition.number)).set(value)
        for partition in self._by_partition.get(name, set()).difference(values):
            self._gauges[name].remove(partition.topic, str(partition.number))
        self._by_partition[name] = set(values)

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge without labels, by its name in the table without the prefix."""
        self._gauges[name].set(value)

    def states(self, names: Iterable[str], now: Callable[[], str]) -> None:
        """The states that there are, and what tells the present one at each scrape."""
        for name in names:
            self._gauges["state"].labels(name).set_function(partial(_is, name, now))

    def model(self, identity: ModelIdentity) -> None:
        """Which model serves."""
        self._gauges["model_info"].labels(*identity.model_dump().values()).set(1)

    # What is asked for

    def totals(self) -> Totals:
        """What was counted since the start."""
        dead, stages = self._counters["dead_letters_total"], self._timers["stage_seconds"]
        timed: dict[str, dict[str, float]] = {"_count": {}, "_sum": {}}
        for sample in next(iter(stages.collect())).samples:
            if (kind := sample.name.removeprefix(f"{PREFIX}stage_seconds")) in timed:
                timed[kind][sample.labels["stage"]] = sample.value
        batches = next(self._histograms["batch_rows"].collect()).samples
        return Totals(
            read=int(sum(_values(self._counters["records_read_total"]))),
            labels={
                sample.labels["label"]: int(sample.value)
                for sample in next(iter(self._counters["results_total"].collect())).samples
            },
            dead_letters=int(sum(_values(dead))),
            batches=int(next(sample.value for sample in batches if sample.name.endswith("_count"))),
            stages={stage: (int(count), timed["_sum"][stage]) for stage, count in timed["_count"].items()},
        )

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


def _is(name: str, now: Callable[[], str]) -> float:
    return float(now() == name)


def _values(counter: Counter) -> list[float]:
    return [sample.value for sample in next(iter(counter.collect())).samples]
