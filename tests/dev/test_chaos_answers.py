"""What the chaos harness asks of an outcome that is there: that it is of its own input, in its own log."""

import json
from typing import Any

import pytest

from dev.account import Account, Outcome, Position
from dev.chaos.answers import PROBABILITY_DELTA_MAX, not_their_own
from dev.chaos.load import LOG, NUMBER_HEADER, Load, Sent
from dev.chaos.verdict import Damage, End, Wrong, judge

GOOD, BAD, BROKEN = b'{"reviewText":"good" }', b'{"reviewText":"bad" }', b'{"reviewText":'
SHARES = {
    GOOD: {"negative": 0.1, "neutral": 0.2, "positive": 0.7},
    BAD: {"negative": 0.8, "neutral": 0.1, "positive": 0.1},
}


def outcome(offset: int, kind: str, value: bytes | None, number: int | None = None) -> Outcome:
    headers = [] if number is None else [(NUMBER_HEADER, b"%d" % number)]
    return Outcome((0, offset), kind, "s.1", b"k", value, headers, 0, "out/0/0")


def result(offset: int, event: bytes, shares: dict[str, float] | None = None) -> Outcome:
    member = json.dumps({"probabilities": shares or SHARES[event]}).encode()
    return outcome(offset, "result", event[:-1] + b',"sentiment":' + member + b"}")


def found(*outcomes: Outcome) -> list[str]:
    """What is wrong with these, where a good event, a bad one and a broken one were sent."""
    sent = {
        (0, 0): Sent(0, "result", GOOD),
        (0, 1): Sent(0, "result", BAD),
        (0, 2): Sent(0, "invalid_json", BROKEN),
    }
    account = Account()
    for item in outcomes:
        account.add("out", item)
    return not_their_own(sent, account, lambda value: SHARES[value])


def near(share: float) -> dict[str, float]:
    return {**SHARES[GOOD], "positive": SHARES[GOOD]["positive"] + share}


def test_own_answers_are_let_pass() -> None:
    """Scored in a batch, a text has the probabilities that it has alone, up to the last digits."""
    assert found(result(0, GOOD, near(PROBABILITY_DELTA_MAX / 2)), result(1, BAD), outcome(2, "x", BROKEN)) == []
    assert found(outcome(2, "output_too_large", b"")) == [], "a hash stands for a value that does not fit"


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ((result(0, GOOD, SHARES[BAD]), result(1, BAD, SHARES[GOOD])), "scored alone"),
        ((result(0, GOOD, near(2 * PROBABILITY_DELTA_MAX)),), "scored alone"),
        ((result(0, BAD),), "byte for byte"),
        ((outcome(0, "result", result(0, GOOD).value.replace(b" ", b"")),), "byte for byte"),  # type: ignore[union-attr]
        ((outcome(2, "invalid_json", GOOD),), "another input's"),
    ],
)
def test_what_is_another_inputs_is_named(outcomes: tuple[Outcome, ...], words: str) -> None:
    """Each such outcome is named with where it stands."""
    wrong = found(*outcomes)

    assert len(wrong) == len(outcomes)
    assert all(words in it and it.startswith("out/0/0 for (0, ") for it in wrong)


def verdict(account: Account, sent: dict[Position, Sent], **more: Any) -> tuple[str, ...]:
    damage = Damage(ends=more.pop("ends", ()), logs_replaced=more.pop("logs_replaced", False))
    return judge(sent, account, exactly_once=False, damage=damage, arrived_s={}, **more).violations


def test_the_verdict_names_wrong_answers_and_positions() -> None:
    """However complete the account is."""
    (answers,) = verdict(Account(), {}, wrong=Wrong(answers=["out/0/0 for (0, 1): …"]))
    (positions,) = verdict(Account(), {}, wrong=Wrong(positions=["reviews/0 at 5 of 9"]))

    assert answers.startswith("1 outcomes are not their own input's; first: out/0/0")
    assert positions.startswith("1 partitions are not committed up to their end; first: reviews/0 at 5")


def test_what_was_taken_away_need_not_be_answered_but_may_be() -> None:
    """An unread record of a deleted topic is not lost; its answer, if it came, is no stray; and 9 is in order."""
    account, sent = Account(), {(0, 0): Sent(0, "result", GOOD), (0, 1): Sent(0, "result", BAD)}
    account.add("out", result(0, GOOD))

    assert len(verdict(account, sent)) == 1
    assert verdict(account, sent, gone={(0, 0), (0, 1)}) == ()
    assert verdict(account, sent, gone={(0, 1)}, ends=(End("w", 9),), logs_replaced=True) == ()
    assert len(verdict(account, sent, gone={(0, 1)}, ends=(End("w", 9),))) == 1


def test_an_outcome_is_booked_in_the_log_of_its_input() -> None:
    """The same offset of two logs is two inputs: the number that came along tells which."""
    load = Load("nowhere:1", "in", 2, 1.0)
    load._first_numbers = [0, 10, 20]

    places = [load.place(outcome(5, "result", b"{}", number)) for number in (9, 10, 25, None)]
    assert places == [(0, 5), (LOG, 5), (2 * LOG, 5), (0, 5)]


def test_the_ends_are_of_the_present_log() -> None:
    """What has to be committed in the end is where the last log ends, whatever the ones before had."""
    load = Load("nowhere:1", "in", 2, 1.0)
    load._first_numbers = [0, 10]
    load.sent = dict.fromkeys([(0, 99), (LOG, 3), (LOG + 1, 7), (LOG, 4)], Sent(0, "result"))

    assert load.ends() == {0: 5, 1: 8}
