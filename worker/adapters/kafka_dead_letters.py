"""The dead-letter topic, read up to its present end by a group that nothing else is in."""

import contextlib
import time
from collections.abc import Collection, Iterator
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from worker.adapters.kafka_causes import by_setting
from worker.adapters.kafka_client import administration, partitions_of
from worker.adapters.kafka_consumer import reading
from worker.adapters.kafka_positions import LogPositions, unstamp
from worker.adapters.kafka_private import OF_A_CONSUMER, look_for
from worker.adapters.kafka_topics import message_bytes_max
from worker.adapters.kafka_unpacking import bound_reading
from worker.adapters.patience import Patience
from worker.core.ledger import Offset
from worker.core.records import Partition, Record
from worker.core.redriving import Redriven
from worker.errors import KafkaUnfitError
from worker.settings import Settings

_POLL_MS = 500


class DeadLetters:
    """What there is to send back, and up to where that was done. Close it, or enter it."""

    def __init__(self, settings: Settings, reasons: Collection[str]) -> None:
        """Look where the last run ended, and where the topic ends now.

        Args:
            settings: Where, and which topics.
            reasons: Of the dead letters to send; none for every one.

        Raises:
            KafkaUnfitError: If no broker answers or lets us in, or a topic is missing.
        """
        self.group = f"{settings.group_id}-redrive"
        self._settings, self._reasons = settings, reasons
        patience, topic = Patience(settings), settings.dead_letter_topic
        with administration(settings, patience) as admin:
            partitions = partitions_of(admin, (settings.input_topic, topic))
            self.message_bytes_max = message_bytes_max(admin, [settings.input_topic])
        for setting, name in (("INPUT", settings.input_topic), ("DEAD_LETTER", topic)):
            if name not in partitions:
                raise KafkaUnfitError(f"there is no topic {name}: look at WORKER_{setting}_TOPIC")
        self.input_partitions = partitions[settings.input_topic]
        with self._refusals():
            self._consumer = patience.keep_trying(
                "can't read from Kafka", lambda: KafkaConsumer(**reading(settings), group_id=self.group)
            )
        try:
            look_for(OF_A_CONSUMER, self._consumer)
            bound_reading(self._consumer)
            with self._refusals():
                self._begin([TopicPartition(topic, number) for number in range(partitions[topic])])
        except KafkaUnfitError:
            self.close()
            raise

    def _begin(self, partitions: list[TopicPartition]) -> None:
        self._consumer.topics()  # from here on the client knows the topic's id
        self._positions = LogPositions(self._consumer._cluster.topic_id)  # noqa: SLF001 - as in KafkaSource
        self._positions.assign(Partition(*it) for it in partitions)
        self._consumer.assign(partitions)
        starts, self._ends = (
            ask(partitions) for ask in (self._consumer.beginning_offsets, self._consumer.end_offsets)
        )
        self._remembered = {it: self._committed(it) for it in partitions}
        self._redriven = {it: found and found.within(self._ends[it]) for it, found in self._remembered.items()}
        for partition, redriven in self._redriven.items():
            first = redriven.first(self._reasons) if redriven else 0
            self._consumer.seek(partition, min(max(first, starts[partition]), self._ends[partition]))
        self.from_start = sum(
            redriven is None and starts[it] < self._ends[it] for it, redriven in self._redriven.items()
        )
        """Partitions with dead letters of which none was sent back, as far as the group remembers."""
        self.cut_off = sum(self._redriven[it] != found for it, found in self._remembered.items())
        """Partitions that end before what was sent back: an election cut them off, or a reset went too far."""

    def _committed(self, partition: TopicPartition) -> Redriven | None:
        """Where the last run ended; None where there was none, or only of an earlier topic of this name."""
        found = self._consumer.committed(partition, metadata=True)
        if found is None or found.offset < 0:
            return None
        stamped = unstamp(found.metadata)
        ours = self._positions.topic_id(Partition(*partition))
        is_another = stamped.topic_id and ours and stamped.topic_id != ours
        return None if is_another else Redriven.parse(found.offset, stamped.metadata)

    def read(self) -> Iterator[list[Record]]:
        """All up to the end that the topic had at first, in pieces, but for what is sent already.

        Raises:
            KafkaUnfitError: If the broker refuses us, or nothing comes for `start_timeout_ms`.
        """
        came_s = time.monotonic()
        while self.left() > 0:
            before = self.left()
            with self._refusals():
                self._consumer.pause(*(it for it, end in self._ends.items() if self._position(it) >= end))
                polled = self._consumer.poll(timeout_ms=_POLL_MS)
            if self.left() < before:
                came_s = time.monotonic()
            elif time.monotonic() - came_s > self._settings.start_timeout_ms / 1000:
                raise KafkaUnfitError(f"{self._settings.dead_letter_topic}: {self.left()} records don't come")
            yield [
                Record(Partition(*it), item.offset, item.timestamp, item.key, item.value, tuple(item.headers))
                for it, items in polled.items() for item in items if item.offset < self._ends[it]
            ]  # fmt: skip

    def is_sent(self, record: Record, reason: str) -> bool:
        """Whether an earlier run has sent it."""
        redriven = self._redriven[TopicPartition(*record.partition)]
        return redriven is not None and record.offset < redriven.until(reason)

    def commit(self) -> None:
        """Write down that what was read is sent.

        Raises:
            KafkaUnfitError: If the broker refuses that, or another run has written since.
        """
        moved = {
            it: (redriven or Redriven()).moved(self._position(it), self._reasons)
            for it, redriven in self._redriven.items()
        }
        moved = {it: one for it, one in moved.items() if one != self._remembered[it]}
        with self._refusals():
            if any(self._committed(it) != self._remembered[it] for it in moved):
                raise KafkaUnfitError(
                    f"the group {self.group} has another position than before: another run is at work, or someone "
                    "has reset it. What was sent since the last commit may go again. Run one at a time"
                )
            self._consumer.commit(
                self._positions.address(
                    {Partition(*it): Offset(one.position, one.metadata) for it, one in moved.items()}
                ),
                timeout_ms=self._settings.commit_timeout_ms,
            )
        self._remembered |= moved

    def left(self) -> int:
        """Offsets up to the end."""
        return sum(end - self._position(it) for it, end in self._ends.items())

    def _position(self, partition: TopicPartition) -> int:
        """Up to where the partition is read."""
        with self._refusals():
            position: int = self._consumer.position(partition, timeout_ms=0)
        end: int = self._ends[partition]
        return min(position, end)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except AuthorizationError as error:
            raise KafkaUnfitError(
                f"not authorised: it takes READ on the topic {self._settings.dead_letter_topic} and on the group "
                f"{self.group}, and WRITE on the topic {self._settings.input_topic}: {error!r}"
            ) from error
        except (KafkaError, OSError, ValueError) as error:
            said = by_setting(error) if isinstance(error, KafkaError) else repr(error)
            raise KafkaUnfitError(f"can't read {self._settings.dead_letter_topic}: {said}") from error

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close(autocommit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
