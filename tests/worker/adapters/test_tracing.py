"""What spans there are, and what outcomes pass on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import SpanKind, StatusCode

from tests.faked_pipeline import P0, P1, FakedPipeline, review
from tests.traced_pipeline import PARENT, SAMPLED, TRACE, UNSAMPLED, Traced, record
from worker.core.records import Chunk, Header
from worker.errors import ModelFailedError


def test_a_window_has_a_trace_that_is_linked_to_those_of_its_events() -> None:
    """One span, with a link for each context and where its event stands; below it a span for each stage."""
    traced = Traced()
    tombstone = record(7, UNSAMPLED, value=None)
    traced.run(record(5, SAMPLED), record(6), tombstone, record(9, SAMPLED, partition=P1))

    (window,) = traced.named("process")
    assert (window.name, window.kind, window.parent) == ("process in", SpanKind.CONSUMER, None)
    assert window.attributes == {
        "messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
        "messaging.destination.name": "in", "messaging.consumer.group.name": "g",
        "messaging.batch.message_count": 4,
    }  # fmt: skip
    where, at = "messaging.destination.partition.id", "messaging.kafka.offset"
    assert [(f"{it.context.trace_id:032x}", f"{it.context.span_id:016x}") for it in window.links] == 3 * [
        (TRACE, PARENT)
    ]
    assert [it.attributes for it in window.links] == [
        {where: "0", at: 5}, {where: "0", at: 7, "messaging.kafka.message.tombstone": True}, {where: "1", at: 9},
    ]  # fmt: skip
    for stage in ("decode", "encode", "infer", "publish"):
        (span,) = traced.named(stage)
        assert span.parent == window.context
        assert span.status.status_code is StatusCode.UNSET


def test_a_result_goes_on_in_the_trace_of_its_event() -> None:
    """From a span of ours in that trace, which knows the window; what else the event says of its trace stays."""
    traced = Traced()
    traced.run(record(0, SAMPLED, more=[("tracestate", b"vendor=1")]))

    (ours,), (window,) = traced.named("create"), traced.named("process")
    assert (ours.name, ours.kind) == ("create out", SpanKind.PRODUCER)
    assert ours.parent is not None
    assert f"{ours.parent.trace_id:032x}-{ours.parent.span_id:016x}" == f"{TRACE}-{PARENT}"
    assert [link.context for link in ours.links] == [window.context]
    assert ours.attributes == {
        "messaging.system": "kafka", "messaging.operation.type": "create", "messaging.operation.name": "create",
        "messaging.destination.name": "out", "messaging.destination.partition.id": "0",
    }  # fmt: skip
    (decode,) = traced.named("decode")
    assert (window.start_time or 0) <= (ours.start_time or 0) <= (decode.start_time or 0)
    assert ours.context is not None
    assert traced.header(0) == f"00-{TRACE}-{ours.context.span_id:016x}-01".encode()
    assert dict(traced.faked.sink.written[0].headers)["tracestate"] == b"vendor=1"


def test_a_dead_letter_goes_on_too_and_its_span_has_failed() -> None:
    """For its reason, which is one of a closed list."""
    traced = Traced()
    traced.run(record(0, SAMPLED, value=b"no JSON"))
    (ours,) = traced.named("create")
    assert ours.name == "create dead"
    assert ours.attributes is not None
    assert (ours.attributes["error.type"], ours.status.status_code) == ("invalid_json", StatusCode.ERROR)
    assert ours.context is not None
    assert traced.header(0) == f"00-{TRACE}-{ours.context.span_id:016x}-01".encode()


@pytest.mark.parametrize(
    ("sampler", "windows", "events"),
    [
        (sampling.DEFAULT_ON, 1, 1),
        (sampling.ParentBased(sampling.TraceIdRatioBased(0)), 0, 1),
        (sampling.ALWAYS_OFF, 0, 0),
        (sampling.ALWAYS_ON, 1, 2),
    ],
)
def test_the_sampler_decides_for_windows_and_for_events(
    sampler: sampling.Sampler, windows: int, events: int
) -> None:
    """What it does not take has no span, and its context is passed on as it came."""
    traced = Traced(sampler)
    traced.run(record(0, SAMPLED), record(1, UNSAMPLED), record(2))
    assert (len(traced.named("process")), len(traced.named("create"))) == (windows, events)
    assert all(len(span.links) == windows for span in traced.named("create")), "a link to what is never sent"
    passed_on = [traced.header(0), traced.header(1)]
    assert sum(it not in (SAMPLED.encode(), UNSAMPLED.encode()) for it in passed_on) == events
    assert traced.header(2) is None


def test_a_context_of_a_later_version_is_a_context() -> None:
    """As W3C asks; what goes on from it is of our version."""
    traced = Traced()
    traced.run(record(0, f"01-{TRACE}-{PARENT}-01-more"))
    (ours,) = traced.named("create")
    assert ours.context is not None
    assert traced.header(0) == f"00-{TRACE}-{ours.context.span_id:016x}-01".encode()


def test_an_sdk_that_is_switched_off_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED, as everywhere: no span, and contexts byte for byte."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    traced = Traced()
    traced.run(record(0, SAMPLED), record(1, f"01-{TRACE}-{PARENT}-01-more"))
    assert not traced.named("")
    assert [traced.header(0), traced.header(1)] == [SAMPLED.encode(), f"01-{TRACE}-{PARENT}-01-more".encode()]


_NOT_W3C = [
    "", "00", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more", f"00-{TRACE}-{PARENT}-01 " + " " * 10**6,
]  # fmt: skip


@pytest.mark.parametrize("traceparent", _NOT_W3C)
def test_a_context_that_is_none_is_passed_on_untouched(traceparent: str) -> None:
    """And linked to nothing, however long it is."""
    traced = Traced()
    traced.run(record(0, traceparent))
    assert traced.header(0) == traceparent.encode()
    assert not traced.named("process")[0].links
    assert not traced.named("create")


def test_of_two_contexts_neither_counts() -> None:
    """W3C has one; which of them would be the event's, nobody knows."""
    traced = Traced()
    traced.run(record(0, SAMPLED, SAMPLED))
    assert not traced.named("create")
    assert traced.header(0) == SAMPLED.encode()


