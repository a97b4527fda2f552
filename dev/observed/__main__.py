"""The command line: `python -m dev.observed`."""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dev.chaos import report
from dev.chaos.bundle import tiny_bundle
from dev.chaos.run import Plan, run
from dev.kafka import KafkaUnavailableError
from dev.observability import board, rules
from dev.observed import incidents
from dev.observed.counts import Tally, compare, last_values, outcomes_by_session
from dev.observed.observation import Seen, Watch, look
from dev.observed.picture import draw
from dev.observed.prometheus import Prometheus, PrometheusUnavailableError
from dev.observed.scaled import scaled_rules
from dev.observed.verdict import judge

_TAIL_S = 20.0
_EPOCHS = 4
_EXPLAINED = {**incidents.MUST_FIRE, **incidents.MAY_FIRE}


def main() -> int:
    """Run it; 1 when workers broke a promise, or when Prometheus saw something else than what happened."""
    parser = argparse.ArgumentParser(prog="python -m dev.observed", description=__doc__)
    parser.parse_args()
    console = Console()
    folder = Path("runs/observed").absolute()
    bundle = tiny_bundle(Path("runs/observed-model").absolute(), epochs=_EPOCHS)
    shutil.rmtree(folder, ignore_errors=True)
    alerts = scaled_rules(rules(), incidents.FACTOR, incidents.THRESHOLDS_S)
    try:
        with Prometheus(folder / "prometheus", {"groups": [{"name": "run", "rules": alerts}]}) as prometheus:
            return _run(Watch(prometheus), alerts, folder, bundle, console)
    except (KafkaUnavailableError, PrometheusUnavailableError) as error:
        console.print(f"nothing to observe: {error}")
        return 4
    except KeyboardInterrupt:
        console.print("interrupted: nothing is left running")
        return 130


def _run(watch: Watch, alerts: Sequence[Mapping[str, Any]], folder: Path, bundle: Path, console: Console) -> int:
    faults = incidents.incidents()
    plan = Plan(
        faults[-1].at_s + _TAIL_S, faults, "at-least-once", brokers=1, per_second=incidents.PER_SECOND,
        complete=True, environment=incidents.ENVIRONMENT,
    )  # fmt: skip
    outcome = run(plan, folder / "chaos", bundle, console.print, watch.over)
    report.write(outcome, plan, folder / "chaos", seed=None)
    report.show(outcome, plan, console)
    seen = look(watch, alerts)
    tally = compare(
        watch.scraped(outcome.workers),
        last_values(seen.counters, seen.starts),
        outcomes_by_session(outcome.account),
    )
    wrong = judge(
        metrics=seen.metrics, still=incidents.STILL, answers=seen.board, fired=seen.fired,
        must_fire=incidents.MUST_FIRE, may_fire=incidents.MAY_FIRE, tally=tally,
    )  # fmt: skip
    draw(board()["panels"], seen.board, outcome.faults, watch.from_s, folder / "board.svg")
    told = _told(seen, tally, wrong)
    (folder / "observed.json").write_text(json.dumps(told, indent=2) + "\n")
    _show(told, console)
    console.print(f"{folder}/observed.json, board.svg, and chaos/ with the account and the workers' logs")
    return 1 if wrong or outcome.verdict.violations else 0


def _told(seen: Seen, tally: Tally, wrong: Sequence[str]) -> dict[str, Any]:
    return {
        "metrics": len(seen.metrics),
        "still": dict(incidents.STILL),
        "queries": len(seen.board),
        "fired_s": {name: round(at_s) for name, at_s in seen.fired.items()},
        "held": sorted(seen.held),
        "quiet": {**incidents.MUST_NOT_FIRE, **incidents.MAY_FIRE},
        "counted": {
            " ".join(key).strip(): [tally.counted[key], tally.published[key]] for key in sorted(tally.published)
        },
        "workers_equal": tally.exact,
        "missed": tally.missed,
        "wrong": list(wrong),
    }


def _show(told: Mapping[str, Any], console: Console) -> None:
    """The tables that end a run."""
    counts = Table("outcome", "counted", "published", title="what Prometheus counted, and what downstream found")
    for name, (counted, published) in told["counted"].items():
        counts.add_row(name, f"{counted:,}", f"{published:,}")
    console.print(counts)
    table = Table(title="what Prometheus saw", show_header=False)
    fired = [f"{name} at {at_s} s: {_EXPLAINED.get(name, '?')}" for name, at_s in told["fired_s"].items()]
    rows = {
        "metrics asked for": f"{told['metrics']}; {len(told['still'])} of them need not move",
        "queries of the board": str(told["queries"]),
        "workers with equal counts": str(told["workers_equal"]),
        "outcomes never scraped, of workers that ended": str(told["missed"]),
        "alerts": "\n".join(fired) or "none",
        "wrong": "\n".join(told["wrong"]) or "nothing",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
