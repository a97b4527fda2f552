"""What is wrong, if anything: a pure function of what was sent, what came out and what was done to the workers."""

import math
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dev.account import Account, Outcome, Position
from dev.chaos.load import Sent

COMMITTED_WITHIN_S = 5.0
"""An outcome older than this was committed before its worker died, unless commits were failing by then."""
_SIGKILLED = -9
_SIGTERMED = -15  # told to stop before Python was so far as to listen
_OVERDUE = 8
_KAFKA_UNFIT = 4
_INPUT_REPLACED = 9


@dataclass(frozen=True)
class Disturbance:
    """A crash or an eviction: what its worker answered in this time, on the observer's clock, may come again."""

    session: str
    from_s: float
    until_s: float = math.inf


@dataclass(frozen=True)
class End:
    """How a worker ended, and what the harness had done to it."""

    name: str
    exit_code: int
    killed: bool = False
    stopped: bool = False
    overdue: bool = False
    """Told to stop, it did not, and was killed in the end."""


@dataclass(frozen=True)
class Damage:
    """What was done to the workers, as far as it excuses anything; the default excuses nothing."""

    disturbances: tuple[Disturbance, ...] = ()
    ends: tuple[End, ...] = ()
    crash_free: bool = False
    fatal_texts: bool = False
    brokers_broken: bool = False
    logs_replaced: bool = False


@dataclass(frozen=True)
class Wrong:
    """What was found wrong besides the account, each in words."""

    answers: Sequence[str] = ()
    """Outcomes of another input than the one at their position."""
    positions: Sequence[str] = ()
    """Partitions of which not all is committed, though every worker ended in good order."""
    faults: Sequence[str] = ()
    """Faults that could not be done as they are meant: nothing is known of what they would have shown."""


@dataclass(frozen=True)
class Verdict:
    """The account; `violations` are sentences that name what broke."""

    inputs: int
    results: int
    dead_letters: int
    lost: int
    duplicated: int
    out_of_order: int
    poison_by_chance: int
    """Good records on which a worker happened to be killed while it scored them alone: dead letters, not lost."""
    violations: tuple[str, ...]
    broken: tuple[Position, ...] = ()
    """Inputs that were lost, or that have more outcomes than is explained."""


def judge(
    sent: Mapping[Position, Sent],
    account: Account,
    *,
    exactly_once: bool,
    damage: Damage,
    arrived_s: Mapping[tuple[Position, str], float],
    gone: Container[Position] = (),
    wrong: Wrong = Wrong(),
) -> Verdict:
    """Compare what came out with what was promised.

    Args:
        sent: Every acknowledged input, with what it has to come to.
        account: Everything that a reader of committed records found.
        exactly_once: Which promise holds.
        damage: What crashed, was evicted or ended, and when.
        arrived_s: When each position was answered by each session, on the clock of the disturbances.
        gone: Inputs that were taken away before they had to be answered.
        wrong: What was found besides.
    """
    expected = _expected(sent, account, gone)
    lost, duplicated = account.lost(expected), account.duplicated()
    stray = sorted(account.outcomes.keys() - expected.keys())
    kinds = {position: {outcome.kind for outcome in outcomes} for position, outcomes in account.outcomes.items()}
    misjudged, by_chance = _misjudged(expected, kinds)
    excuses = () if exactly_once or damage.crash_free else damage.disturbances
    unexplained = [it for it in duplicated if not explained(account.outcomes[it], arrived_s, excuses)]
    deaths = sum(1 for end in damage.ends if end.exit_code == _SIGKILLED)
    dead = sum(1 for found in kinds.values() if not found <= {"result", "forwarded"})
    found: Iterable[tuple[Sequence[object], str]] = (
        (lost, "inputs were lost: they have neither result nor dead letter"),
        (unexplained, "inputs have more than one outcome, and no crash or eviction explains that"),
        ([p for p in duplicated if _ids_differ(account.outcomes[p])], "inputs have results with different ce_id"),
        (account.disorders, "outcomes are out of order within a session"),
        (stray, "outcomes answer inputs that were never sent, or are committed twice over"),
        (misjudged, "inputs came to something else than the contract says"),
        (wrong.answers, "outcomes are not their own input's"),
        (wrong.positions, "partitions are not committed up to their end"),
        (by_chance[deaths:] and by_chance, f"good records were put aside as crashed_worker, in {deaths} deaths"),
        (bad_ends(damage), "workers ended as none should"),
        (wrong.faults, "faults could not be done"),
    )
    return Verdict(
        inputs=len(expected),
        results=len(kinds) - dead,
        dead_letters=dead,
        lost=len(lost),
        duplicated=len(duplicated),
        out_of_order=len(account.disorders),
        poison_by_chance=len(by_chance),
        violations=tuple(f"{len(items)} {what}; first: {items[0]}" for items, what in found if items),
        broken=(*lost, *unexplained),
    )


