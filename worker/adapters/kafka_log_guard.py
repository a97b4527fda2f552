"""Whether the log that is read is the one that the group's positions are of, and where to go on if it is not."""

import time
from collections.abc import Mapping
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaError, RetriableError
from kafka.structs import OffsetAndMetadata

from worker.adapters.kafka_epochs import position_of
from worker.adapters.kafka_positions import LogPositions, unstamp
from worker.core.ledger import Offset
from worker.core.records import Partition
from worker.errors import EventsExpiredError, InputReplacedError, KafkaUnfitError
from worker.in_flight import InFlight
from worker.settings import Settings

log = structlog.get_logger(__name__)

_TIMEOUT_MS = 3000
_PAUSE_S = 1.0


class LogGuard:
    """Stands between the client and what it reads. For the poll thread."""

    def __init__(self, consumer: Any, positions: LogPositions, in_flight: InFlight, settings: Settings) -> None:
        self._consumer, self._positions = consumer, positions
        self._in_flight, self._settings = in_flight, settings
        self._known: dict[Partition, int] = {}  # by the epoch of the assignment
        self._ask_again_s = 0.0

    def check(self) -> None:
        """Hold every partition that is ours to the topic that the client knows now.

        Raises:
            InputReplacedError: If one of them is of another topic.
        """
        for partition in self._consumer.assignment():
            self._positions.check(Partition(*partition))

    def lets_go_on(self, partition: TopicPartition, offset: int) -> bool:
        """Whether what was read of a partition, from this offset on, may be handed on; if not, it is read again.

        Asked before anything of an assignment is handed on: the group's position was committed for a topic, and
        the one that is read now may be another.

        Raises:
            InputReplacedError: If it is, and the settings do not allow that.
        """
        epoch = self._in_flight.epoch(Partition(*partition))
        if epoch is None or self._known.get(Partition(*partition)) == epoch:
            return True
        if time.monotonic() >= self._ask_again_s:
            try:
                found = self._committed(partition)
                goes_on = found is None or self._is_where_we_read(partition, found)
            except RetriableError as error:  # each partition asking a broker that is away would hold up polling
                self._ask_again_s = time.monotonic() + _PAUSE_S
                log.warning("offset_not_read", partition=_named(partition), error=repr(error))
            else:
                self._known[Partition(*partition)] = epoch
                return goes_on
        self._seek(partition, offset)
        return False

    def _is_where_we_read(self, partition: TopicPartition, found: OffsetAndMetadata) -> bool:
        """Whether what was read is what was committed; if not, the client is sent to where it is to read."""
        ours = Partition(*partition)
        if self._is_foreign(ours, found):
            self._go_back(partition, self._earliest(partition), self._replaced(partition, found))
            return False
        if found.leader_epoch < 0:
            return True
        # The client begins at the committed offset without its epoch, and so would not look whether the log was
        # cut off since. With it, it asks the broker before it fetches.
        self._positions.saw(ours, found.offset - 1, found.leader_epoch)
        self._seek(partition, OffsetAndMetadata(found.offset, "", found.leader_epoch))
        return False

    def out_of_range(self, positions: Mapping[TopicPartition, int]) -> None:
        """Go on where a log does not reach to our position, or stop; later, where the brokers do not answer now.

        Raises:
            EventsExpiredError: If unread events were deleted, and the settings do not allow that.
            InputReplacedError: If it is another log or was cut off, and the settings do not allow that.
        """
        try:
            self._out_of_range(positions)
        except RetriableError as error:  # the client says it again at its next fetch
            log.warning("offset_not_read", partitions=list(map(_named, positions)), error=repr(error))

    def _out_of_range(self, positions: Mapping[TopicPartition, int]) -> None:
        expired: dict[TopicPartition, int] = {}
        for partition, position in positions.items():
            found, earliest = self._committed(partition), self._earliest(partition)
            if found is not None and self._is_foreign(Partition(*partition), found):
                self._go_back(partition, earliest, self._replaced(partition, found))
            elif position < earliest:
                expired[partition] = position
            elif (epoch := self._epoch_before(partition, position, found)) >= 0:
                # The log was cut off, and the broker knows where: the client asks it before it fetches again.
                self._seek(partition, OffsetAndMetadata(position, "", epoch))
                self._consumer._subscription.request_position_validation(partition)  # noqa: SLF001
            else:
                what = f"{_named(partition)} was read up to {position} and ends before that now"
                self._go_back(partition, earliest, what)
        if expired:
            self._skip_expired(expired)

    def cut_off(self, divergent: Mapping[TopicPartition, OffsetAndMetadata | None]) -> None:
        """Go on where a log was cut off and has grown again, or stop; later, where the brokers do not answer now.

        Raises:
            InputReplacedError: If the settings do not allow that.
        """
        for partition, end in divergent.items():
            if partition not in self._consumer.assignment():  # any more
                continue
            try:
                to = self._earliest(partition) if end is None else end.offset
            except RetriableError as error:  # the client says it again
                log.warning("offset_not_read", partition=_named(partition), error=repr(error))
                continue
            where = "at a place that the broker does not know" if end is None else f"at {end.offset}"
            position = position_of(self._consumer, partition)
            what = f"{_named(partition)} was read up to {position} and has been cut off {where}"
            self._go_back(partition, to, what, leader_epoch=-1 if end is None else end.leader_epoch)

    def _go_back(self, partition: TopicPartition, to: int, what: str, leader_epoch: int = -1) -> None:
        if not self._settings.allow_replaced:
            raise InputReplacedError(f"{what}. WORKER_ALLOW_REPLACED=true goes on at {to}")
        ours = Partition(*partition)
        if self._in_flight.has_begun(ours):  # what is in flight is of the old log, and so are the books
            raise InputReplacedError(f"{what}. A restart goes on at {to}")
        log.error("input_replaced", partition=_named(partition), reason=what, goes_on_at=to)
        self._positions.saw(ours, to - 1, leader_epoch)
        try:
            self._consumer.commit(self._positions.address({ours: Offset(to)}), timeout_ms=_TIMEOUT_MS)
        except KafkaError as error:
            raise KafkaUnfitError(f"{what}, and {to} could not be committed: {error!r}") from error
        self._seek(partition, to)

    def _seek(self, partition: TopicPartition, to: int | OffsetAndMetadata) -> None:
        if partition in self._consumer.assignment():
            self._consumer._subscription.seek(partition, to)  # noqa: SLF001 - the public seek takes no epoch

    def _committed(self, partition: TopicPartition) -> OffsetAndMetadata | None:
        found = self._consumer.committed(partition, metadata=True, timeout_ms=_TIMEOUT_MS)
        return None if found is None or found.offset < 0 else found

    def _is_foreign(self, partition: Partition, found: OffsetAndMetadata) -> bool:
        ours, theirs = self._positions.topic_id(partition), unstamp(found.metadata).topic_id
        return bool(ours and theirs and ours != theirs)

    def _epoch_before(self, partition: TopicPartition, position: int, found: OffsetAndMetadata | None) -> int:
        """The leader epoch of the last record before a position that we read up to, or committed; -1 for none."""
        epoch = self._positions.epoch_before(Partition(*partition), position)
        return found.leader_epoch if epoch < 0 and found is not None and found.offset == position else epoch

    def _earliest(self, partition: TopicPartition) -> int:
        earliest: int = self._consumer.beginning_offsets([partition], timeout_ms=_TIMEOUT_MS)[partition]
        return earliest

    def _replaced(self, partition: TopicPartition, found: OffsetAndMetadata) -> str:
        ends = self._consumer.end_offsets([partition], timeout_ms=_TIMEOUT_MS)
        return (
            f"{_named(partition)} is of another topic than the one that the group has read up "
            f"to {found.offset}: the id is {self._positions.topic_id(Partition(*partition))} instead of "
            f"{unstamp(found.metadata).topic_id}, and its log ends at {ends[partition]}"
        )

    def _skip_expired(self, positions: Mapping[TopicPartition, int]) -> None:
        named = ", ".join(f"{p.topic}/{p.partition} at {offset}" for p, offset in positions.items())
        if not self._settings.allow_expired:
            raise EventsExpiredError(
                f"unread events are gone from {named}: the topic's retention is shorter than our lag was. Set "
                "WORKER_ALLOW_EXPIRED=true to go on at the earliest that is left"
            )
        log.error("events_expired", partitions=named)
        self._consumer.seek_to_beginning(*positions)


def _named(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
