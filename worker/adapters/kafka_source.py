"""Reading: one thread polls, pauses, resumes and commits."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.errors import (
    AuthorizationError,
    CommitFailedError,
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    RetriableError,
)
from kafka.structs import OffsetAndMetadata

from worker.adapters.kafka_consumer import consumer
from worker.adapters.kafka_ends import LogEnds
from worker.adapters.kafka_epochs import position_of
from worker.adapters.kafka_log_guard import LogGuard
from worker.adapters.kafka_membership import Membership, refusal
from worker.adapters.kafka_places import Places
from worker.adapters.kafka_positions import LogPositions, unstamp
from worker.adapters.kafka_rebalances import Rebalances, named
from worker.adapters.patience import Patience
from worker.core.ledger import Commit, Offset
from worker.core.records import Chunk, Partition, Record
from worker.errors import KafkaUnfitError, OverdueError
from worker.in_flight import InFlight
from worker.ports import Telemetry
from worker.settings import Settings

log = structlog.get_logger(__name__)

_OFFSETS_TIMEOUT_MS = 3000
_LEAVING_S = 2.0
"""What is left for the last commit when others hold a rebalance up until we have to end."""
_JOIN_POLL_MS = 500
"""An answer to a join that comes between two polls is lost to the client, so they may not be short then."""
_POSITIONS_EVERY_S = 1.0
"""How often the position of quiet partitions is looked up: only control records can have moved it."""


class KafkaSource:
    """A member of the consumer group. Every method is for the poll thread."""

    def __init__(
        self, settings: Settings, in_flight: InFlight, telemetry: Telemetry, patience: Patience | None = None
    ) -> None:
        """Connect with patience for brokers that are away, and subscribe; the first polls join the group.

        Raises:
            KafkaUnfitError: If no broker answers or lets us in.
        """
        self._settings = settings
        self._in_flight = in_flight
        self._telemetry = telemetry
        self._committing_since_s: float | None = None
        self._looked_s = 0.0
        self._offsets_refused = False
        patience = patience or Patience(settings)
        try:
            self._consumer = patience.keep_trying("can't read from Kafka", lambda: consumer(settings, in_flight))
            cluster = self._consumer._cluster  # noqa: SLF001 - nothing public tells a topic's id without asking
            self.positions = LogPositions(cluster.topic_id)
            self.membership = Membership(self._consumer)
            self._places = Places(cluster, settings)
            self._ends = LogEnds(self._consumer)
            self._guard = LogGuard(self._consumer, self.positions, in_flight, settings)
            self._rebalances = Rebalances(
                self._consumer, in_flight, self.positions, self._places, settings, telemetry
            )
            self._consumer.subscribe([settings.input_topic], listener=self._rebalances)
            self._places.watch()
            # A group that is joined before the topic is known gets no partition, and may stay without; and a
            # leader that learns of the topic after it subscribed, but not before it joined, joins twice.
            patience.keep_trying("Kafka does not describe its topics", self._consumer.topics)
        except (KafkaError, OSError, ValueError) as error:
            raise KafkaUnfitError(f"can't read from Kafka: {error!r}") from error

    def poll(self, timeout_ms: int) -> list[Chunk]:
        """What came, at most after the timeout; a rebalance can make it take as long as a drain.

        Raises:
            EventsExpiredError: If unread events were deleted, and the settings do not allow that.
            InputReplacedError: If it is another log than before, and the settings do not allow that.
            KafkaUnfitError: If the broker refuses us for good.
            InstanceFencedError: If it does so since another member has our `group_instance_id`.
        """
        try:
            polled = self._poll(timeout_ms)
            self._guard.check()
        except NoOffsetForPartitionError as error:
            self._consumer.seek_to_beginning(*error.args[0])
            return []
        except OffsetOutOfRangeError as error:
            self._guard.out_of_range(error.args[0])
            return []
        except LogTruncationError as error:
            self._guard.cut_off(error.divergent_offsets)
            return []
        except CorruptRecordError as error:  # or a header name that is not UTF-8, which other clients can read
            raise KafkaUnfitError(
                f"kafka-python can't read the record at {self._unreadable()}: {error}. To go on, move the group "
                "past it with Kafka's own tools while no worker runs"
            ) from error
        except RetriableError as error:
            log.warning("poll_failed", error=repr(error))
            return []
        except (AuthorizationError, KafkaError) as error:
            raise refusal(error) from error
        try:
            chunks = [
                self._chunk(partition, records) for partition, records in polled.items()
                if self._guard.lets_go_on(partition, records[0].offset)
            ]  # fmt: skip
            return chunks + self._quiet_positions({Partition(*partition) for partition in polled})
        except KafkaError as error:  # a right that was taken away
            raise refusal(error) from error

    def _poll(self, timeout_ms: int) -> Mapping[TopicPartition, Sequence[Any]]:
        """Poll the client, which has no public way to say what it is about."""
        coordinator = self._consumer._coordinator  # noqa: SLF001
        if coordinator.rejoining and not coordinator.need_rejoin():
            # A leader that had joined because its topic changed: the answer came between two polls, nothing tells
            # it to look, and without heartbeats the group would soon go on without us.
            coordinator.request_rejoin()
        if coordinator.need_rejoin():
            timeout_ms = max(timeout_ms, _JOIN_POLL_MS)
        polled: Mapping[TopicPartition, Sequence[Any]] = self._consumer.poll(timeout_ms=timeout_ms)
        return polled

    def pause(self, *, paused: bool) -> None:
        """Pause or resume every partition that is ours and has a place; polling goes on either way."""
        assigned, resting = self._consumer.assignment(), self._consumer.paused()
        wanted = assigned if paused else set(self._places.missing(assigned))
        self._consumer.pause(*wanted - resting)
        self._consumer.resume(*resting - wanted)
        self._rebalances.paused = paused

    def without_place(self) -> list[Partition]:
        """Partitions of ours that are not read, since an outgoing topic has none of their number."""
        self._places.watch()
        return [Partition(*partition) for partition in self._places.missing(self._consumer.assignment())]

    def commit(self) -> None:
        """Begin to commit what may be committed, unless a commit is under way; never waits for it.

        Raises:
            OverdueError: If the commit under way has taken too long.
        """
        if self._committing_since_s is not None:
            overdue_s = time.monotonic() - self._committing_since_s - self._settings.commit_timeout_ms / 1000
            if overdue_s > 0:
                raise OverdueError("a commit was not answered within commit_timeout_ms; a restart repeats little")
            return
        if due := self._in_flight.due():
            self._committing_since_s = time.monotonic()
            self._consumer.commit_async(self.positions.address(due), callback=self._on_commit)

    def committed_offset(self, partition: Partition) -> Offset | None:
        """What is committed; None when that can't be known now. See `worker.ports.Offsets`."""
        try:
            found = self._consumer.committed(
                TopicPartition(*partition), metadata=True, timeout_ms=_OFFSETS_TIMEOUT_MS
            )
        except RetriableError as error:
            self._refuse("offset_not_read", [partition], error)
            return None
        except KafkaError as error:
            raise refusal(error) from error
        self._offsets_refused = False
        if found is None or found.offset < 0:
            return Offset(-1)
        return Offset(found.offset, unstamp(found.metadata).metadata)

    def commit_now(self, offsets: Commit) -> bool:
        """Commit, and wait for it; False when that can't be done now."""
        try:
            self._consumer.commit(self.positions.address(offsets), timeout_ms=_OFFSETS_TIMEOUT_MS)
        except (RetriableError, CommitFailedError, RebalanceInProgressError) as error:
            self._refuse("offset_not_written", offsets, error)
            return False
        except KafkaError as error:
            raise refusal(error) from error
        self._offsets_refused = False
        return True

    def _refuse(self, event: str, partitions: Iterable[Partition], error: KafkaError) -> None:
        """Tell once of an offset that is tried again at every poll until it works."""
        if not self._offsets_refused:
            log.warning(event, partitions=named(partitions), error=repr(error))
        self._offsets_refused = True

    def unread(self) -> dict[Partition, int]:
        """Records between the position of each of our partitions and its end, where both are known."""
        self._ends.refresh()
        unread = {}
        for partition in self._consumer.assignment():
            position, end = position_of(self._consumer, partition), self._ends.of(partition)
            if position is not None and end is not None:
                unread[Partition(*partition)] = max(0, end - position)
        return unread

    def ends(self) -> dict[Partition, int]:
        """The end of each of our partitions, where it is known."""
        ends = ((Partition(*p), self._ends.of(p)) for p in self._consumer.assignment())
        return {partition: end for partition, end in ends if end is not None}

    def close(self, timeout_s: float, *, in_good_order: bool = True) -> bool:
        """Leave the group; the listener drains and commits what is in flight before.

        Unless in good order, the worker stays in the delivery counts: the next owner shall know that it died.

        Returns:
            Whether what was settled is committed, as far as that is known in time.
        """
        ends_s = time.monotonic() + timeout_s
        self._rebalances.in_good_order = in_good_order
        self._complete_rebalance(ends_s - _LEAVING_S)
        self._consumer.close(autocommit=False, timeout_ms=max(1.0, ends_s - time.monotonic()) * 1000)
        return not self._rebalances.commit_failed and not self._in_flight.due()

    def _complete_rebalance(self, deadline_s: float) -> None:
        """Poll until the client commits again, if there is something to commit: it won't between join and sync.

        Nothing more can be committed once another member has our place.
        """
        self.pause(paused=True)
        while (
            self._in_flight.farewell(in_good_order=self._rebalances.in_good_order) and not self.membership.joined
        ):
            if self.membership.fenced or time.monotonic() > deadline_s:
                return
            try:
                self._poll(100)  # gives nothing, as all is paused
            except KafkaError as error:
                log.warning("poll_failed", error=repr(error), during="stop")
                return

    def _on_commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], response: object) -> None:
        """Called by the client inside a later poll, on this thread."""
        if self._committing_since_s is not None:
            self._telemetry.stage("commit", time.monotonic() - self._committing_since_s)
        self._committing_since_s = None
        if isinstance(response, Exception):
            # At least once: the positions stay committable, and the next commit takes them along.
            usual = isinstance(response, RebalanceInProgressError)
            (log.info if usual else log.warning)("commit_failed", error=repr(response))
            return
        self._in_flight.committed(
            {Partition(*p): Offset(item.offset, item.metadata) for p, item in offsets.items()}
        )

    def _unreadable(self) -> str:
        """Where the client fails to parse a record; it keeps that to itself."""
        part = self._consumer._fetcher._next_partition_records  # noqa: SLF001 - nothing public tells
        return f"{part.topic_partition.topic}/{part.topic_partition.partition}, offset {part.next_fetch_offset}"

    def _chunk(self, partition: TopicPartition, records: Iterable[Any]) -> Chunk:
        ours = Partition(partition.topic, partition.partition)
        converted = tuple(
            Record(ours, item.offset, item.timestamp, item.key, item.value, tuple(item.headers))
            for item in records
        )
        leader_epoch = None
        for item in records:
            if item.leader_epoch != leader_epoch:
                leader_epoch = item.leader_epoch
                self.positions.saw(ours, item.offset, leader_epoch)
        position = position_of(self._consumer, partition)
        return Chunk(ours, converted, max(converted[-1].offset + 1, position or 0))

    def _quiet_positions(self, seen: set[Partition]) -> list[Chunk]:
        """Empty chunks that carry the positions of the partitions that gave no records."""
        now_s = time.monotonic()
        if now_s - self._looked_s < _POSITIONS_EVERY_S:
            return []
        self._looked_s = now_s
        positions = {it: position_of(self._consumer, it) for it in self._consumer.assignment()}
        return [
            Chunk(Partition(*p), (), position) for p, position in positions.items()
            if position is not None and Partition(*p) not in seen and self._guard.lets_go_on(p, position)
        ]  # fmt: skip
