"""What tracing costs the host of a worker for each event, beside the path of the event without it.

CPU time of one thread, in microseconds an event; the median of several rounds. `benchmarks.host_path` has the path
without tracing. Encoding is what the SDK's own thread does with a span, in the batches that it sends.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console
from rich.table import Table

from worker.adapters.tracing import OpenTelemetryTracing
from worker.core.records import Header, Partition, PartitionRange, Record, Window
from worker.cores import cpu_name
from worker.outcomes import Kind, Outgoing

_WINDOW, _ROUNDS = 512, 31
_IN, _OUT = Partition("reviews", 0), Partition("reviews.sentiment", 0)
_CONTEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-%s"


def _spent_us(work: Callable[[], object]) -> float:
    times_s = []
    for _ in range(_ROUNDS):
        start_s = time.thread_time()
        work()
        times_s.append(time.thread_time() - start_s)
    return statistics.median(times_s) / _WINDOW * 1e6


def _window(headers: tuple[Header, ...]) -> tuple[Window, Sequence[Outgoing]]:
    records = tuple(Record(_IN, offset, 0, b"k", b"{}", headers) for offset in range(_WINDOW))
    passed = [(name, value or b"") for name, value in headers]
    outgoing = [Outgoing(Kind.RESULT, record, _OUT, b"{}", passed) for record in records]
    return Window(records, {_IN: PartitionRange(0, _WINDOW, _WINDOW)}), outgoing


def _traced(tracing: OpenTelemetryTracing, window: Window, outgoing: Sequence[Outgoing]) -> None:
    trace = tracing.window(window)
    trace.passed_on(outgoing)
    trace.end()


def main() -> None:
    """Measure and print a table."""
    table = Table("an event", "µs", title=f"{cpu_name()}, {os.cpu_count()} cores")
    spans = InMemorySpanExporter()
    for name, headers in (
        ("without headers", ()),
        ("whose context is not sampled", (("traceparent", (_CONTEXT % "00").encode()),)),
        ("whose context is sampled", (("traceparent", (_CONTEXT % "01").encode()),)),
    ):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(spans))
        tracing = OpenTelemetryTracing(provider, topic="reviews", group="g")
        window, outgoing = _window(headers)
        table.add_row(name, f"{_spent_us(lambda: _traced(tracing, window, outgoing)):.1f}")  # noqa: B023
    sent: list[ReadableSpan] = [it for it in spans.get_finished_spans() if it.name.startswith("create")][:_WINDOW]
    table.add_row("encoding of a sampled one, in the SDK's thread", f"{_spent_us(lambda: encode_spans(sent)):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
