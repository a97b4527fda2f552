"""The small HTTP port: `/livez`, `/readyz` and `/metrics`."""

import errno
import json
import socket
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contract.errors import UsageError

Probe = Callable[[], tuple[bool, str]]
"""Whether all is well, and why (not)."""

_EVERY_ADDRESS = "::"
_SILENT_S_MAX = 30.0  # a client that connects and says nothing keeps a thread for so long
_OF_THE_PORT = {errno.EADDRINUSE, errno.EACCES}


class HealthServer:
    """Serves the probes and the metrics from a thread of its own."""

    def __init__(self, host: str, port: int, *, live: Probe, ready: Probe, metrics: Callable[[], bytes]) -> None:
        """Listen.

        Args:
            host: A name or an address; `::` is every address of this machine, those of IPv4 included.
            port: 0 for any that is free.
            live: What `/livez` answers.
            ready: What `/readyz` answers.
            metrics: What `/metrics` answers.

        Raises:
            UsageError: If the port is taken, or the address is not of this machine.
        """
        probes = {"/livez": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = _SILENT_S_MAX

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

            def do_HEAD(self) -> None:
                self.do_GET()

            def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes come every few seconds; nobody wants to read of them."""

        try:
            self._server = _Server(host, port, Handler)
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # one that has hung up, or reads nothing
            super().handle_error(request, client_address)
