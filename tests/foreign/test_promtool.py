"""A real worker's metrics, as Prometheus' own tool judges them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from tests.integration.harness import Run

pytestmark = [pytest.mark.foreign, pytest.mark.kafka]


@pytest.fixture(scope="session", autouse=True)
def promtool(foreign: Path) -> str:
    """Where it is; Debian has it in a package."""
    if (found := shutil.which("promtool")) is None:
        pytest.skip("no promtool: install the package prometheus")
    return found


def test_promtool_finds_nothing_to_say_of_a_workers_metrics(
    promtool: str, cluster: AnyCluster, bundle: Path, tmp_path: Path
) -> None:
    """After results of all kinds: the page parses, and names, types and help are as Prometheus wants them."""
    with Run(cluster, bundle, tmp_path) as run:
        worker = run.worker()
        run.send(b"no JSON")
        run.send(None)
        run.send_reviews(20)
        run.read_all()
        _, page = worker.get("/metrics")

    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False)

    assert "sentiment_worker_results_total{" in page
    assert "sentiment_worker_dead_letters_total{" in page
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
