"""When a fenced member may end: not while its restart would take the place of another."""

from collections.abc import Callable

import pytest

from worker.adapters.kafka_members import Member
from worker.settings import Settings
from worker.standby import StandBy

SETTINGS = Settings.model_validate({"bundle": "none", "group_id": "g", "group_instance_id": "r-0"})
OTHER = Member("r-0-77", "10.0.0.7")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Time passes by sleeping alone."""
    now_s = [0.0]

    def sleep(duration_s: float) -> None:
        now_s[0] += duration_s

    monkeypatch.setattr("worker.standby.time.sleep", sleep)
    monkeypatch.setattr("worker.standby.time.monotonic", lambda: now_s[0])
    return lambda: now_s[0]


def finding(*answers: Member | Exception | None) -> Callable[[Settings], Member | None]:
    """Each answer once, the last one for good."""
    left = list(answers)

    def find(_: Settings) -> Member | None:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return find


def test_it_waits_until_the_other_has_left_and_says_who_it_was() -> None:
    """However long that takes: ending earlier, its restart would fence the other."""
    told: list[str] = []
    stand_by = StandBy(SETTINGS, stopped=lambda: False, find=finding(*[OTHER] * 1000, None))
    error = stand_by.wait(OTHER, told.append)

    assert error.exit_code == 10
    assert "r-0-77 at 10.0.0.7" in str(error)
    assert "WORKER_GROUP_INSTANCE_ID r-0" in str(error)
    assert told[0] == str(error)


def test_a_stop_ends_the_waiting() -> None:
    """A scale-down need not wait for the other."""
    assert StandBy(SETTINGS, stopped=lambda: True, find=finding(OTHER)).wait(OTHER, print).exit_code == 10


def test_where_nobody_may_tell_it_waits_some_minutes(clock: Callable[[], float]) -> None:
    """Without the right to describe the group it can't know, and neither ends at once nor never."""
    error = StandBy(SETTINGS, stopped=lambda: False, find=finding(PermissionError())).wait(None, print)

    assert "another member" in str(error)
    assert 60 < clock() < 600


@pytest.mark.parametrize(
    ("answers", "rival"),
    [
        ((Member("ours", "h"), None, OTHER), OTHER),
        ((Member("ours", "h"),), None),
        ((None,), None),
        ((PermissionError(),), None),
    ],
)
def test_a_rival_is_another_member_in_our_place(answers: tuple[Member | None, ...], rival: Member | None) -> None:
    """Our own membership, which outlives a fenced transaction, is none; one that is to join is waited for."""
    assert StandBy(SETTINGS, stopped=lambda: False, find=finding(*answers)).rival("ours", 10) == rival
