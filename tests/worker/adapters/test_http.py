"""The probes."""

import http.client
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import structlog

from contract.errors import UsageError
from worker.adapters.http import HealthServer
from worker.settings import Settings


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_probes_answer_with_their_reason() -> None:
    """200 or 503 with the reason, 404 for what is not there, and no second server on the same port."""
    server = HealthServer(
        "127.0.0.1",
        0,
        live=lambda: (True, "turning"),
        ready=lambda: (False, "warming up"),
        started=lambda: (False, "not yet"),
        page=lambda: "<!doctype html>…",
        metrics=lambda: b"x 1\n",
    )
    try:
        assert get(server.port, "/livez") == (200, '{"ok": true, "why": "turning"}\n')
        assert get(server.port, "/readyz?verbose") == (503, '{"ok": false, "why": "warming up"}\n')
        assert get(server.port, "/metrics") == (200, "x 1\n")
        assert get(server.port, "/startupz") == (503, '{"ok": false, "why": "not yet"}\n')
        assert get(server.port, "/") == (200, "<!doctype html>…")
        assert get(server.port, "/nowhere")[0] == 404
        with pytest.raises(UsageError, match="WORKER_HTTP_PORT"):
            HealthServer("127.0.0.1", server.port, live=tuple, ready=tuple, started=tuple, metrics=bytes, page=str)  # type: ignore[arg-type]
    finally:
        server.close()


@pytest.fixture
def everywhere() -> Iterator[HealthServer]:
    """A server at the default address."""
    host = Settings.model_fields["http_host"].default
    server = HealthServer(
        host,
        0,
        live=lambda: (True, "turning"),
        ready=lambda: (True, ""),
        started=lambda: (True, ""),
        metrics=lambda: b"x" * 10_000_000,
        page=str,
    )
    yield server
    server.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_default_address_is_reached_by_either_protocol(everywhere: HealthServer, address: str) -> None:
    """A cluster of IPv6, of IPv4 or of both: its probes come in."""
    if address == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    connection = http.client.HTTPConnection(address, everywhere.port)
    connection.request("GET", "/livez")

    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize(
    ("host", "port", "setting"),
    [("no.such.host.invalid", 0, "HOST"), ("192.0.2.1", 0, "HOST"), ("2001:db8::1", 0, "HOST")],
)
def test_the_advice_names_what_is_wrong(host: str, port: int, setting: str) -> None:
    """An address that is not of this machine is not a matter of the port."""
    with pytest.raises(UsageError, match=f"Set WORKER_HTTP_{setting}"):
        HealthServer(host, port, live=tuple, ready=tuple, started=tuple, metrics=bytes, page=str)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/nowhere"])
def test_head_is_get_without_the_body(everywhere: HealthServer, path: str) -> None:
    """The same status and headers, for proxies that look whether a page is there."""
    answers = []
    for method in ("GET", "HEAD"):
        connection = http.client.HTTPConnection("127.0.0.1", everywhere.port)
        connection.request(method, path)
        answer = connection.getresponse()
        answers.append((answer.status, answer.headers["Content-Length"], len(answer.read())))
        connection.close()

    (status, length, read), head = answers
    assert read == int(length) > 0
    assert head == (status, length, 0)


def test_a_page_that_fails_is_a_line_of_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Not a traceback on standard error; and the next request is answered."""

    def fail() -> bytes:
        raise RuntimeError("a bug")

    def well() -> tuple[bool, str]:
        return True, ""

    server = HealthServer("127.0.0.1", 0, live=well, ready=well, started=well, metrics=fail, page=str)
    with structlog.testing.capture_logs() as told:
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            get(server.port, "/metrics")
        assert get(server.port, "/livez")[0] == 200
        server.close()
    assert [line["event"] for line in told] == ["http_request_failed"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("sent", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n"])
def test_a_client_that_hangs_up_is_no_news(
    everywhere: HealthServer, capfd: pytest.CaptureFixture[str], sent: bytes
) -> None:
    """Before, within or after its request, and rudely: nothing is written, and the next one is answered."""
    client = socket.create_connection(("127.0.0.1", everywhere.port))
    client.sendall(sent)
    if sent.endswith(b"\n"):
        client.recv(1)  # the answer is on its way, and longer than what the sockets take
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
    client.close()

    assert get(everywhere.port, "/livez")[0] == 200
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join()
    assert capfd.readouterr().err == ""
