"""What a worker under load shows to those who watch it: metrics, status page and log."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dev.kafka import AnyCluster
from tests.integration.harness import Run, until
from worker.adapters.metrics_table import TABLE

pytestmark = pytest.mark.kafka

CANARY = "canarytext"


def test_a_worker_shows_what_it_does_and_no_text(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> None:
    """Its page of metrics is the table, and counts what came out; no page or line has anything of a record."""
    with Run(cluster, bundle, tmp_path, partitions=2) as run:
        worker = run.worker(log_level="debug", summary_interval_ms=500)
        run.send_reviews(150, f"a quite good {CANARY}")
        for value in (CANARY.encode(), b'{"title": "%s"}' % CANARY.encode()):
            run.send(value, key=CANARY.encode(), headers=[(CANARY, CANARY.encode())])
        run.read_all()
        until(lambda: worker.metric("sentiment_worker_results_total") == 150, "results are not counted")
        until(lambda: worker.metric("sentiment_worker_dead_letters_total") == 2, "dead letters are not counted")
        names = {
            family.name + ("_total" if family.type == "counter" else "")
            for family in text_string_to_metric_families(worker.get("/metrics")[1])
        }
        assert names - {"sentiment_worker_model_failures_total"} == {
            metric.name for metric in TABLE if metric.name != "sentiment_worker_model_failures_total"
        }
        assert worker.metric("sentiment_worker_latency_seconds_count") == 150
        assert [worker.get(path)[0] for path in ("/livez", "/readyz", "/startupz")] == [200, 200, 200]
        page = worker.get("/")[1].replace("<wbr>", "")
        assert "missing_text" in page
        worker.terminate()

        assert worker.wait(20) == 0
        log = worker.log_file.read_text()
        assert all(line.startswith("{") for line in log.splitlines())
        assert sum(it["records"] for it in worker.logged("window_delivered")) == 152
        (stopped,) = worker.logged("worker_stopped")
        assert (stopped["records"], stopped["results"], stopped["dead_letters"]) == (152, 150, 2)
        assert CANARY not in log + page
