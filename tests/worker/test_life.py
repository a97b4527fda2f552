"""The worker's life: which state follows which, and what the probe says of each."""

from itertools import pairwise

import pytest

from worker.core.records import Partition
from worker.life import Life, State

_WAYS = [
    (State.JOINING, State.SERVING, State.JOINING, State.SERVING, State.DRAINING, State.STOPPED),
    (State.DRAINING, State.STOPPED),
    (State.JOINING, State.DRAINING, State.FAILED),
    (State.FAILED,),
]


@pytest.mark.parametrize("way", _WAYS)
def test_only_a_serving_worker_is_ready(way: tuple[State, ...]) -> None:
    """Whatever came before; and the probe names the state with its reason."""
    life = Life()
    assert life.ready() == (False, "starting: the bundle is being loaded")
    for state in way:
        life.become(state, "so it is")
        assert life.state is state
        assert life.ready() == (state is State.SERVING, f"{state}: so it is")


def test_what_the_docstring_does_not_draw_is_a_bug() -> None:
    """No state leads back to starting, none out of the end, and no worker serves before it has joined."""
    allowed = {step for way in _WAYS for step in pairwise((State.STARTING, *way))}
    allowed |= {(state, State.FAILED) for state in (State.STARTING, State.JOINING, State.SERVING, State.DRAINING)}
    allowed |= {(State.SERVING, State.DRAINING)}
    for before in State:
        for after in State:
            life = Life()
            life._now = (before, "")
            if (before, after) in allowed or before is after:
                life.become(after, "")
            else:
                with pytest.raises(AssertionError, match="no way"):
                    life.become(after, "")


def test_a_start_is_over_once() -> None:
    """From the group on, whatever comes after: a probe for the start must not fail a worker that drains."""
    life = Life()
    assert life.started() == (False, "starting: the bundle is being loaded")
    for state in (State.JOINING, State.SERVING, State.DRAINING, State.STOPPED):
        life.become(state, "so it is")
        assert life.started() == (True, f"{state}: so it is")

    failed = Life()
    failed.become(State.FAILED, "no bundle")
    assert failed.started() == (False, "failed: no bundle")


def test_a_partition_that_does_not_move_is_not_ready() -> None:
    """The worker is in the group, and still of no use for that partition."""
    life = Life()
    life.become(State.JOINING, "")
    life.become(State.SERVING, "in the group")
    life.stalled = [Partition("in", 2), Partition("in", 0)]
    assert life.ready() == (False, "serving: partitions that do not move: [0, 2]")


def test_a_worker_that_was_asked_to_stop_is_not_ready() -> None:
    """From the signal on, though the poll loop has not seen it yet."""
    life = Life()
    life.become(State.JOINING, "")
    life.become(State.SERVING, "in the group")
    life.stop_signal = "SIGTERM"
    assert life.ready() == (False, "serving: SIGTERM asked for a stop")
