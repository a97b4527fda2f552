"""The small HTTP port: `/livez`, `/readyz` and `/metrics`."""

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from contract.errors import UsageError

Probe = Callable[[], tuple[bool, str]]
"""Whether all is well, and why (not)."""


class HealthServer:
    """Serves the probes and the metrics from a thread of its own."""

    def __init__(self, host: str, port: int, *, live: Probe, ready: Probe, metrics: Callable[[], bytes]) -> None:
        """Listen.

        Raises:
            UsageError: If the port is taken.
        """
        probes = {"/livez": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?", 1)[0]
                if path == "/metrics":
                    self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", metrics())
                elif path in probes:
                    healthy, why = probes[path]()
                    status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
                    body = json.dumps({"ok": healthy, "why": why}).encode()
                    self._answer(status, "application/json", body + b"\n")
                else:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/livez, /readyz or /metrics\n")

            def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes come every few seconds; nobody wants to read of them."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise UsageError(f"can't listen on {host}:{port}: {error}. Set WORKER_HTTP_PORT.") from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
