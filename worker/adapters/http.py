"""The small HTTP port: `/livez`, `/readyz`, `/startupz` and `/metrics`, and a page for people at `/`."""

import errno
import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import structlog

from contract.errors import UsageError

log = structlog.get_logger(__name__)

Probe = Callable[[], tuple[bool, str]]
"""Whether all is well, and why (not)."""

_EVERY_ADDRESS = "::"
_SILENT_S_MAX = 30.0  # a client that connects and says nothing keeps a thread for so long
_OF_THE_PORT = {errno.EADDRINUSE, errno.EACCES}
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Answer(NamedTuple):
    """What a request gets."""

    status: HTTPStatus
    content_type: str
    body: bytes


def _probed(probe: Probe) -> Answer:
    healthy, why = probe()
    status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, "application/json", json.dumps({"ok": healthy, "why": why}).encode() + b"\n")


def _nowhere() -> Answer:
    return Answer(HTTPStatus.NOT_FOUND, "text/plain", b"/, /livez, /readyz, /startupz or /metrics\n")


def _handler(answers: Mapping[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    """What answers a request, by its path."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENT_S_MAX

        def do_GET(self) -> None:
            answer = answers.get(self.path.split("?", 1)[0], _nowhere)()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds; nobody wants to read of them."""

    return Handler


class HealthServer:
    """Serves the probes, the metrics and the status page, each request on a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Probe,
        ready: Probe,
        started: Probe,
        metrics: Callable[[], bytes],
        page: Callable[[], str],
    ) -> None:
        """Listen.

        Args:
            host: A name or an address; `::` is every address of this machine, those of IPv4 included.
            port: 0 for any that is free.
            live: What `/livez` answers.
            ready: What `/readyz` answers.
            started: What `/startupz` answers.
            metrics: What `/metrics` answers.
            page: The status page, in HTML without any script or address.

        Raises:
            UsageError: If the port is taken, or the address is not of this machine.
        """
        answers: dict[str, Callable[[], Answer]] = {
            "/livez": partial(_probed, live),
            "/readyz": partial(_probed, ready),
            "/startupz": partial(_probed, started),
            "/metrics": lambda: Answer(HTTPStatus.OK, _METRICS, metrics()),
            "/": lambda: Answer(HTTPStatus.OK, "text/html; charset=utf-8", page().encode()),
        }

        try:
            self._server = _Server(host, port, _handler(answers))
        except OSError as error:
            setting = "WORKER_HTTP_PORT" if error.errno in _OF_THE_PORT else "WORKER_HTTP_HOST"
            raise UsageError(f"can't listen on {host} port {port}: {error}. Set {setting}.") from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        if host == _EVERY_ADDRESS and not socket.has_dualstack_ipv6():
            host = "0.0.0.0"  # noqa: S104 - the same, where there is no IPv6
        found = {family for family, *_ in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        self.address_family = socket.AF_INET if socket.AF_INET in found else socket.AF_INET6
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        error = sys.exception()
        if not isinstance(error, OSError):  # one that has hung up, or reads nothing
            log.error("http_request_failed", exc_info=error)
