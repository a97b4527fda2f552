"""What decides an observed run: scaled rules, places of workers, counts held to counts, and the verdict."""

import re
from collections import Counter
from typing import Any

import pytest

from dev.account import Account, Outcome
from dev.observability import rules
from dev.observed import incidents
from dev.observed.counts import Key, Scraped, Tally, compare, last_values, outcomes_by_session
from dev.observed.observation import board_queries
from dev.observed.picture import legend
from dev.observed.prometheus import Series
from dev.observed.scaled import scaled, scaled_rules
from dev.observed.targets import placed
from dev.observed.verdict import judge
from worker.adapters.metrics_table import TABLE

_GOOD, _BAD = ("results", "positive"), ("dead_letters", "blank_text")
_RUNS = Scraped("worker-1", "s1", "a", 100.0, complete=True)
_ENDED = Scraped("worker-2", "s2", "a", 50.0, complete=False)


def series(*values: float, **labels: str) -> Series:
    return Series(labels, tuple((float(at_s), value) for at_s, value in enumerate(values)))


@pytest.mark.parametrize(
    ("expression", "scaled_by_20"),
    [
        ("rate(x_total[15m])", "rate(x_total[45000ms])"),
        ("deriv(sum by (job) (x)[15m:1m]) > 1", "deriv(sum by (job) (x)[45000ms:3000ms]) > 1"),
        ("rate(x[1d] offset 1d) > 0.05", "rate(x[4320000ms] offset 4320000ms) > 0.05"),
        ('x{le="5m"} > 10', 'x{le="5m"} > 10'),
        ("x_5m + 5e3 + x5m", "x_5m + 5e3 + x5m"),
        ("0m", "0ms"),
    ],
)
def test_durations_are_divided_and_nothing_else_is(expression: str, scaled_by_20: str) -> None:
    """Neither numbers, names nor what stands in quotes."""
    assert scaled(expression, 20) == scaled_by_20


def test_every_rule_is_scaled() -> None:
    """Times and thresholds in seconds; a threshold that is not there is told, not passed over."""
    found = scaled_rules(rules(), incidents.FACTOR, incidents.THRESHOLDS_S)
    assert [it["alert"] for it in found] == [it["alert"] for it in rules()]
    assert [it["alert"] for it in found if re.search(r"\d[smhd]\b", it["expr"] + it["for"])] == []
    by_alert = {it["alert"]: it["expr"] for it in found}
    assert by_alert["SentimentWorkerLatency"].rstrip().endswith("> 3")
    assert "> 9" in by_alert["SentimentWorkerNoProgress"]
    with pytest.raises(ValueError, match="not compared with 61"):
        scaled_rules(rules(), 20, {"SentimentWorkerLatency": 61})


def test_a_successor_takes_the_place_of_who_ended() -> None:
    """As a restarted pod has its address again; who runs keeps its own."""
    places = placed({}, ["a", "b", "c"])
    assert places == {"a": 0, "b": 1, "c": 2}
    assert placed(places, ["a", "c", "d"]) == {"a": 0, "c": 2, "d": 1}
    assert placed({"c": 2}, ["c", "d", "e"]) == {"c": 2, "d": 0, "e": 1}


def test_counters_of_two_processes_at_one_place_are_told_apart() -> None:
    """By the start of the process: a value that grows over a restart would look like one process's."""
    starts = [Series({"instance": "a"}, ((0.0, 50.2), (1.0, 50.2), (2.0, 100.4), (3.0, 100.4)))]
    counters: dict[str, list[Series]] = {
        "results": [series(1, 5, 7, 9, instance="a", label="positive")],
        "dead_letters": [], "forwarded": [], "abstained": [series(0, 0, 1, 1, instance="a")],
    }  # fmt: skip
    assert last_values(counters, starts) == {
        "a": {50.2: {_GOOD: 5, ("abstained", ""): 0}, 100.4: {_GOOD: 9, ("abstained", ""): 1}}
    }


