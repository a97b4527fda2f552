"""Alert rules, board and runbook, held to the table of metrics and to each other; promtool: tests/foreign."""

import re
from pathlib import Path

import pytest
import yaml

from dev.observability import OBSERVABILITY, board, queries, rules
from worker.adapters.metrics_table import TABLE, Metric
from worker.life import State

_ROOT = Path(__file__).parents[2]
_OF_PROMETHEUS = {"namespace", "job", "instance"}
_SUFFIXES = {"counter": {""}, "gauge": {""}, "histogram": {"_bucket", "_sum", "_count"}}
_LABELS = r"(?:by|on|without|ignoring) ?\(([^)]*)\)"
_NAMES = {metric.name for metric in TABLE}
_SELECTOR = re.compile(r"([a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


def selected(query: str) -> list[tuple[Metric, str]]:
    """The metrics that a query asks for, each with its matchers."""
    series = {metric.name + suffix: metric for metric in TABLE for suffix in _SUFFIXES[metric.kind]}
    found = []
    for name, matchers in _SELECTOR.findall(query):
        if name.startswith(("sentiment_worker", "process_", "python_")):
            assert name in series, f"{name} is on no worker's page"
            found.append((series[name], matchers))
    return found


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_a_query_asks_for_what_there_is(place: str, query: str) -> None:
    """Every metric and label is in the table, and so is every value of a label that is closed."""
    found = selected(query)
    assert found, place
    known = set(_OF_PROMETHEUS) | {"le"}
    for metric, matchers in found:
        known |= set(metric.labels)
        for label, values in _MATCHER.findall(matchers):
            assert label in {*metric.labels, *_OF_PROMETHEUS}, f"{metric.name} has no label {label}"
            allowed = tuple(State) if label == "state" else metric.labels.get(label)
            assert not allowed or set(values.split("|")) <= set(allowed), f"{label} is never {values}"
    grouped = {name.strip() for names in re.findall(_LABELS, query) for name in names.split(",")}
    assert grouped <= known


def test_what_the_checks_above_would_miss_they_do_not() -> None:
    """A metric that is gone is found, in a histogram's series too."""
    for name in ("sentiment_worker_lag", "sentiment_worker_lag_records_bucket", "process_cpu_seconds"):
        with pytest.raises(AssertionError, match="on no worker's page"):
            selected(f"sum(rate({name}[5m]))")


def test_every_alert_has_its_section_of_the_runbook() -> None:
    """And every section its alert: when it fires, in words, what to look at, what to decide and what to do."""
    page = (_ROOT / "docs" / "runbook.md").read_text()
    _, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    assert sorted(section.split("\n")[0] for section in sections) == sorted(rule["alert"] for rule in rules())
    for section in sections:
        assert re.findall(r"^- \*\*(\w+)\*\*: \S", section, re.MULTILINE) == ["When", "Look", "Decide", "Do"]
    told = {section.split("\n")[0]: section.split("- **Look**")[0] for section in sections}
    for rule in rules():
        asked = {metric.name for metric, _ in selected(rule["expr"])}
        assert asked == {name for name in re.findall(r"`([a-z_]+)`", told[rule["alert"]]) if name in _NAMES}
        number, unit = int(rule["for"][:-1]), {"m": "minute", "h": "hour"}[rule["for"][-1]]
        assert not number or f"for {number} {unit}" in told[rule["alert"]]
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}


def test_the_runbook_names_what_there_is() -> None:
    """Metrics, settings and alerts that a section speaks of exist."""
    page = (_ROOT / "docs" / "runbook.md").read_text()
    settings = (_ROOT / "docs" / "settings.md").read_text()
    assert [name for name in re.findall(r"`(WORKER_[A-Z_]+)`", page) if f"`{name}`" not in settings] == []
    alerts = {rule["alert"] for rule in rules()}
    assert set(re.findall(r"SentimentWorker[A-Za-z]+", page)) == alerts
    short = {name.removeprefix("sentiment_worker_") for name in _NAMES}
    assert set(re.findall(r"`([a-z_]+)`", page)) & short <= _NAMES, (
        "metrics stand there in full, to be searched for"
    )
    assert set(re.findall(r"`(sentiment_worker_[a-z_]+)`", page)) <= _NAMES


def test_every_alert_is_tried() -> None:
    """At least once with what it is about, and once with what is nearly that."""
    tests = yaml.safe_load((OBSERVABILITY / "alerts.test.yaml").read_text())["tests"]
    tried = [(it["alertname"], bool(it["exp_alerts"])) for test in tests for it in test["alert_rule_test"]]
    assert set(tried) == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


def test_the_board_has_no_two_panels_in_one_place() -> None:
    """Each has its own id and its own cells of the grid of 24 columns."""
    taken: set[tuple[int, int]] = set()
    panels = board()["panels"]
    for panel in panels:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