def _expected(sent: Mapping[Position, Sent], account: Account, gone: Container[Position]) -> dict[Position, str]:
    """What each input has to come to that has to come to something."""
    return {
        position: item.expected
        for position, item in sent.items()
        if item.expected != "unsendable" and (position not in gone or position in account.outcomes)
    }


def _misjudged(
    expected: Mapping[Position, str], kinds: Mapping[Position, set[str]]
) -> tuple[list[Position], list[Position]]:
    """Inputs that came to something else than the contract says, and good ones that became poison by chance."""
    fatal = {position for position, kind in expected.items() if kind == "crashed_worker"}
    poison = {position for position, found in kinds.items() if "crashed_worker" in found}
    wrong = sorted(
        position
        for position, found in kinds.items()
        if position in expected
        and (position in fatal - poison or found - {"crashed_worker", expected[position]})
    )  # fmt: skip
    return wrong, sorted(poison - fatal)


def explained(
    outcomes: Sequence[Outcome],
    arrived_s: Mapping[tuple[Position, str], float],
    disturbances: Collection[Disturbance],
) -> bool:
    """Whether all outcomes of a position but one come from workers disturbed while they answered it.

    Which one comes first says nothing: a worker that was stopped and evicted goes on after its successor.
    """

    def is_excused(outcome: Outcome) -> bool:
        came_s = arrived_s.get((outcome.position, outcome.session), -math.inf)
        session = outcome.session.rpartition(".")[0]
        return any(it.session == session and it.from_s <= came_s <= it.until_s for it in disturbances)

    return sum(not is_excused(outcome) for outcome in outcomes) <= 1


def in_flight_since(crash_s: float, troubles: Collection[tuple[float, float]]) -> float:
    """From when on outcomes may have been uncommitted at a crash: commits failing before it reach further back.

    Args:
        crash_s: When the worker crashed or was evicted.
        troubles: From when until when commits could not succeed.
    """
    since_s = crash_s - COMMITTED_WITHIN_S
    for begin_s, end_s in sorted(troubles, key=lambda it: it[1], reverse=True):
        if end_s >= since_s and begin_s < crash_s:
            since_s = min(since_s, begin_s - COMMITTED_WITHIN_S)
    return since_s


def bad_ends(damage: Damage) -> list[str]:
    """The workers whose end nothing explains, each with its exit code."""
    allowed = set() if damage.crash_free else {_OVERDUE}
    allowed |= {_SIGKILLED} if damage.fatal_texts else set()
    allowed |= {_KAFKA_UNFIT} if damage.brokers_broken else set()
    allowed |= {_INPUT_REPLACED} if damage.logs_replaced else set()
    return [
        f"{end.name} {'did not stop in time' if end.overdue else f'ended with exit code {end.exit_code}'}"
        for end in damage.ends
        if end.overdue
        or not (
            (end.exit_code in {0, _SIGTERMED} and end.stopped)
            or (end.exit_code == _SIGKILLED and end.killed)
            or end.exit_code in allowed
        )
    ]


def _ids_differ(outcomes: Sequence[Outcome]) -> bool:
    """Dead letters have no id of their own: their position is their identity."""
    results = [outcome for outcome in outcomes if outcome.kind in {"result", "forwarded"}]
    return len({dict(outcome.headers).get("ce_id") for outcome in results}) > 1
