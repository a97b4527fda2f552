"""What Prometheus counted of each worker, beside what downstream found of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dev.account import Account, Outcome
from dev.observed.prometheus import Series

Key = tuple[str, str]
"""A counter and the value of its label."""
COUNTERS = {"results": "label", "dead_letters": "reason", "forwarded": "", "abstained": ""}
"""The counters of which the harness knows itself what they come to, each with its label."""


@dataclass(frozen=True)
class Scraped:
    """A worker as the harness knows it: where it was scraped, since when, and whether all it did was seen."""

    name: str
    session: str
    instance: str
    started_s: float
    complete: bool
    """It ran until it was scraped after the last outcome, so that nothing is missing."""


def last_values(
    counters: Mapping[str, Sequence[Series]], starts: Sequence[Series]
) -> dict[str, dict[float, Counter[Key]]]:
    """The last value of each counter by instance and by the start of the process that counted.

    Args:
        counters: The series of each of COUNTERS.
        starts: The series of `process_start_time_seconds`; scraped with them, so at the same times.
    """
    start_at = {(it.labels["instance"], at_s): start for it in starts for at_s, start in it.samples}
    found: dict[str, dict[float, Counter[Key]]] = {}
    for name, label in COUNTERS.items():
        for series in counters[name]:
            instance = series.labels["instance"]
            for at_s, value in series.samples:  # a later one of the same process replaces it
                of_process = found.setdefault(instance, {}).setdefault(start_at[instance, at_s], Counter())
                of_process[name, series.labels.get(label, "")] = int(value)
    return found


def outcomes_by_session(account: Account) -> dict[str, Counter[Key]]:
    """What each worker's session published, duplicates included."""
    found: dict[str, Counter[Key]] = {}
    for outcome in (it for outcomes in account.outcomes.values() for it in outcomes):
        of_session = found.setdefault(outcome.session.rpartition(".")[0], Counter())
        of_session.update(_keys(outcome))
    return found


def _keys(outcome: Outcome) -> Iterable[Key]:
    if outcome.kind == "forwarded":
        yield "forwarded", ""
    elif outcome.kind == "result":
        sentiment = outcome.event["sentiment"]
        yield "results", sentiment["label"]
        if sentiment["abstained"]:
            yield "abstained", ""
    else:
        yield "dead_letters", outcome.kind


@dataclass(frozen=True)
class Tally:
    """What the comparison came to."""

    counted: Counter[Key]
    published: Counter[Key]
    exact: int
    """Workers of which every number was equal."""
    missed: int
    """Outcomes of workers that ended between two scrapes, which Prometheus never saw."""
    problems: tuple[str, ...]


def compare(
    workers: Collection[Scraped],
    values: Mapping[str, Mapping[float, Counter[Key]]],
    published: Mapping[str, Counter[Key]],
) -> Tally:
    """Hold what was scraped of each worker to what it published.

    A worker that ended early may have published more than was scraped of it; none may have counted more.
    """
    counted, total, problems, exact = Counter[Key](), Counter[Key](), [], 0
    by_worker = _by_worker(workers, values)
    for worker in workers:
        scraped = by_worker.get(worker.name, Counter[Key]())
        found = published.get(worker.session, Counter[Key]())
        wrong = {
            key: (scraped[key], found[key])
            for key in scraped.keys() | found.keys()
            if scraped[key] > found[key] or (worker.complete and scraped[key] != found[key])
        }
        problems += [
            f"{worker.name}: {name} {label} is {was} on its page, {is_} downstream"
            for (name, label), (was, is_) in sorted(wrong.items())
        ]
        exact += worker.complete and not wrong
        counted += scraped
        total += found
    return Tally(counted, total, exact, (total - counted).total(), tuple(problems))


def _by_worker(
    workers: Collection[Scraped], values: Mapping[str, Mapping[float, Counter[Key]]]
) -> dict[str, Counter[Key]]:
    """What each worker counted: a process is the one that started nearest, as the kernel tells it to a second."""
    found: dict[str, Counter[Key]] = {}
    for instance, by_start in values.items():
        here = [it for it in workers if it.instance == instance]
        for start, counted in by_start.items() if here else ():
            worker = min(here, key=lambda it: abs(it.started_s - start))
            found[worker.name] = found.get(worker.name, Counter()) + counted
    return found
