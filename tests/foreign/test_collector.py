"""A worker's traces, as OpenTelemetry's own Collector reads them."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dev.kafka import AnyCluster
from tests.integration.harness import Run, until
from tests.traced_pipeline import PARENT, SAMPLED, TRACE

pytestmark = [pytest.mark.foreign, pytest.mark.kafka]

_CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{file: {{path: {file}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}
"""


@pytest.fixture
def collected(foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file to which a Collector writes what it receives, while it lasts; workers know where it listens."""
    if not (program := foreign / "collector").exists():
        pytest.skip("no Collector: `make foreign` builds it where there is Go")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    config, file = tmp_path / "collector.yaml", tmp_path / "traces.jsonl"
    config.write_text(_CONFIG.format(port=port, file=file))
    with subprocess.Popen([program, f"--config=file:{config}"]) as collector:
        try:
            until(lambda: _listens(port), "the Collector does not listen")
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
            yield file
        finally:
            collector.terminate()
    assert collector.returncode == 0


def test_the_collector_reads_what_a_worker_sends(
    collected: Path, cluster: AnyCluster, bundle: Path, tmp_path: Path
) -> None:
    """Windows linked to their events, and an event's trace from its producer's span by ours to its result."""
    with Run(cluster, bundle, tmp_path, partitions=1) as run:
        worker = run.worker(tracing=True)
        run.send(b'{"text": "good"}', headers=[("traceparent", SAMPLED.encode())])
        run.producer.flush()
        run.read_all()
        worker.terminate()
        assert worker.wait(20) == 0
        until(lambda: bool(_spans(collected, "process")), "nothing has come")

        (window,), (ours,) = _spans(collected, f"process {run.input_topic}"), _spans(collected, "create")
        (link,) = window["links"]
        assert (link["traceId"], link["spanId"]) == (TRACE, PARENT)
        assert (ours["traceId"], ours["parentSpanId"]) == (TRACE, PARENT)
        assert [it["spanId"] for it in ours["links"]] == [window["spanId"]]
        assert {it["parentSpanId"] for it in _spans(collected, "infer")} == {window["spanId"]}
        headers = dict(run.account.outcomes[0, 0][0].headers)
        assert headers["traceparent"] == f"00-{TRACE}-{ours['spanId']}-01".encode()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _spans(file: Path, start: str) -> list[dict[str, Any]]:
    """The spans in a Collector's file whose names begin so."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [
        span
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
        if span["name"].startswith(start)
    ]
