"""What is wrong, if anything: a pure function of what was sent, what came out and what was done to the workers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dev.account import Account, Position
from dev.chaos.load import Sent


@dataclass(frozen=True)
class Verdict:
    """The account; `violations` are sentences that name what broke."""

    inputs: int
    results: int
    dead_letters: int
    lost: int
    duplicated: int
    out_of_order: int
    condemned_by_chance: int
    """Good records on which a worker happened to be killed while it scored them alone: dead letters, not lost."""
    violations: tuple[str, ...]


def judge(
    sent: Mapping[Position, Sent], account: Account, *, exactly_once: bool, disturbed: Collection[str]
) -> Verdict:
    """Compare what came out with what was promised.

    Args:
        sent: Every acknowledged input, with what it has to come to.
        account: Everything that a reader of committed records found.
        exactly_once: Which promise holds.
        disturbed: Sessions of workers that crashed, were evicted or lost their broker: at least once, what they
            had published and not committed comes again.
    """
    expected = {position: item.expected for position, item in sent.items() if item.expected != "unsendable"}
    lost, duplicated = account.lost(expected), account.duplicated()
    stray = sorted(account.outcomes.keys() - expected.keys())
    kinds = {position: {outcome.kind for outcome in outcomes} for position, outcomes in account.outcomes.items()}
    fatal = {position for position, kind in expected.items() if kind == "crashed_worker"}
    condemned = {position for position, found in kinds.items() if "crashed_worker" in found}
    wrong = sorted(
        position
        for position, found in kinds.items()
        if position in expected
        and (position in fatal - condemned or found - {"crashed_worker", expected[position]})
    )  # fmt: skip
    unexplained = [
        position for position in duplicated
        if exactly_once or account.outcomes[position][0].session.rpartition(".")[0] not in disturbed
    ]  # fmt: skip
    dead = sum(1 for found in kinds.values() if not found <= {"result", "forwarded"})
    found = (
        (lost, "inputs were lost: they have neither result nor dead letter"),
        (unexplained, "inputs have more than one outcome, and no crash or eviction explains that"),
        (account.disorders, "outcomes are out of order within a session"),
        (stray, "outcomes answer inputs that were never sent, or are committed twice over"),
        (wrong, "inputs came to something else than the contract says"),
    )
    return Verdict(
        inputs=len(expected),
        results=len(kinds) - dead,
        dead_letters=dead,
        lost=len(lost),
        duplicated=len(duplicated),
        out_of_order=len(account.disorders),
        condemned_by_chance=len(condemned - fatal),
        violations=tuple(f"{len(items)} {what}; first: {items[0]}" for items, what in found if items),
    )
