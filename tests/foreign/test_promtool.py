"""Metrics, alert rules and the board's queries as Prometheus' own tool sees them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.test_observability import queries
from tests.worker.adapters.test_metrics import busy

pytestmark = pytest.mark.foreign
_RULES = Path(__file__).parents[2] / "deploy" / "observability"


def promtool(*arguments: str, stdin: bytes = b"") -> None:
    """Run it; what it says is shown when it finds something."""
    if "FOREIGN" not in os.environ:
        pytest.skip("these run by `make foreign`")
    if (program := os.environ.get("PROMTOOL") or shutil.which("promtool")) is None:
        pytest.skip("no promtool: install the package prometheus, or name one in PROMTOOL")
    done = subprocess.run([program, *arguments], input=stdin, capture_output=True, check=False, cwd=_RULES)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_the_page_of_metrics_is_clean() -> None:
    """Names, units, kinds and texts are as Prometheus recommends."""
    promtool("check", "metrics", stdin=busy().exposition())


def test_the_rules_are_rules() -> None:
    """Every query parses."""
    promtool("check", "rules", "alerts.yaml")


def test_the_board_asks_in_promql(tmp_path: Path) -> None:
    """Its queries parse, once Grafana has filled its variables in."""
    filled = [
        query.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")
        for _, query in queries()
        if not query.startswith("label_values")
    ]
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(filled)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    promtool("check", "rules", str(file))


def test_each_alert_fires_on_what_it_is_about() -> None:
    """And stays quiet on what is nearly that."""
    promtool("test", "rules", "alerts.test.yaml")
