"""The chaos harness: its schedule, its verdict, and a short run on three real brokers."""

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.account import Account, Outcome
from dev.chaos.load import Sent
from dev.chaos.run import Plan, run
from dev.chaos.sabotage import SABOTAGES, scenario
from dev.chaos.schedule import BREAKS_BROKERS, Fault, Kind, schedule
from dev.chaos.verdict import Verdict, judge


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


def outcome(offset: int, kind: str = "result", session: str = "s.1") -> Outcome:
    return Outcome((0, offset), kind, session, b"k", b"{}", [], 0)


def verdict(*outcomes: Outcome, exactly_once: bool = False, disturbed: tuple[str, ...] = ()) -> Verdict:
    account = Account()
    for item in outcomes:
        account.add("out", item)
    sent = {(0, 0): Sent(0, "result"), (0, 1): Sent(0, "too_large"), (0, 2): Sent(0, "unsendable")}
    return judge(sent, account, exactly_once=exactly_once, disturbed=disturbed)


GOOD = (outcome(0), outcome(1, "too_large"))


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (GOOD[:1], "lost"),
        ((*GOOD, outcome(1, "too_large", "t.1")), "more than one outcome"),
        ((GOOD[1], GOOD[0]), "out of order"),
        ((*GOOD, outcome(7)), "never sent"),
        ((outcome(0), outcome(1)), "something else"),
    ],
)
def test_the_verdict_names_what_broke(outcomes: tuple[Outcome, ...], words: str) -> None:
    """Each broken promise is one sentence; a good account has none."""
    assert verdict(*GOOD).violations == ()
    (violation,) = verdict(*outcomes).violations
    assert words in violation
    assert violation.startswith("1 ")


def test_duplicates_need_a_crash_or_an_eviction() -> None:
    """At least once, what a disturbed worker had published may come again; exactly once, nothing may."""
    again = (*GOOD, outcome(0, session="t.1"))

    assert verdict(*again, disturbed=("s",)).violations == ()
    assert verdict(*again, disturbed=("t",)).violations
    assert verdict(*again, exactly_once=True, disturbed=("s",)).violations


@pytest.mark.kafka
def test_a_short_run_on_three_brokers(bundle: Path, tmp_path: Path) -> None:
    """Exactly once under SIGKILL, a broker's death and hostile records: lost 0, duplicated 0, out of order 0."""
    kinds = (Kind.WORKER_KILL, Kind.HOSTILE, Kind.BROKER_KILL, Kind.WORKER_STOP)
    faults = [Fault(8 + 8.0 * number, kind, number, 3.0, alone=True) for number, kind in enumerate(kinds)]
    done = run(Plan(45, faults, "exactly-once"), tmp_path / "chaos", bundle, print)

    assert done.verdict.violations == ()
    assert (done.verdict.lost, done.verdict.duplicated, done.verdict.out_of_order) == (0, 0, 0)
    assert done.verdict.results > 1000
    assert done.verdict.dead_letters > 10
    assert len(done.faults) == len(faults)
    # Whoever is told to stop while a transaction hangs on the dead broker ends with 8: not everything was settled.
    assert set(done.exit_codes) <= {0, 8}


@pytest.mark.kafka
@pytest.mark.parametrize("name", ["swap-two-records"])
def test_a_sabotaged_worker_is_caught(name: str, bundle: Path, tmp_path: Path) -> None:
    """The harness can fail; `make chaos-selftest` tries every sabotage, this is the quickest."""
    done = run(scenario(name), tmp_path / "chaos", bundle, print)

    assert any(SABOTAGES[name].breaks in violation for violation in done.verdict.violations)
