"""A receiver of traces over OTLP/HTTP, that reads them with the messages of the protocol's own package."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass
class Receiver:
    """Where to send to, and what has come."""

    url: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self, start: str) -> list[Any]:
        """The spans whose names begin so."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.name.startswith(start)
        ]


def attributes(of: Any) -> dict[str, str | int]:
    """Those of a span, a link or a resource."""
    return {it.key: getattr(it.value, it.value.WhichOneof("value")) for it in of.attributes}


@contextmanager
def receiver(status: int = 200) -> Iterator[Receiver]:
    """Answers with this status while it lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf"):
                receiving.requests.append(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiving = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiving
        finally:
            server.shutdown()
            thread.join()
