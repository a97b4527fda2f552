"""The exposition."""

import time

from prometheus_client.parser import text_string_to_metric_families

from worker.adapters.metrics import Metrics
from worker.core.records import Partition, Record
from worker.outcomes import Kind, Outgoing


def test_the_exposition_parses_and_counts() -> None:
    """Outcomes are counted by kind with few labels, and Prometheus' own parser reads the page."""
    metrics = Metrics()
    record = Record(Partition("in", 0), 0, 0, None, b"")
    for kind, detail in ((Kind.RESULT, "positive"), (Kind.DEAD_LETTER, "blank_text"), (Kind.FORWARDED, "")):
        metrics.outcome(Outgoing(kind, record, record.partition, None, [], detail))
    metrics.lag({Partition("in", 0): 7})
    metrics.lag({Partition("in", 1): 8})

    families = {f.name: f for f in text_string_to_metric_families(metrics.exposition().decode())}

    assert families["sentiment_worker_results"].samples[0].labels == {"label": "positive"}
    assert families["sentiment_worker_dead_letters"].samples[0].labels == {"reason": "blank_text"}
    assert families["sentiment_worker_forwarded"].samples[0].value == 1
    lag = families["sentiment_worker_lag_records"].samples
    assert [(s.labels["partition"], s.value) for s in lag] == [("1", 8)]


def test_a_record_without_a_timestamp_has_no_latency() -> None:
    """Kafka writes -1 for none: counted from 1970, one such record would be the whole average."""
    metrics = Metrics()
    for timestamp_ms in (-1, int(time.time() * 1000)):
        record = Record(Partition("in", 0), 0, timestamp_ms, None, b"")
        metrics.outcome(Outgoing(Kind.RESULT, record, record.partition, None, [], "positive"))

    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        if family.name in ("sentiment_worker_latency_seconds", "sentiment_worker_results")
        for sample in family.samples
    }
    assert samples["sentiment_worker_results_total"] == 2
    assert samples["sentiment_worker_latency_seconds_count"] == 1
    assert samples["sentiment_worker_latency_seconds_sum"] < 60