def test_outcomes_are_counted_as_the_worker_counts_them() -> None:
    """By session, duplicates each time; a result by its label, and again if it abstained."""
    account = Account()
    result = b'{"sentiment":{"label":"positive","abstained":%s}}'
    for offset, (kind, session, value) in enumerate(
        [("result", "s1.1", result % b"false"), ("result", "s1.2", result % b"true"), ("forwarded", "s1.2", None),
         ("blank_text", "s2.1", b"{}")]
    ):  # fmt: skip
        account.add("out", Outcome((0, offset), kind, session, None, value, [], 0))
    account.add("out", Outcome((0, 0), "result", "s2.1", None, result % b"false", [], 0))

    assert outcomes_by_session(account) == {
        "s1": {_GOOD: 2, ("abstained", ""): 1, ("forwarded", ""): 1}, "s2": {_GOOD: 1, _BAD: 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("running", "ended", "problems"),
    [
        (5, 3, []),
        (4, 3, ["worker-1: results positive is 4 on its page, 5 downstream"]),
        (6, 3, ["worker-1: results positive is 6 on its page, 5 downstream"]),
        (5, 2, []),
        (5, 4, ["worker-2: results positive is 4 on its page, 3 downstream"]),
    ],
)
def test_who_runs_to_the_end_has_counted_all_and_nobody_has_counted_more(
    running: int, ended: int, problems: list[str]
) -> None:
    """What a worker did between its last scrape and its end is the only thing that may be missing."""
    values = {"a": {100.3: Counter[Key]({_GOOD: running}), 50.1: Counter[Key]({_GOOD: ended})}}
    published = {"s1": Counter[Key]({_GOOD: 5}), "s2": Counter[Key]({_GOOD: 3})}
    tally = compare([_RUNS, _ENDED], values, published)

    assert list(tally.problems) == problems
    assert tally.exact == (running == 5)
    assert tally.counted[_GOOD] == running + ended
    assert tally.missed == max(0, 8 - running - ended)


def test_a_worker_that_was_never_scraped_has_counted_nothing() -> None:
    """Its successor's counts are not its own, and who runs to the end can't have been missed."""
    published = {"s1": Counter[Key]({_GOOD: 5}), "s2": Counter[Key]({_GOOD: 3})}
    assert compare([_ENDED, _RUNS], {"a": {99.4: Counter({_GOOD: 5})}}, published).problems == ()
    assert len(compare([_RUNS], {}, published).problems) == 1


def judged(**more: Any) -> list[str]:
    good: dict[str, Any] = {
        "metrics": {"moves": [series(1, 2)], "moves_too": [series(1), series(2)], "still": [series(1, 1)]},
        "still": ["still"],
        "answers": {"query": [series(float("nan"), 1)]},
        "fired": ["Fires"],
        "must_fire": ["Fires"],
        "may_fire": ["Either"],
        "tally": Tally(Counter(), Counter(), 1, 0, ()),
    }
    return judge(**{**good, **more})


def test_a_run_as_it_should_be_has_nothing_wrong() -> None:
    assert judged() == []
    assert judged(still=["still", "moves"], fired=["Fires", "Either"]) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"metrics": {"gone": [], "still": [series(1)]}}, "metric gone: never seen"),
        ({"still": []}, "metric still: does not move"),
        ({"answers": {"query": [series(float("nan"))]}}, "query query: gives no data"),
        ({"fired": ["Fires", "Other"]}, "alert Other: fired, and should not"),
        ({"fired": []}, "alert Fires: did not fire"),
        ({"tally": Tally(Counter(), Counter(), 0, 0, ("worker-1: wrong",))}, "worker-1: wrong"),
    ],
)
def test_each_thing_that_is_wrong_is_told(more: dict[str, Any], told: str) -> None:
    """And nothing else with it."""
    assert judged(**more) == [told]


def test_every_alert_is_either_to_fire_or_to_be_quiet() -> None:
    """A new one has to be thought about, and each has its reason; so has a metric that need not move."""
    listed = [*incidents.MUST_FIRE, *incidents.MAY_FIRE, *incidents.MUST_NOT_FIRE]
    assert sorted(listed) == sorted(rule["alert"] for rule in rules())
    assert set(incidents.STILL) <= {metric.name for metric in TABLE}
    lists = (incidents.MUST_FIRE, incidents.MAY_FIRE, incidents.MUST_NOT_FIRE, incidents.STILL)
    assert all(reason for listed in lists for reason in listed.values())


def test_a_variable_of_the_board_is_asked_by_its_metric() -> None:
    """Grafana's label_values is no PromQL."""
    assert "count by (job) (sentiment_worker_partitions_assigned)" in board_queries()
    assert not [query for query in board_queries() if "label_values" in query]


def test_a_legend_is_made_of_labels() -> None:
    assert legend("{{topic}}/{{partition}}", {"topic": "in", "partition": "3"}) == "in/3"
    assert legend("95 %", {}) == "95 %"
