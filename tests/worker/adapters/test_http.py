"""The probes."""

import urllib.error
import urllib.request

import pytest

from contract.errors import UsageError
from worker.adapters.http import HealthServer


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
        metrics=lambda: b"x 1\n",
    )
    try:
        assert get(server.port, "/livez") == (200, '{"ok": true, "why": "turning"}\n')
        assert get(server.port, "/readyz?verbose") == (503, '{"ok": false, "why": "warming up"}\n')
        assert get(server.port, "/metrics") == (200, "x 1\n")
        assert get(server.port, "/")[0] == 404
        with pytest.raises(UsageError, match="WORKER_HTTP_PORT"):
            HealthServer("127.0.0.1", server.port, live=tuple, ready=tuple, metrics=bytes)  # type: ignore[arg-type]
    finally:
        server.close()
