"""What Prometheus saw of a run, asked for when everything is answered."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dev.chaos.fleet import Fleet, Replica
from dev.observability import board, filled
from dev.observed.counts import COUNTERS, Scraped
from dev.observed.prometheus import SCRAPE_S, Prometheus, Series
from dev.observed.targets import Targets
from worker.adapters.metrics_table import PREFIX, TABLE, Metric

_SEEN_S = 4 * SCRAPE_S
"""Until the last outcomes are on the pages, and the pages scraped."""
_RATE_INTERVAL = f"{4 * SCRAPE_S:.0f}s"
"""What Grafana puts for `$__rate_interval`: four scrapes."""


@dataclass
class Watch:
    """Has a fleet scraped while it works."""

    prometheus: Prometheus
    from_s: float = 0.0
    until_s: float = 0.0
    """Seconds since 1970."""
    instances: dict[str, str] = field(default_factory=dict)
    """The instance that each worker was scraped as, by its name."""
    complete: set[str] = field(default_factory=set)
    """The workers that were scraped after the last outcome."""

    @contextlib.contextmanager
    def over(self, fleet: Fleet) -> Iterator[None]:
        """Watch it until all is answered; nothing may be left to do by then."""
        targets = Targets(self.prometheus.targets_file, fleet)
        targets.start()
        self.from_s = time.time()
        yield
        self.complete = {replica.name for replica in fleet.running()}
        time.sleep(_SEEN_S)
        self.complete &= {replica.name for replica in fleet.running()}
        self.until_s = time.time()
        targets.end()
        self.instances = targets.instances

    def scraped(self, workers: Sequence[Replica]) -> list[Scraped]:
        """The workers that came so far as to have a session, as the harness knows them."""
        wall_s = time.time() - time.monotonic()
        return [
            Scraped(
                it.name, serving[0]["session"], self.instances.get(it.name, ""), it.started_s + wall_s,
                it.name in self.complete,
            )
            for it in workers
            if (serving := it.process.logged("worker_serving"))
        ]  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """The answers to all that is asked of a run."""

    metrics: Mapping[str, Sequence[Series]]
    """The samples of each metric of the table, by its name."""
    starts: Sequence[Series]
    counters: Mapping[str, Sequence[Series]]
    """The samples of each of COUNTERS."""
    board: Mapping[str, Sequence[Series]]
    """By query, as it stands on the board."""
    fired: Mapping[str, float]
    """The alerts that fired, with the seconds after the start when each first did."""
    held: frozenset[str]
    """The alerts whose expression held at some moment."""


def look(watch: Watch, alerts: Sequence[Mapping[str, str]]) -> Seen:
    """Ask for everything.

    Args:
        watch: The run.
        alerts: The rules that Prometheus had.

    Raises:
        ValueError: If Prometheus refuses a query.
    """
    ask, at_s, lasted = watch.prometheus.query, watch.until_s, f"[{round(watch.until_s - watch.from_s)}s]"

    def over_the_run(query: str) -> list[Series]:
        return watch.prometheus.query_range(query, watch.from_s, watch.until_s, SCRAPE_S)

    firing = over_the_run('ALERTS{alertstate="firing"}')
    names = {it.labels["alertname"] for it in firing}
    return Seen(
        metrics={metric.name: ask(_samples_of(metric) + lasted, at_s) for metric in TABLE},
        starts=ask(f"process_start_time_seconds{lasted}", at_s),
        counters={name: ask(f"{PREFIX}{name}_total{lasted}", at_s) for name in COUNTERS},
        board={query: over_the_run(filled(query, _RATE_INTERVAL)) for query in board_queries()},
        fired={
            name: min(it.samples[0][0] for it in firing if it.labels["alertname"] == name) - watch.from_s
            for name in sorted(names)
        },
        held=frozenset(rule["alert"] for rule in alerts if over_the_run(rule["expr"])),
    )


def _samples_of(metric: Metric) -> str:
    return metric.name + ("_count" if metric.kind == "histogram" else "")


def board_queries() -> list[str]:
    """Every query of the board's panels and annotations; its variables' as the metric that they take values of."""
    found = [target["expr"] for panel in board()["panels"] for target in panel["targets"]]
    found += [it["expr"] for it in board()["annotations"]["list"]]
    for variable in board()["templating"]["list"]:
        if isinstance(variable["query"], dict):
            metric, label = (
                variable["query"]["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            )
            found.append(f"count by ({label}) ({metric})")
    return found
