"""A pipeline on fakes that is traced, and the spans that it has ended."""

from collections.abc import Iterable

from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.faked_pipeline import P0, FakedPipeline, review
from worker.adapters.tracing import OpenTelemetryTracing
from worker.core.records import Chunk, Header, Partition, Record

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


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


def record(
    offset: int,
    *traceparents: str,
    value: bytes | None = review("a"),
    more: Iterable[Header] = (),
    partition: Partition = P0,
) -> Record:
    """Of an event with these contexts and more headers."""
    headers = tuple(("traceparent", it.encode()) for it in traceparents)
    return Record(partition, offset, 0, b"k", value, (*headers, *more))
