"""The worker's life as one state, with the reason for it: what `/readyz` and `/startupz` answer from."""

from collections.abc import Collection
from enum import StrEnum

from worker.core.records import Partition


class State(StrEnum):
    """Where a worker is in its life.

    ```
    starting ──► joining ◄──► serving
       │            │            │
       │            ├────────────┘
       ▼            ▼
       ├──────► draining ──► stopped
       ▼            ▼
       └─────────►failed (from any but stopped)
    ```
    """

    STARTING = "starting"
    """The bundle is loaded and checked, and the cluster is examined."""
    JOINING = "joining"
    """Not in the group yet, or not any more: nothing is read until it is joined."""
    SERVING = "serving"
    """In the group, with partitions or without."""
    DRAINING = "draining"
    """What is in flight is finished and committed; nothing more is read."""
    STOPPED = "stopped"
    """All that was in flight is settled and committed."""
    FAILED = "failed"
    """The process ends with the exit code of its error."""


_NEXT = {
    State.STARTING: {State.JOINING, State.DRAINING, State.FAILED},
    State.JOINING: {State.SERVING, State.DRAINING, State.FAILED},
    State.SERVING: {State.JOINING, State.DRAINING, State.FAILED},
    State.DRAINING: {State.STOPPED, State.FAILED},
    State.STOPPED: set(),
    State.FAILED: set(),
}


class Life:
    """The present state and why. One thread changes it; any may ask."""

    def __init__(self) -> None:
        self._now = (State.STARTING, "the bundle is being loaded")
        self.stop_signal = ""
        """The name of the signal that asked for a stop. A handler may run between any two lines, so it sets this
        alone, and the poll loop goes to `draining` when it sees it."""
        self.stalled: Collection[Partition] = ()
        self._started = False

    @property
    def state(self) -> State:
        """The present state."""
        return self._now[0]

    def become(self, state: State, why: str) -> None:
        """Go to another state, or stay in this one for another reason.

        Raises:
            AssertionError: If there is no way there from the present state.
        """
        if state is not self.state and state not in _NEXT[self.state]:
            raise AssertionError(f"no way from {self.state} to {state}: this is a bug")
        self._now = (state, why)
        self._started = self._started or state is State.JOINING

    def started(self) -> tuple[bool, str]:
        """Whether the start is over, from when on a worker that does not turn is one to restart."""
        state, why = self._now
        return self._started, f"{state}: {why}"

    def ready(self) -> tuple[bool, str]:
        """Whether the worker serves, and its state with the reason."""
        state, why = self._now
        if self.stop_signal and state in (State.STARTING, State.JOINING, State.SERVING):
            return False, f"{state}: {self.stop_signal} asked for a stop"
        if state is State.SERVING and self.stalled:
            numbers = sorted(partition.number for partition in self.stalled)
            return False, f"{state}: partitions that do not move: {numbers}"
        return state is State.SERVING, f"{state}: {why}"
