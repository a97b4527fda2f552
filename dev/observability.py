"""What is asked of Prometheus: the alert rules and the board of deploy/observability."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

OBSERVABILITY = Path(__file__).parents[1] / "deploy" / "observability"


def rules() -> list[dict[str, Any]]:
    """The alert rules, as they stand in alerts.yaml."""
    (group,) = yaml.safe_load((OBSERVABILITY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def board() -> dict[str, Any]:
    """The board, as Grafana reads it."""
    found: dict[str, Any] = json.loads((OBSERVABILITY / "board.json").read_text(encoding="utf-8"))
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the rules and of the board, with the place where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    yield from ((panel["title"], target["expr"]) for panel in board()["panels"] for target in panel["targets"])
    yield from ((it["name"], it["expr"]) for it in board()["annotations"]["list"])
    for variable in board()["templating"]["list"]:
        if isinstance(variable["query"], dict):
            yield variable["name"], variable["query"]["query"]


def filled(query: str, rate_interval: str) -> str:
    """A query of the board with Grafana's variables filled in: all jobs, all instances."""
    return query.replace("$__rate_interval", rate_interval).replace("$job", ".*").replace("$instance", ".*")
