"""The worker's metrics for Prometheus. Labels are few and closed, so that the series stay few.

docs/metrics.md is generated from here (`make contracts`). What the pipeline reports has a method in
`worker.ports.Telemetry` (and its fake) too; the poll loop calls the class itself.
"""

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from contract.events import ModelIdentity
from worker.core.records import Partition, Record
from worker.outcomes import Kind, Outgoing

_PREFIX = "sentiment_worker"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


class Metrics:
    """Implements `worker.ports.Telemetry`, and what the poll thread has to tell besides."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and nobody looks at them
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{_PREFIX}_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"{_PREFIX}_{name}", text, labels, buckets=buckets, registry=registry)

        self._read = counter("records_read_total", "Records read, before anything is known of them.")
        self._results = counter("results_total", "Enriched events acknowledged by the broker.", "label")
        self._dead = counter("dead_letters_total", "Dead letters acknowledged by the broker.", "reason")
        self._forwarded = counter("forwarded_total", "Tombstones passed on and acknowledged.")
        self._unsendable = counter("unsendable_total", "Records with neither key nor value, settled unanswered.")
        self._aborted = counter("transactions_aborted_total", "Transactions aborted, to be tried again.")
        self._model_failures = counter("model_failures_total", "Forward passes that failed.", "error")
        self._stage = histogram("stage_seconds", "Time of a window in a stage.", _SECONDS, "stage")
        self._latency = histogram("latency_seconds", "From a record's timestamp to its result.", _SECONDS)
        self._window = histogram("window_records", "Records of a window.", _ROWS)
        self._rows = histogram("batch_rows", "Rows of a forward pass.", _ROWS)
        self._tokens = counter("tokens_total", "Tokens through the model, and what padding added.", "kind")
        self._batch_tokens = histogram("batch_tokens", "Tokens of a forward pass, padding included.", _TOKENS)
        self._confidence = histogram("confidence", "Confidence of the results.", _SHARES)
        self._held_records = gauge("held_records", "Records read and not yet settled.")
        self._held_bytes = gauge("held_bytes", "Bytes of keys, values and headers read and not yet settled.")
        self._paused = gauge("paused", "1 while reading is paused for back-pressure.")
        self._lag = gauge("lag_records", "Records of a partition not yet read.", "topic", "partition")
        self._assigned = gauge("partitions_assigned", "Partitions owned.")
        self._stalled = gauge("stalled_partitions", "Partitions with records that have not moved for too long.")
        self._throttle = gauge(
            "publish_throttle_seconds", "The longest that brokers held up publishing by a quota of late."
        )
        self._placeless = gauge(
            "partitions_without_place", "Partitions not read, since an outgoing topic has none of their number."
        )
        self._progress = gauge("last_settled_timestamp_seconds", "When a window was last settled, Unix time.")
        self._model = gauge(
            "model_info", "The model that serves.", "name", "version", "sha256", "variant", "provider"
        )
        for kind in ("text", "padding"):
            self._tokens.labels(kind)

    def stage(self, name: str, elapsed_s: float) -> None:
        """See `worker.ports.Telemetry`, as for the methods below."""
        self._stage.labels(name).observe(elapsed_s)

    def window(self, records: int) -> None:
        """A window of so many records was closed."""
        self._window.observe(records)

    def batch(self, rows: int, tokens: int, padded_tokens: int) -> None:
        """A forward pass took so many rows and tokens, and so many with padding."""
        self._rows.observe(rows)
        self._batch_tokens.observe(padded_tokens)
        self._tokens.labels("text").inc(tokens)
        self._tokens.labels("padding").inc(padded_tokens - tokens)

    def outcome(self, outgoing: Outgoing) -> None:
        """The broker has acknowledged an outcome."""
        now_s = time.time()
        if outgoing.kind is Kind.RESULT:
            self._results.labels(outgoing.detail).inc()
            self._confidence.observe(outgoing.confidence)
            if outgoing.source.timestamp_ms >= 0:  # -1 stands for none
                self._latency.observe(max(0.0, now_s - outgoing.source.timestamp_ms / 1000))
        elif outgoing.kind is Kind.DEAD_LETTER:
            self._dead.labels(outgoing.detail).inc()
        else:
            self._forwarded.inc()
        self._progress.set(now_s)

    def unsendable(self, record: Record) -> None:  # noqa: ARG002 - the record is for logs and fakes
        """A record without key and value was settled."""
        self._unsendable.inc()

    def transaction_aborted(self) -> None:
        """A transaction was aborted."""
        self._aborted.inc()

    def model_failure(self, error: Exception) -> None:
        """A forward pass failed."""
        self._model_failures.labels(type(error).__name__).inc()

    def read(self, records: int) -> None:
        """So many records were read."""
        self._read.inc(records)

    def held(self, records: int, size_bytes: int, *, paused: bool) -> None:
        """What is read and not yet settled."""
        self._held_records.set(records)
        self._held_bytes.set(size_bytes)
        self._paused.set(paused)

    def lag(self, by_partition: dict[Partition, int]) -> None:
        """Records not yet read of each partition owned; others disappear."""
        self._lag.clear()
        for partition, records in by_partition.items():
            self._lag.labels(partition.topic, str(partition.number)).set(records)

    def partitions(self, owned: int) -> None:
        """How many partitions are ours."""
        self._assigned.set(owned)

    def stalled(self, partitions: int) -> None:
        """How many of our partitions do not move."""
        self._stalled.set(partitions)

    def throttle(self, longest_s: float) -> None:
        """For how long the brokers have made publishing wait of late."""
        self._throttle.set(longest_s)

    def without_place(self, partitions: int) -> None:
        """How many of our partitions are not read for want of a place for their outcomes."""
        self._placeless.set(partitions)

    def model(self, identity: ModelIdentity) -> None:
        """Which model serves."""
        self._model.labels(*identity.model_dump().values()).set(1)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
