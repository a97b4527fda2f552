"""What spans there are, what outcomes pass on, and what is in no span and no log."""

import inspect
import logging
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.trace import SpanKind, StatusCode

from contract.errors import UsageError
from tests.faked_pipeline import P0, P1, FakedPipeline, review
from tests.worker.test_logs import lines, logged
from worker.adapters import tracing
from worker.adapters.tracing import OpenTelemetryTracing, open_tracing, quieten
from worker.core.records import Chunk, Header, Partition, Record
from worker.errors import ModelFailedError
from worker.preflight.run import tracing_checks
from worker.settings import Settings

_TRACE, _SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_SAMPLED, _UNSAMPLED = f"00-{_TRACE}-{_SPAN}-01", f"00-{_TRACE}-{_SPAN}-00"
_CANARY = "canary"


class Traced:
    """A pipeline on fakes, and the spans that it has ended."""

    def __init__(self, sampler: sampling.Sampler = sampling.DEFAULT_ON, links_max: int = 128) -> None:
        self._spans = InMemorySpanExporter()
        limits = SpanLimits(max_links=links_max)
        provider = TracerProvider(sampler=sampler, span_limits=limits, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.faked = FakedPipeline(tracing=OpenTelemetryTracing(provider, topic="in", group="g"))

    def run(self, *records: Record) -> None:
        """Take these as one window, and run it."""
        for partition in dict.fromkeys(record.partition for record in records):
            of_it = tuple(record for record in records if record.partition == partition)
            self.faked.in_flight.receive([Chunk(partition, of_it, of_it[-1].offset + 1)])
        self.faked.pipeline.run(self.faked.window())

    def named(self, start: str) -> list[ReadableSpan]:
        """The spans whose names begin so."""
        return [span for span in self._spans.get_finished_spans() if span.name.startswith(start)]

    def header(self, offset: int) -> bytes | None:
        """The traceparent of what became of a record."""
        (item,) = (item for item in self.faked.sink.written if item.source.offset == offset)
        return dict(item.headers).get("traceparent")


def _record(
    offset: int,
    *traceparents: str,
    value: bytes | None = review("a"),
    more: Iterable[Header] = (),
    partition: Partition = P0,
) -> Record:
    headers = tuple(("traceparent", it.encode()) for it in traceparents)
    return Record(partition, offset, 0, b"k", value, (*headers, *more))


@pytest.fixture(autouse=True)
def _sdk_as_loud_as_before() -> Iterator[None]:
    sdk, parser = logging.getLogger("opentelemetry"), logging.getLogger("opentelemetry.trace")
    before = sdk.handlers, sdk.propagate, parser.level
    yield
    sdk.handlers, sdk.propagate, parser.level = before


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(bundle=tmp_path)


def test_a_window_has_a_trace_that_is_linked_to_those_of_its_events() -> None:
    """One span, with a link for each context and where its event stands; below it a span for each stage."""
    traced = Traced()
    tombstone = _record(7, _UNSAMPLED, value=None)
    traced.run(_record(5, _SAMPLED), _record(6), tombstone, _record(9, _SAMPLED, partition=P1))

    (window,) = traced.named("process")
    assert (window.name, window.kind, window.parent) == ("process in", SpanKind.CONSUMER, None)
    assert window.attributes == {
        "messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
        "messaging.destination.name": "in", "messaging.consumer.group.name": "g",
        "messaging.batch.message_count": 4,
    }  # fmt: skip
    where, at = "messaging.destination.partition.id", "messaging.kafka.offset"
    assert [(f"{it.context.trace_id:032x}", f"{it.context.span_id:016x}") for it in window.links] == 3 * [
        (_TRACE, _SPAN)
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
    traced.run(_record(0, _SAMPLED, more=[("tracestate", b"vendor=1")]))

    (ours,), (window,) = traced.named("create"), traced.named("process")
    assert (ours.name, ours.kind) == ("create out", SpanKind.PRODUCER)
    assert ours.parent is not None
    assert f"{ours.parent.trace_id:032x}-{ours.parent.span_id:016x}" == f"{_TRACE}-{_SPAN}"
    assert [link.context for link in ours.links] == [window.context]
    assert ours.attributes == {
        "messaging.system": "kafka", "messaging.operation.type": "create", "messaging.operation.name": "create",
        "messaging.destination.name": "out", "messaging.destination.partition.id": "0",
    }  # fmt: skip
    (decode,) = traced.named("decode")
    assert (window.start_time or 0) <= (ours.start_time or 0) <= (decode.start_time or 0)
    assert ours.context is not None
    assert traced.header(0) == f"00-{_TRACE}-{ours.context.span_id:016x}-01".encode()
    assert dict(traced.faked.sink.written[0].headers)["tracestate"] == b"vendor=1"


def test_a_dead_letter_goes_on_too_and_its_span_has_failed() -> None:
    """For its reason, which is one of a closed list."""
    traced = Traced()
    traced.run(_record(0, _SAMPLED, value=b"no JSON"))
    (ours,) = traced.named("create")
    assert ours.name == "create dead"
    assert ours.attributes is not None
    assert (ours.attributes["error.type"], ours.status.status_code) == ("invalid_json", StatusCode.ERROR)
    assert ours.context is not None
    assert traced.header(0) == f"00-{_TRACE}-{ours.context.span_id:016x}-01".encode()


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
    traced.run(_record(0, _SAMPLED), _record(1, _UNSAMPLED), _record(2))
    assert (len(traced.named("process")), len(traced.named("create"))) == (windows, events)
    assert all(len(span.links) == windows for span in traced.named("create")), "a link to what is never sent"
    passed_on = [traced.header(0), traced.header(1)]
    assert sum(it not in (_SAMPLED.encode(), _UNSAMPLED.encode()) for it in passed_on) == events
    assert traced.header(2) is None


def test_a_context_of_a_later_version_is_a_context() -> None:
    """As W3C asks; what goes on from it is of our version."""
    traced = Traced()
    traced.run(_record(0, f"01-{_TRACE}-{_SPAN}-01-more"))
    (ours,) = traced.named("create")
    assert ours.context is not None
    assert traced.header(0) == f"00-{_TRACE}-{ours.context.span_id:016x}-01".encode()


def test_an_sdk_that_is_switched_off_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED, as everywhere: no span, and contexts byte for byte."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    traced = Traced()
    traced.run(_record(0, _SAMPLED), _record(1, f"01-{_TRACE}-{_SPAN}-01-more"))
    assert not traced.named("")
    assert [traced.header(0), traced.header(1)] == [_SAMPLED.encode(), f"01-{_TRACE}-{_SPAN}-01-more".encode()]


_NOT_W3C = [
    "", "00", f"ff-{_TRACE}-{_SPAN}-01", f"00-{'0' * 32}-{_SPAN}-01", f"00-{_TRACE}-{'0' * 16}-01",
    f"00-{_TRACE.upper()}-{_SPAN}-01", f"00-{_TRACE}-{_SPAN}-01-more", f"00-{_TRACE}-{_SPAN}-01 " + " " * 10**6,
]  # fmt: skip


@pytest.mark.parametrize("traceparent", _NOT_W3C)
def test_a_context_that_is_none_is_passed_on_untouched(traceparent: str) -> None:
    """And linked to nothing, however long it is."""
    traced = Traced()
    traced.run(_record(0, traceparent))
    assert traced.header(0) == traceparent.encode()
    assert not traced.named("process")[0].links
    assert not traced.named("create")


def test_of_two_contexts_neither_counts() -> None:
    """W3C has one; which of them would be the event's, nobody knows."""
    traced = Traced()
    traced.run(_record(0, _SAMPLED, _SAMPLED))
    assert not traced.named("create")
    assert traced.header(0) == _SAMPLED.encode()


_NAMES = st.one_of(
    st.sampled_from(["traceparent", "tracestate", "Traceparent", "other", "ce_id"]), st.text(max_size=9)
)
_SAID = st.one_of(
    st.none(), st.binary(max_size=80), st.sampled_from([_SAMPLED.encode(), _UNSAMPLED.encode()]),
    st.sampled_from([b"a=1", b"a=1,a=2", b"," * 10**5, b" \t" * 10**5 + b"x", b"a=" + b"1" * 10**5]),
)  # fmt: skip


@given(st.lists(st.tuples(_NAMES, _SAID), max_size=5), st.sampled_from([review("a"), b"no JSON"]))
def test_tracing_changes_nothing_but_a_context(headers: list[Header], value: bytes) -> None:
    """Whatever headers a record has, its outcome is what it is untraced, but for the value of traceparent."""
    record = _record(0, value=value, more=headers)
    traced, plain = Traced(sampling.ALWAYS_ON), FakedPipeline()
    traced.run(record)
    plain.in_flight.receive([Chunk(P0, (record,), 1)])
    plain.pipeline.run(plain.window())
    (ours,), (theirs,) = traced.faked.sink.written, plain.sink.written
    assert [name for name, _ in ours.headers] == [name for name, _ in theirs.headers]
    other = {a for (a, b), (_, c) in zip(ours.headers, theirs.headers, strict=True) if b != c and a != "ce_time"}
    assert other == ({"traceparent"} if traced.named("create") else set())
    assert (ours.kind, ours.target, ours.key) == (theirs.kind, theirs.target, theirs.key)


def test_links_are_limited_and_the_rest_counted() -> None:
    """By OTEL_SPAN_LINK_COUNT_LIMIT; the spans in the events' own traces are not."""
    traced = Traced(links_max=3)
    traced.run(*(_record(offset, _SAMPLED) for offset in range(5)))
    (window,) = traced.named("process")
    assert (len(window.links), window.dropped_links) == (3, 2)
    assert len(traced.named("create")) == 5


def test_where_the_worker_fails_the_window_has_failed() -> None:
    """By the type of what was raised."""
    traced = Traced()
    traced.faked.classifier.fail = {"a": ModelFailedError(_CANARY)}
    with pytest.raises(ModelFailedError):
        traced.run(_record(0))
    for span in (*traced.named("infer"), *traced.named("process")):
        assert span.attributes is not None
        assert (span.attributes["error.type"], span.status.status_code) == ("ModelFailedError", StatusCode.ERROR)
    assert len(traced.named("process")) == 1
    assert not traced.named("publish")


_TEXTS = [review(_CANARY), _CANARY.encode(), review(f"{_CANARY}!"), review(f"{_CANARY}?")]


@pytest.mark.parametrize("value", _TEXTS)
def test_no_span_and_no_line_has_anything_of_a_record(value: bytes) -> None:
    """Nor of an exception, whose words may quote it: value, key, headers, and contexts that are none."""
    traced = Traced()
    traced.faked.classifier.fail = {"!": ValueError(_CANARY)}
    state = f"! {_CANARY}".encode()
    said = ((_CANARY, _CANARY.encode()), ("traceparent", _SAMPLED.encode()), ("tracestate", state))
    record = Record(P0, 0, 0, _CANARY.encode(), value, said)
    with logged() as written:
        quieten()
        traced.run(record, _record(1, _CANARY))
    spans = [*traced.named("")]
    assert len(spans) == 6
    assert _CANARY not in "".join(span.to_json() for span in spans)
    assert lines(written)
    assert _CANARY not in written.getvalue()


def test_the_sdk_repeats_no_line_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that is down fails each few seconds; its lines are lines of our log."""
    with logged("info") as written:
        quieten()
        for _ in range(3):
            logging.getLogger("opentelemetry.exporter.otlp").error("Failed to export %s", "spans")
        monkeypatch.setattr(tracing, "_SAID_AGAIN_S", 0.0)
        logging.getLogger("opentelemetry.exporter.otlp").error("Failed to export %s", "spans")
    told = lines(written)
    assert [(line["event"], line["message"]) for line in told] == [("library", "Failed to export spans")] * 2


def test_a_receiver_that_never_answers_holds_up_no_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not sent within the bound is given up, and said so."""
    monkeypatch.setattr(tracing, "_CLOSE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, logged("info") as written:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")  # for the threads that this leaves behind
        traces = open_tracing(settings, "w")
        faked = FakedPipeline(tracing=traces)
        faked.receive([review("a")])
        faked.pipeline.run(faked.window())
        traces.close()
        assert [line["event"] for line in lines(written)] == ["traces_not_sent"]
        for thread in threading.enumerate():
            if thread.name == "tracing-close":
                thread.join()


def test_the_environment_says_who_we_are(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard variables; what they leave open we say."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine,team=reviews")
    provider = open_tracing(settings, "host/1")._provider
    provider.shutdown()
    (check,) = tracing_checks(settings.model_copy(update={"tracing": True}))
    assert check.state == "ok"
    assert {"service.name": "mine", "team": "reviews", "service.instance.id": "host/1"}.items() <= (
        provider.resource.attributes.items()
    )


def test_a_variable_that_means_nothing_is_a_usage_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the SDK's words for it."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    with pytest.raises(UsageError, match="an OTEL_ variable does not hold: max_export_batch_size"):
        open_tracing(settings, "w")
    (check,) = tracing_checks(settings.model_copy(update={"tracing": True}))
    assert (check.state, check.exit_code) == ("failed", UsageError.exit_code)


def test_the_names_are_those_of_the_conventions() -> None:
    """Each is among those that the SDK's own packages have, and none is deprecated there."""
    source = inspect.getsource(messaging_attributes)
    known = dict(re.findall(r'^MESSAGING_\w+: Final = "(.+)"\n"""\n(.*)', source, re.MULTILINE))
    ours = [it for it in vars(tracing).values() if isinstance(it, str) and it.startswith("messaging.")]
    assert len(ours) == 9
    for name in ours:
        assert not known[name].startswith("Deprecated"), known[name]
