"""Rebalances: what is in flight is settled and committed before a partition is handed over."""

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.future import Future

from worker.adapters.kafka_places import Places
from worker.adapters.kafka_positions import LogPositions
from worker.core.records import Partition
from worker.errors import InputReplacedError
from worker.in_flight import InFlight
from worker.ports import Telemetry
from worker.settings import Settings

log = structlog.get_logger(__name__)


def assignor(in_flight: InFlight) -> type:
    """The cooperative-sticky assignor, claiming only what is still ours.

    The client's own goes on claiming what an evicted member has lost; a leader may then grant that while its
    present owner still drains, and both would answer.
    """

    class Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
        member_assignment: list[TopicPartition] | None

        def metadata(self, topics: Iterable[str]) -> Any:
            owned = self.member_assignment or ()
            self.member_assignment = [
                p for p in owned if in_flight.epoch(Partition(p.topic, p.partition)) is not None
            ]
            return super().metadata(topics)

    return Assignor


class Rebalances(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's IO thread, inside a poll that does not return before it.

    Waiting for the poll thread here would hang both for good; the windows in flight are finished by the
    pipeline's threads.
    """

    def __init__(
        self,
        consumer: Any,
        in_flight: InFlight,
        positions: LogPositions,
        places: Places,
        settings: Settings,
        telemetry: Telemetry,
    ) -> None:
        self._consumer = consumer
        self._in_flight = in_flight
        self._positions = positions
        self._places = places
        self._telemetry = telemetry
        self._drain_timeout_s = settings.drain_timeout_ms / 1000
        self.in_good_order = True
        self.commit_failed = False  # the last one, at a revocation
        self.paused = False

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Open the books of what is ours now."""
        # The client keeps an answer that came too late, and would give it to the next caller.
        self._consumer._coordinator._offset_fetch_futures.clear()  # noqa: SLF001
        # What has a place is paused all or none: where only some are, kafka-python may forget to go on with those
        # that it had fetched from before. What has no place is paused before anything is fetched from it.
        self._consumer.pause(*(assigned if self.paused else self._places.missing(assigned)))
        partitions = [Partition(*partition) for partition in assigned]
        self._positions.assign(partitions)
        self._in_flight.assign(partitions)
        if partitions:  # a member that keeps what it has is told of none; so below
            self._telemetry.rebalance("assigned")
        log.info("partitions_assigned", partitions=named(assigned))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Settle what is in flight of these partitions, commit, and give them up."""
        partitions = [Partition(*partition) for partition in revoked]
        started_s = time.monotonic()
        drained = Future()
        first = _Once(drained, self._consumer)
        self._in_flight.release(partitions, first)
        timer = threading.Timer(self._drain_timeout_s, first, [False])
        timer.daemon = True
        timer.start()
        finished = await drained
        timer.cancel()
        await self._commit(partitions, drained=finished)
        self._in_flight.forget(partitions)
        elapsed_s = time.monotonic() - started_s
        if partitions:
            self._telemetry.rebalance("revoked")
            self._telemetry.revoked(elapsed_s)
        report = log.info if finished else log.warning
        report("partitions_revoked", partitions=named(revoked), drained=finished, elapsed_s=round(elapsed_s, 3))

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Forget what others own by now: nothing of it may be committed."""
        partitions = [Partition(*partition) for partition in lost]
        self._in_flight.forget(partitions)
        self._telemetry.rebalance("lost")
        log.warning("partitions_lost", partitions=named(lost))

    async def _commit(self, partitions: Sequence[Partition], *, drained: bool) -> None:
        last = self._in_flight.farewell(partitions, drained=drained, in_good_order=self.in_good_order)
        if not last:
            return
        self.commit_failed = True
        coordinator = self._consumer._coordinator  # noqa: SLF001
        try:
            if coordinator.coordinator_unknown():
                # Else what is given back is the look for it, and what came of the commit after it is not known.
                await coordinator.lookup_coordinator()
            await self._consumer.commit_async(self._positions.address(last))
            self.commit_failed = False
        except (
            KafkaError,
            InputReplacedError,
        ) as error:  # the next owner repeats what was settled since the last commit
            log.warning("commit_failed", error=repr(error), during="revocation")


class _Once:
    """Completes a future with the first of two answers, on the client's IO thread.

    Completed elsewhere, it would be noticed only when something wakes that thread, at the latest the next
    heartbeat: seconds in which the whole group waits. The client has no public way to wake it.
    """

    def __init__(self, future: Any, consumer: Any) -> None:
        self._future = future
        self._call_soon = consumer._net.call_soon_threadsafe  # noqa: SLF001

    def __call__(self, answer: bool) -> None:  # noqa: FBT001 - the books and the timer call it so
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._call_soon(lambda: self._complete(answer))

    def _complete(self, answer: bool) -> None:  # noqa: FBT001
        if not self._future.is_done:
            self._future.success(answer)


def named(partitions: Iterable[TopicPartition | Partition]) -> list[str]:
    """Partitions as `topic/number`, sorted."""
    return sorted(f"{topic}/{number}" for topic, number in partitions)
