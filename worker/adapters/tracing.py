"""Traces in OpenTelemetry's terms: what there is, is in docs/operations.md, and why so in decision 25.

The SDK takes its settings from the standard `OTEL_…` variables. Its own thread sends what has ended, from a queue
that drops what does not fit. A span holds names of topics, positions, times, and types of errors: no text, key or
header of a record, and no words of an exception, which may quote them.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from contract.errors import UsageError
from contract.version import VERSION
from worker.core.headers import TRACEPARENT, with_traceparent
from worker.core.records import Partition, Record, Window
from worker.outcomes import Kind, Outgoing
from worker.settings import Settings

log = structlog.get_logger(__name__)

_CLOSE_S = 2.0  # of the grace period, where the receiver does not answer
_SAID_AGAIN_S = 60.0
_W3C = TraceContextTextMapPropagator()

# The semantic conventions of messaging, whose names the SDK's packages have only as experimental ones.
_SYSTEM, _KAFKA = "messaging.system", "kafka"
_OPERATION_TYPE, _OPERATION_NAME = "messaging.operation.type", "messaging.operation.name"
_DESTINATION, _PARTITION = "messaging.destination.name", "messaging.destination.partition.id"
_GROUP, _COUNT = "messaging.consumer.group.name", "messaging.batch.message_count"
_OFFSET, _TOMBSTONE = "messaging.kafka.offset", "messaging.kafka.message.tombstone"
_ERROR = "error.type"

Position = tuple[Partition, int]


def open_tracing(settings: Settings, worker: str) -> "OpenTelemetryTracing":
    """Tracing to the receiver that the environment names; `worker` is this replica's name in its log.

    Raises:
        UsageError: If an `OTEL_…` variable means nothing to the SDK.
    """
    quieten()
    ours = {"service.name": "review-sentiment", "service.version": VERSION, "service.instance.id": worker}
    try:
        provider = TracerProvider(
            resource=Resource.create({**ours, **OTELResourceDetector().detect().attributes}),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        raise UsageError(f"WORKER_TRACING: an OTEL_ variable does not hold: {error}") from error
    return OpenTelemetryTracing(provider, topic=settings.input_topic, group=settings.group_id)


class OpenTelemetryTracing:
    """See `worker.ports.Tracing`."""

    def __init__(self, provider: TracerProvider, *, topic: str, group: str) -> None:
        """Trace windows of one topic, read by one group."""
        self._provider = provider
        self._tracer = provider.get_tracer("review_sentiment.worker", VERSION)
        self._name = f"process {topic}"
        self._attributes = {
            _SYSTEM: _KAFKA, _OPERATION_TYPE: "process", _OPERATION_NAME: "process", _DESTINATION: topic,
            _GROUP: group,
        }  # fmt: skip

    def window(self, window: Window) -> "OpenTelemetryWindow":
        """A trace of its own for the window, linked to those of its events."""
        parents = {_position(record): found for record in window.records if (found := _parent(record))}
        links = [_link(record, parents[at]) for record in window.records if (at := _position(record)) in parents]
        span = self._tracer.start_span(
            self._name, Context(), SpanKind.CONSUMER, {**self._attributes, _COUNT: len(window)}, links
        )
        return OpenTelemetryWindow(self._tracer, span, parents)

    def close(self) -> None:
        """Send what is left, for two seconds at most."""
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            log.warning("traces_not_sent", reason="the receiver does not take them in time")


class OpenTelemetryWindow:
    """See `worker.ports.WindowTrace`. One stage at a time, each on a thread of its own."""

    def __init__(self, tracer: Tracer, span: Span, parents: Mapping[Position, Context]) -> None:
        """A window's span, and the contexts that its records brought along."""
        self._tracer, self._span, self._parents = tracer, span, parents
        self._context = set_span_in_context(span, Context())
        self._links = [Link(span.get_span_context())] if _is_sent(span) else []
        self._began_ns = time.time_ns()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A span below the window's."""
        span = self._tracer.start_span(name, self._context)
        try:
            yield
        except BaseException as error:
            for failed in (span, self._span):
                _fail(failed, type(error).__name__)
                failed.end()
            raise
        span.end()

    def passed_on(self, outgoing: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """The same; those of events with a context that the sampler takes go on from a span of ours in it."""
        return [self._passed_on(item) for item in outgoing] if self._parents else outgoing

    def end(self) -> None:
        """End the window's span."""
        self._span.end()

    def _passed_on(self, item: Outgoing) -> Outgoing:
        parent = self._parents.get(_position(item.source))
        if parent is None:
            return item
        topic, number = item.target
        attributes = {
            _SYSTEM: _KAFKA, _OPERATION_TYPE: "create", _OPERATION_NAME: "create", _DESTINATION: topic,
            _PARTITION: str(number),
        }  # fmt: skip
        span = self._tracer.start_span(
            f"create {topic}", parent, SpanKind.PRODUCER, attributes, self._links, self._began_ns
        )
        if not _is_sent(span):
            return item  # nobody would ever find the span that it named
        if item.kind is Kind.DEAD_LETTER:
            _fail(span, item.detail)
        span.end()
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(span, Context()))
        return replace(item, headers=with_traceparent(item.headers, carrier[TRACEPARENT].encode()))


def _parent(record: Record) -> Context | None:
    """The context that a record brings along; None where it has none, several, or one that is not W3C's."""
    if not record.headers:
        return None
    carrier: dict[str, list[str]] = {TRACEPARENT: [], "tracestate": []}
    for name, value in record.headers:
        if name in carrier:
            carrier[name].append((value or b"").decode("ascii", "replace"))
    if len(carrier[TRACEPARENT]) != 1:
        return None
    context = _W3C.extract(carrier, Context())
    return context if _context_of(context).is_valid else None


def _link(record: Record, parent: Context) -> Link:
    attributes: dict[str, str | int | bool] = {_PARTITION: str(record.partition.number), _OFFSET: record.offset}
    if record.value is None:
        attributes[_TOMBSTONE] = True
    return Link(_context_of(parent), attributes)


def _context_of(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


def _is_sent(span: Span) -> bool:
    """Of one that has not ended. The SDK, when it is switched off, gives out the parent's context as a span."""
    return span.is_recording() and span.get_span_context().trace_flags.sampled


def _fail(span: Span, kind: str) -> None:
    span.set_attribute(_ERROR, kind)
    span.set_status(StatusCode.ERROR)


def _position(record: Record) -> Position:
    return record.partition, record.offset


def quieten() -> None:
    """Have the SDK's lines seldom, and none that quotes a record's headers, as the parser of contexts does."""
    logging.getLogger("opentelemetry.trace").setLevel(logging.CRITICAL)
    sdk = logging.getLogger("opentelemetry")
    sdk.handlers, sdk.propagate = [_Seldom()], False


class _Seldom(logging.Handler):
    """Passes on the first line of each place in the code, and another a minute later."""

    def __init__(self) -> None:
        super().__init__()
        self._said_s: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        place, now_s = (record.pathname, record.lineno), time.monotonic()
        if now_s - self._said_s.get(place, float("-inf")) >= _SAID_AGAIN_S:
            self._said_s[place] = now_s
            logging.getLogger().handle(record)
