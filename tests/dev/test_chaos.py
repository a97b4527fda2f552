"""The chaos harness: its schedule, its verdict, and a short run on three real brokers."""

import itertools
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from dev.account import Account, Auditor, Outcome
from dev.chaos.cluster_faults import ClusterFaults
from dev.chaos.faults import WORKERS_MAX, Faults
from dev.chaos.fleet import Fleet
from dev.chaos.load import Load, Sent
from dev.chaos.observer import Observer
from dev.chaos.run import Plan, run
from dev.chaos.sabotage import SABOTAGES, scenario
from dev.chaos.schedule import BREAKS_BROKERS, Fault, Kind, schedule
from dev.chaos.verdict import Damage, Disturbance, End, Verdict, Wrong, in_flight_since, judge
from dev.kafka import Cluster


@given(st.integers(0, 10**6), st.integers(20, 2000))
def test_a_schedule_is_fixed_by_its_seed(seed: int, duration_s: int) -> None:
    """Same seed, same faults; in order, inside the run, and never two brokers in one slot."""
    faults = schedule(seed, duration_s)

    assert faults == schedule(seed, duration_s)
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
    assert all(fault.at_s < duration_s for fault in faults)
    pairs = itertools.pairwise(faults)
    assert not any(a.kind in BREAKS_BROKERS and b.kind in BREAKS_BROKERS and b.at_s - a.at_s < 4 for a, b in pairs)


def test_twenty_minutes_hold_every_kind_and_half_of_the_faults_alone() -> None:
    """More than sixty faults, each kind several times."""
    faults = schedule(1, 1200)
    kinds = Counter(fault.kind for fault in faults)

    assert len(faults) >= 60
    assert set(kinds) == set(Kind)
    assert min(kinds.values()) >= 5
    assert abs(sum(fault.alone for fault in faults) - len(faults) / 2) <= 1


def test_a_mix_of_ones_own_holds_these_kinds_alone() -> None:
    """And each has a name of its own to ask for it."""
    faults = schedule(1, 600, [Kind.QUOTA, Kind.REFUSED])

    assert {fault.kind for fault in faults} == {Kind.QUOTA, Kind.REFUSED}
    assert len({kind.option for kind in Kind}) == len(Kind)


def outcome(offset: int, kind: str = "result", session: str = "s.1", cluster: str = "c") -> Outcome:
    headers = [] if kind == "too_large" else [("ce_id", f"{cluster}/in/0/{offset}".encode())]
    return Outcome((0, offset), kind, session, b"k", b"{}", headers, 0)


def verdict(*outcomes: Outcome, exactly_once: bool = False, came_s: Any = None, **damage: Any) -> Verdict:
    """The verdict on two inputs and one that can't be sent on; `came_s` by session, else 100."""
    account = Account()
    for item in outcomes:
        account.add("out", item)
    sent = {(0, 0): Sent(0, "result"), (0, 1): Sent(0, "too_large"), (0, 2): Sent(0, "unsendable")}
    arrived_s = {(item.position, item.session): (came_s or {}).get(item.session, 100) for item in outcomes}
    return judge(sent, account, exactly_once=exactly_once, damage=Damage(**damage), arrived_s=arrived_s)


def crash(session: str, at_s: float = 102, *troubles: tuple[float, float]) -> tuple[Disturbance, ...]:
    return (Disturbance(session, in_flight_since(at_s, troubles)),)


GOOD = (outcome(0), outcome(1, "too_large"))


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (GOOD[:1], "lost"),
        ((*GOOD, outcome(1, "too_large", "t.1")), "more than one outcome"),
        ((GOOD[1], GOOD[0]), "out of order"),
        ((*GOOD, outcome(7)), "never sent"),
        ((outcome(0), outcome(1)), "something else"),
        ((outcome(0, "crashed_worker"), GOOD[1]), "put aside as crashed_worker, in 0 deaths"),
    ],
)
def test_the_verdict_names_what_broke(outcomes: tuple[Outcome, ...], words: str) -> None:
    """Each broken promise is one sentence; a good account has none."""
    assert verdict(*GOOD).violations == ()
    (violation,) = verdict(*outcomes).violations
    assert words in violation
    assert violation.startswith("1 ")


