"""Who is in the group, and where it would go on."""

import time

import pytest

from worker.adapters.kafka_members import Member
from worker.adapters.kafka_view import Group, Position, Topic
from worker.preflight.checks import State
from worker.preflight.group import clock_check, group_checks, position_checks
from worker.settings import Settings

_SETTINGS = Settings(bundle="b", group_instance_id="a-1")
_TOPIC = Topic("reviews", partitions=2, topic_id="new")
_OURS = Group("Stable", "consumer", "cooperative-sticky", 2, None)


@pytest.mark.parametrize(
    ("group", "state", "found"),
    [
        (Group("Dead", "", "", 0, None), "ok", "none yet"),
        (Group("Empty", "consumer", "", 0, None), "ok", "none yet"),
        (_OURS, "ok", "Stable, 2 members"),
        (_OURS._replace(assignor="range"), "failed", "share by range"),
        (Group("Stable", "connect", "sessioned", 2, None), "failed", "a group of connect"),
    ],
)
def test_a_group_of_another_program_is_told(group: Group, state: str, found: str) -> None:
    """Its members would refuse us, or we would get their topics' partitions."""
    members, instance = group_checks(group, _SETTINGS)
    assert (members.state, instance.state) == (state, "ok")
    assert found in members.found


def test_who_has_our_instance_id_is_told() -> None:
    """It may be the replica whose place this one takes, so it is no failure."""
    held = _OURS._replace(holder=Member("a-1-uuid", "10.0.0.7"))
    (_, instance) = group_checks(held, _SETTINGS)
    assert (instance.state, instance.found) == (State.WARNING, "member a-1-uuid at 10.0.0.7 has a-1")
    assert [it.name for it in group_checks(held, Settings(bundle="b"))] == ["members", "instance"]


@pytest.mark.parametrize(
    ("position", "allowed", "code", "found"),
    [
        (Position(0, 5, "", 0, 9), "", 0, "of 1 of 2 partitions; 4 records behind"),
        (Position(0, 5, "new", 5, 5), "", 0, "0 records behind"),
        (Position(0, 5, "new", 6, 9), "", 7, "unread events are gone from reviews/0 at 5"),
        (Position(0, 5, "new", 6, 9), "allow_expired", 0, "3 records behind"),
        (Position(0, 9, "new", 0, 5), "", 9, "reviews/0 at 9 behind the end of the log"),
        (Position(0, 5, "old", 6, 9), "", 9, "reviews/0 at 5 of another topic of this name"),
        (Position(0, 5, "old", 6, 9), "allow_replaced", 0, "3 records behind"),
    ],
)
def test_positions_that_a_worker_would_stop_at_are_told(
    position: Position, allowed: str, code: int, found: str
) -> None:
    """With the exit code that it would end with, unless the settings let it go on."""
    settings = _SETTINGS.model_copy(update={allowed: True} if allowed else {})
    (check,) = position_checks([position], _TOPIC, settings)
    assert check.found.endswith(found)
    assert (check.exit_code if check.state is State.FAILED else 0) == code


def test_a_group_without_positions_begins_at_the_earliest() -> None:
    """That is no failure: it has read nothing yet."""
    (check,) = position_checks([], _TOPIC, _SETTINGS)
    assert (check.state, check.found) == (State.OK, "none: it begins at the earliest records")


def test_a_record_of_the_future_tells_of_clocks() -> None:
    """Ours is behind, or the one that stamped it is ahead."""
    now_ms = int(time.time() * 1000)
    assert clock_check(None, _TOPIC).state is State.OK
    assert clock_check(now_ms - 10_000, _TOPIC).state is State.OK
    ahead = clock_check(now_ms + 3_600_000, Topic("in", configs={"message.timestamp.type": "LogAppendTime"}))
    assert ahead.state is State.WARNING
    assert "our clock is behind the broker's" in ahead.found
