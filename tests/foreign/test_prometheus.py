"""A real Prometheus that scrapes a real worker; the long run with faults is `make chaos-observed`."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from dev.observability import filled, rules
from dev.observed import incidents
from dev.observed.observation import board_queries
from dev.observed.prometheus import Prometheus, PrometheusUnavailableError, program
from dev.observed.scaled import scaled_rules
from tests.integration.harness import Run, until

pytestmark = [pytest.mark.foreign, pytest.mark.kafka]


@pytest.fixture
def prometheus(foreign: Path, tmp_path: Path) -> Iterator[Prometheus]:
    """With the alert rules, scaled as for the long run."""
    try:
        program()
    except PrometheusUnavailableError as error:
        pytest.skip(str(error))
    alerts = scaled_rules(rules(), incidents.FACTOR, incidents.THRESHOLDS_S)
    with Prometheus(tmp_path / "prometheus", {"groups": [{"name": "run", "rules": alerts}]}) as running:
        yield running


def test_prometheus_counts_what_downstream_finds_and_takes_every_query(
    prometheus: Prometheus, cluster: AnyCluster, bundle: Path, tmp_path: Path
) -> None:
    """Results and dead letters as many as there are; each query of the board, and each rule, is answered."""

    def total(name: str) -> float:
        found = prometheus.query(f"sum(sentiment_worker_{name}_total)", time.time())
        return found[0].samples[0][1] if found else 0

    with Run(cluster, bundle, tmp_path) as run:
        port = run.worker().logged("worker_starting")[0]["http_port"]
        prometheus.targets_file.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"]}]))
        run.send(b"no JSON")
        run.send_reviews(20)
        run.read_all()
        until(
            lambda: (total("results"), total("dead_letters")) == (20, 1), "Prometheus has counted something else"
        )
        answers = {query: prometheus.query(filled(query, "4s"), time.time()) for query in board_queries()}
        assert answers["count by (job) (sentiment_worker_partitions_assigned)"][0].samples[0][1] == 1
        for rule in rules():
            prometheus.query(rule["expr"], time.time())
        with pytest.raises(ValueError, match="parse error"):
            prometheus.query("sum(", time.time())