def test_duplicates_need_a_crash_or_an_eviction() -> None:
    """At least once, what a disturbed worker had in flight may come again; exactly once, nothing may."""
    again = (*GOOD, outcome(0, session="t.1"))

    assert verdict(*again, disturbances=crash("s")).violations == ()
    assert verdict(*again, disturbances=crash("u")).violations
    assert verdict(*again, exactly_once=True, disturbances=crash("s")).violations
    assert verdict(*again, crash_free=True, disturbances=crash("s")).violations, "good order excuses nothing"


def test_a_crash_explains_only_what_was_in_flight_at_it() -> None:
    """Long committed outcomes must not come again; while commits fail, more is in flight."""
    again = (*GOOD, outcome(0, session="t.1"))

    assert verdict(*again, disturbances=crash("s", 130)).violations
    assert verdict(*again, disturbances=crash("s", 130, (50, 60))).violations, "commits failed, but long before"
    assert verdict(*again, disturbances=crash("s", 130, (104, 110), (113, 127))).violations == ()


def test_an_evicted_worker_may_write_after_its_successor() -> None:
    """A stopped worker goes on with the window that it had: the duplicate is its own, though it comes second."""
    again = (*GOOD, outcome(0, session="paused.1"))

    assert verdict(*again, disturbances=crash("paused")).violations == ()
    assert verdict(*again, outcome(0, session="third.1"), disturbances=crash("paused")).violations


def test_one_worker_after_the_other_may_die_on_a_position() -> None:
    """Each outcome is held against the crash of its own worker, not against when the first one came."""
    again = (*GOOD, outcome(0, session="t.1"), outcome(0, session="u.1"))
    crashes = (*crash("s", 102), *crash("t", 122))

    assert verdict(*again, came_s={"t.1": 120, "u.1": 140}, disturbances=crashes).violations == ()
    assert verdict(*again, came_s={"t.1": 110, "u.1": 140}, disturbances=crashes).violations


def test_duplicates_carry_the_same_id() -> None:
    """However a duplicate came about, downstream can tell it by `ce_id`."""
    (violation,) = verdict(*GOOD, outcome(0, session="t.1", cluster="other"), disturbances=crash("s")).violations

    assert "different ce_id" in violation


@pytest.mark.parametrize(
    ("end", "excuses", "bad"),
    [
        (End("w", 0, stopped=True), {"crash_free": True}, False),
        (End("w", -15, stopped=True), {"crash_free": True}, False),
        (End("w", 0), {}, True),
        (End("w", 1), {}, True),
        (End("w", 8), {}, False),
        (End("w", 8, stopped=True), {"crash_free": True}, True),
        (End("w", -9, killed=True), {}, False),
        (End("w", -9), {}, True),
        (End("w", -9), {"fatal_texts": True}, False),
        (End("w", -9, stopped=True, overdue=True), {"fatal_texts": True}, True),
        (End("w", -11, killed=True), {}, True),
        (End("w", 4), {}, True),
        (End("w", 4), {"brokers_broken": True}, False),
    ],
)
def test_every_end_of_a_worker_needs_a_reason(end: End, excuses: dict[str, bool], bad: bool) -> None:
    """A worker that ends by itself, or not when it is told to, is a violation, whatever was delivered."""
    assert bool(verdict(*GOOD, ends=(end,), **excuses).violations) is bad


def test_recovery_is_of_every_partition_or_is_not_seen() -> None:
    """Until the last partition answers what was sent after the fault; where one never does, None."""
    load = Load("nowhere:1", "in", 2, 1.0)
    load.sent = {(0, 0): Sent(1, "result"), (0, 1): Sent(6, "result"), (1, 0): Sent(7, "result")}
    observer = Observer(cast("Auditor", None), load)
    observer.arrivals = [(6.5, (0, 0)), (7.5, (0, 1))]
    assert observer.recovery_s(5) is None

    observer.arrivals.append((9, (1, 0)))
    assert observer.recovery_s(5) == 4


