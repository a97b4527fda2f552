"""The exposition, and the table that it is held to."""

import time
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from contract.encoding import Encoded
from contract.events import ModelIdentity, Reason
from contract.labels import LABELS
from worker.adapters.metrics import ManyHistogram, Metrics
from worker.adapters.metrics_table import TABLE, Metric
from worker.core.records import Partition, Record
from worker.life import State
from worker.outcomes import Kind, Outgoing

_IN = Partition("in", 0)


def page(metrics: Metrics) -> dict[str, Family]:
    """What Prometheus' own parser reads, by the names that the table has."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in families}


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"sentiment_worker_{name}", labels)


def outgoing(kind: Kind, detail: str = "", timestamp_ms: int = 0, confidence: float = 0.0) -> Outgoing:
    record = Record(_IN, 7, timestamp_ms, None, b"")
    return Outgoing(kind, record, _IN, None, [], detail, confidence, abstained=confidence < 0.5)


def busy() -> Metrics:
    """With something in each metric."""
    metrics = Metrics()
    metrics.states(State, lambda: State.SERVING)
    metrics.model(ModelIdentity(name="m", version="1", sha256="0" * 64, variant="int8", provider="CPU"))
    metrics.partitions({_IN: 7}, {_IN: 0})
    metrics.model_failure(ValueError())
    metrics.outcomes([outgoing(Kind.RESULT, "positive", confidence=0.7)])
    return metrics


def test_the_page_and_the_table_are_the_same() -> None:
    """Every metric of the page is in the table with its kind, labels and text, and the other way round."""
    found = page(busy())
    assert set(found) == {metric.name for metric in TABLE}
    for metric in TABLE:
        family = found[metric.name]
        assert (family.type, len(family.samples) > 0) == (metric.kind, True), metric.name
        assert {label for it in family.samples for label in it.labels} - {"le"} == set(metric.labels), metric.name
        assert not metric.ours or family.documentation == metric.help


def test_a_table_says_what_to_do() -> None:
    """Each entry has a unit and a sentence; those that move for a reason of an operator's say what to do."""
    for metric in TABLE:
        assert metric.unit
        assert metric.help.endswith(".")
        assert not metric.advice or metric.advice.endswith(".")
        assert len(metric.help + metric.advice) < 250
    assert sum(bool(metric.advice) for metric in TABLE) > 20


def test_what_has_not_happened_yet_is_zero() -> None:
    """A series that begins with its first event has no rate for it, so alerts would miss it."""
    metrics = Metrics()
    assert [sample(metrics, "results_total", label=label) for label in LABELS] == [0, 0, 0]
    assert [sample(metrics, "dead_letters_total", reason=reason) for reason in Reason] == [0] * len(Reason)


def test_outcomes_are_counted_by_kind() -> None:
    """Of a window at once, with few labels; dead letters are remembered by position."""
    metrics = Metrics()
    results = [outgoing(Kind.RESULT, "positive", confidence=confidence) for confidence in (0.4, 0.7, 0.95)]
    metrics.outcomes([*results, outgoing(Kind.DEAD_LETTER, Reason.BLANK_TEXT), outgoing(Kind.FORWARDED)])
    metrics.outcomes([])

    assert sample(metrics, "results_total", label="positive") == 3
    assert sample(metrics, "abstained_total") == 1
    assert sample(metrics, "confidence_count") == 3
    assert sample(metrics, "dead_letters_total", reason="blank_text") == 1
    assert sample(metrics, "forwarded_total") == 1
    (dead,) = metrics.last_dead_letters
    assert dead[1:] == ("blank_text", _IN, 7)
    totals = metrics.totals()
    assert (totals.results, totals.dead_letters, totals.labels["positive"]) == (3, 1, 3)


def test_a_record_without_a_timestamp_has_no_latency() -> None:
    """Kafka writes -1 for none: counted from 1970, one such record would be the whole average."""
    metrics = Metrics()
    metrics.outcomes(
        [outgoing(Kind.RESULT, "positive", timestamp_ms) for timestamp_ms in (-1, int(time.time() * 1000))]
    )
    assert sample(metrics, "results_total", label="positive") == 2
    assert sample(metrics, "latency_seconds_count") == 1
    assert (sample(metrics, "latency_seconds_sum") or 0) < 60


def test_partitions_that_went_are_gone() -> None:
    """Lag and age are of the partitions owned; one with nothing held has the age 0."""
    metrics = Metrics()
    metrics.partitions({_IN: 7}, {})
    metrics.partitions({Partition("in", 1): 8, Partition("in", 2): 0}, {Partition("in", 1): 0})

    found = page(metrics)
    for name, first in (("lag_records", 8.0), ("oldest_unsettled_seconds", time.time())):
        values = {it.labels["partition"]: it.value for it in found[f"sentiment_worker_{name}"].samples}
        assert values == {"1": pytest.approx(first, rel=0.01), "2": 0}
    assert sample(metrics, "partitions_assigned") == 2


def test_exactly_one_state_holds() -> None:
    """The one that the worker is in when the page is asked for."""
    metrics, states = Metrics(), list(State)
    metrics.states(State, lambda: states[0])
    while states:
        assert {state for state in State if sample(metrics, "state", state=state)} == {states[0]}
        states.pop(0) if len(states) > 1 else states.clear()


def test_tokens_of_events_and_of_batches() -> None:
    """What padding added, what was cut off, and how long events are."""
    metrics = Metrics()
    metrics.encoded([Encoded([1, 2], truncated=True), Encoded([1, 2, 3], truncated=False)])
    metrics.batch(2, 5, 6)

    assert [sample(metrics, "tokens_total", kind=kind) for kind in ("text", "padding")] == [5, 1]
    assert (sample(metrics, "truncated_total"), sample(metrics, "input_tokens_sum")) == (1, 5)
    assert metrics.totals().batches == 1


@pytest.mark.parametrize("values", [[], [0.5, 0.1, 0.1, 2, 0.2], [0.1]])
def test_many_values_at_once_make_the_histogram_of_each(values: Sequence[float]) -> None:
    """Prometheus' own histogram, fed one by one, has the same samples; bounds belong to the bucket below."""
    metric = Metric("x", "histogram", "seconds", "Text.", "", buckets=(0.1, 0.2, 1))
    registry = CollectorRegistry()
    theirs, ours = Histogram("x", "Text.", buckets=metric.buckets, registry=registry), ManyHistogram(metric)
    ours.observe(values)
    for value in values:
        theirs.observe(value)

    (one,), (other,) = ours.collect(), theirs.collect()
    assert [(it.name, it.labels) for it in one.samples] == [(it.name, it.labels) for it in other.samples]
    assert [it.value for it in one.samples] == pytest.approx([it.value for it in other.samples])