_NAMES = st.one_of(
    st.sampled_from(["traceparent", "tracestate", "Traceparent", "other", "ce_id"]), st.text(max_size=9)
)
_SAID = st.one_of(
    st.none(), st.binary(max_size=80), st.sampled_from([SAMPLED.encode(), UNSAMPLED.encode()]),
    st.sampled_from([b"a=1", b"a=1,a=2", b"," * 10**5, b" \t" * 10**5 + b"x", b"a=" + b"1" * 10**5]),
)  # fmt: skip


@given(st.lists(st.tuples(_NAMES, _SAID), max_size=5), st.sampled_from([review("a"), b"no JSON"]))
def test_tracing_changes_nothing_but_a_context(headers: list[Header], value: bytes) -> None:
    """Whatever headers a record has, its outcome is what it is untraced, but for the value of traceparent."""
    event = record(0, value=value, more=headers)
    traced, plain = Traced(sampling.ALWAYS_ON), FakedPipeline()
    traced.run(event)
    plain.in_flight.receive([Chunk(P0, (event,), 1)])
    plain.pipeline.run(plain.window())
    (ours,), (theirs,) = traced.faked.sink.written, plain.sink.written
    assert [name for name, _ in ours.headers] == [name for name, _ in theirs.headers]
    other = {a for (a, b), (_, c) in zip(ours.headers, theirs.headers, strict=True) if b != c and a != "ce_time"}
    assert other == ({"traceparent"} if traced.named("create") else set())
    assert (ours.kind, ours.target, ours.key) == (theirs.kind, theirs.target, theirs.key)


def test_links_are_limited_and_the_rest_counted() -> None:
    """By OTEL_SPAN_LINK_COUNT_LIMIT; the spans in the events' own traces are not."""
    traced = Traced(links_max=3)
    traced.run(*(record(offset, SAMPLED) for offset in range(5)))
    (window,) = traced.named("process")
    assert (len(window.links), window.dropped_links) == (3, 2)
    assert len(traced.named("create")) == 5


def test_where_the_worker_fails_the_window_has_failed() -> None:
    """By the type of what was raised."""
    traced = Traced()
    traced.faked.classifier.fail = {"a": ModelFailedError("lost")}
    with pytest.raises(ModelFailedError):
        traced.run(record(0))
    for span in (*traced.named("infer"), *traced.named("process")):
        assert span.attributes is not None
        assert (span.attributes["error.type"], span.status.status_code) == ("ModelFailedError", StatusCode.ERROR)
    assert len(traced.named("process")) == 1
    assert not traced.named("publish")
