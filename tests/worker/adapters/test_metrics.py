"""The exposition."""

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
