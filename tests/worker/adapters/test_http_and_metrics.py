"""The HTTP port and what it shows."""

import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.errors import UsageError
from worker.adapters.http import HealthServer
from worker.adapters.metrics import Metrics
from worker.core.records import Partition, Record
from worker.outcomes import Kind, Outgoing


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


def test_the_exposition_parses_and_counts() -> None:
    """Outcomes are counted by kind with few labels, and Prometheus' own parser reads the page."""
    metrics = Metrics()
    record = Record(Partition("in", 0), 0, 0, None, b"")
    for kind, detail in ((Kind.RESULT, "positive"), (Kind.DEAD_LETTER, "blank_text"), (Kind.FORWARDED, "")):
        metrics.outcome(Outgoing(kind, record, record.partition, None, [], detail))
    metrics.lag({Partition("in", 0): 7})
    metrics.lag({Partition("in", 1): 8})

    families = {f.name: f for f in text_string_to_metric_families(metrics.exposition().decode())}

    assert families["sentiment_worker_results"].samples[0].labels == {"label": "positive"}
    assert families["sentiment_worker_dead_letters"].samples[0].labels == {"reason": "blank_text"}
    assert families["sentiment_worker_forwarded"].samples[0].value == 1
    lag = families["sentiment_worker_lag_records"].samples
    assert [(s.labels["partition"], s.value) for s in lag] == [("1", 8)]