def test_an_acknowledgement_without_an_offset_leaves_the_books_open() -> None:
    """Such an input is looked up in the topic at the end; until then it stands nowhere."""
    load = Load("nowhere:1", "in", 2, 1.0)
    for number, offset in ((0, 7), (1, None), (2, -1001)):
        message = SimpleNamespace(partition=lambda: 1, offset=lambda offset=offset: offset)
        load._on_delivery(number, Sent(0, "result"), None, cast("Message", message))

    assert list(load.sent) == [(1, 7)]
    assert load._acknowledged.keys() == {0, 1, 2}


def test_scaling_at_its_limit_goes_the_other_way(tmp_path: Path) -> None:
    """A fault that does nothing is none, and is not counted as one."""
    fleet = Fleet(tmp_path, "none", {}, wanted=WORKERS_MAX)
    faults = Faults(
        cast("Cluster", None), fleet, cast("Load", None), tmp_path / "slow", cast("ClusterFaults", None)
    )

    for kind in (Kind.SCALE_UP, Kind.SCALE_UP):
        faults.begin(Fault(0, kind, 0, 0, alone=True), calm=True)
        faults.wait()

    assert [done.fault.kind for done in faults.done] == [Kind.SCALE_DOWN, Kind.SCALE_UP]
    assert fleet.wanted == WORKERS_MAX


def test_a_fault_that_can_not_be_done_is_a_violation(tmp_path: Path) -> None:
    """The rest of the run is judged all the same; what was not tried is not called stood."""
    fleet = Fleet(tmp_path, "none", {}, wanted=1)
    faults = Faults(
        cast("Cluster", None), fleet, cast("Load", None), tmp_path / "slow", cast("ClusterFaults", None)
    )
    faults.begin(Fault(0, Kind.HOSTILE, 0, 0, alone=True), calm=True)
    faults.wait()

    assert faults.done == []
    (violation,) = judge(
        {}, Account(), exactly_once=True, damage=Damage(), arrived_s={}, wrong=Wrong(faults=faults.failed)
    ).violations
    assert violation.startswith("1 faults could not be done; first: hostile records: AttributeError")


@pytest.mark.kafka
def test_a_short_run_on_three_brokers(bundle: Path, tmp_path: Path) -> None:
    """Exactly once under SIGKILL, a broker's death and hostile records: lost 0, duplicated 0, out of order 0."""
    kinds = (Kind.WORKER_KILL, Kind.HOSTILE, Kind.BROKER_KILL, Kind.WORKER_STOP)
    faults = [Fault(8 + 8.0 * number, kind, number, 3.0, alone=True) for number, kind in enumerate(kinds)]
    done = run(Plan(45, faults, "exactly-once", complete=True), tmp_path / "chaos", bundle, print)

    assert done.verdict.violations == ()
    assert (done.verdict.lost, done.verdict.duplicated, done.verdict.out_of_order) == (0, 0, 0)
    assert done.verdict.results > 1000
    assert done.verdict.dead_letters > 10
    assert len(done.faults) == len(faults)
    # One told to stop while a transaction hangs on the dead broker ends with 8: not everything was settled.
    assert set(done.exit_codes) <= {0, 8}


@pytest.mark.kafka
def test_a_topic_recreated_ends_workers_as_asked_and_loses_nothing(bundle: Path, tmp_path: Path) -> None:
    """They end with 9, their successors answer all of the new topic, and the account knows both logs."""
    faults = [Fault(5, Kind.TOPIC_RECREATED_PAUSED, 0, 0, alone=True)]
    plan = Plan(10, faults, "at-least-once", brokers=1, workers=2, complete=True)
    done = run(plan, tmp_path / "chaos", bundle, print)

    assert done.verdict.violations == ()
    assert done.verdict.results > 6 * 250
    assert "WORKER_ALLOW_REPLACED=true goes on at" in (tmp_path / "chaos" / "worker-1.log").read_text()
    assert set(done.exit_codes) == {0}


@pytest.mark.kafka
@pytest.mark.parametrize("name", ["swap-two-records", "swap-two-answers"])
def test_a_sabotaged_worker_is_caught(name: str, bundle: Path, tmp_path: Path) -> None:
    """The harness can fail; `make chaos-selftest` tries every sabotage, these are the quickest."""
    done = run(scenario(name), tmp_path / "chaos", bundle, print)

    assert any(SABOTAGES[name].breaks in violation for violation in done.verdict.violations)
