"""A static member whose place another has taken: it waits, since its restart would take the place back.

Two replicas with one `group_instance_id`, each restarted when the other fences it, would repeat each other's
events for ever. So the one that was fenced stays, not ready, for as long as the other is in the group.
"""

import time
from collections.abc import Callable

import structlog

from worker.adapters.kafka_members import Member, instance_holder
from worker.errors import InstanceFencedError
from worker.settings import Settings

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 2.0
_TELL_EVERY_S = 60.0
_UNKNOWN_S_MAX = 300.0


class StandBy:
    """What to do about a member with our `group_instance_id`."""

    def __init__(
        self,
        settings: Settings,
        *,
        stopped: Callable[[], bool],
        find: Callable[[Settings], Member | None] = instance_holder,
    ) -> None:
        """Look with `find`, which may raise anything where that can't be known; `stopped` ends every wait."""
        self._settings, self._stopped, self._find = settings, stopped, find

    def rival(self, ours: str, within_s: float) -> Member | None:
        """The member that has our place instead of `ours`, if one has within so many seconds.

        Exactly once, a second replica fences our transactions before it joins the group.
        """
        ends_s = time.monotonic() + within_s
        while True:
            found, _ = self._look()
            if found and found.member_id != ours:
                return found
            if self._stopped() or time.monotonic() >= ends_s:
                return None
            time.sleep(_LOOK_EVERY_S / 4)

    def wait(self, rival: Member | None, tell: Callable[[str], None]) -> InstanceFencedError:
        """Wait until no member has our place, or a stop is asked for; what to end with then.

        Where nobody can tell us whether one has, that is five minutes.

        Args:
            rival: Who has it, if that is known.
            tell: Called with the reason when the wait begins and when another member has it.
        """
        known_s, told_s, said = time.monotonic(), -_TELL_EVERY_S, None
        while True:
            found, sure = self._look()
            now_s = time.monotonic()
            rival = found or rival
            if sure:
                known_s = now_s
            if rival != said or now_s - told_s >= _TELL_EVERY_S:
                reason, told_s, said = self._reason(rival), now_s, rival
                log.error("group_instance_id_taken", reason=reason)
                tell(reason)
            if self._stopped() or (sure and found is None) or now_s - known_s >= _UNKNOWN_S_MAX:
                return InstanceFencedError(self._reason(rival))
            time.sleep(_LOOK_EVERY_S)

    def _look(self) -> tuple[Member | None, bool]:
        """Who has our place, and whether that is known at all."""
        try:
            return self._find(self._settings), True
        except Exception as error:  # noqa: BLE001 - whatever the reason, it is only not known
            log.info("group_not_described", error=repr(error))
            return None, False

    def _reason(self, rival: Member | None) -> str:
        settings = self._settings
        other = f"{rival.member_id} at {rival.host}" if rival else "another member"
        return (
            f"{other} has joined group {settings.group_id} with our WORKER_GROUP_INSTANCE_ID "
            f"{settings.group_instance_id}: give each replica an id of its own"
        )
