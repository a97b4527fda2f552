"""Metrics, alert rules and the board's queries, as Prometheus' own tool judges them."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from dev.observability import OBSERVABILITY, filled, queries
from tests.integration.harness import Run
from tests.worker.adapters.test_metrics import busy

pytestmark = pytest.mark.foreign
Promtool = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def promtool(foreign: Path) -> Promtool:
    """Run it; what it says is shown when it finds something. Debian has it in a package."""
    if (program := shutil.which("promtool")) is None:
        pytest.skip("no promtool: install the package prometheus")

    def promtool(*arguments: str, page: bytes = b"") -> None:
        command = [program, *arguments]
        done = subprocess.run(command, input=page, capture_output=True, check=False, cwd=OBSERVABILITY)
        assert (done.returncode, done.stderr.decode()) == (0, ""), (done.stdout + done.stderr).decode()

    return promtool


@pytest.mark.kafka
def test_promtool_finds_nothing_to_say_of_a_workers_metrics(
    promtool: Promtool, cluster: AnyCluster, bundle: Path, tmp_path: Path
) -> None:
    """After results of all kinds: the page parses, and names, types and help are as Prometheus wants them."""
    with Run(cluster, bundle, tmp_path) as run:
        worker = run.worker()
        run.send(b"no JSON")
        run.send(None)
        run.send_reviews(20)
        run.read_all()
        _, page = worker.get("/metrics")
    assert "sentiment_worker_results_total{" in page
    assert "sentiment_worker_dead_letters_total{" in page
    promtool("check", "metrics", page=page.encode())


def test_the_page_of_all_metrics_is_clean(promtool: Promtool) -> None:
    """Each of the table: names, units, kinds and texts are as Prometheus recommends."""
    promtool("check", "metrics", page=busy().exposition())


def test_the_rules_are_rules(promtool: Promtool) -> None:
    """Every query parses."""
    promtool("check", "rules", "alerts.yaml")


def test_the_board_asks_in_promql(promtool: Promtool, tmp_path: Path) -> None:
    """Its queries parse, once Grafana has filled its variables in."""
    asked = [filled(query, "1m") for _, query in queries() if not query.startswith("label_values")]
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    promtool("check", "rules", str(file))


def test_each_alert_fires_on_what_it_is_about(promtool: Promtool) -> None:
    """And stays quiet on what is nearly that."""
    promtool("test", "rules", "alerts.test.yaml")
