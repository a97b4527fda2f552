"""Kafka's full address of a position: beside the offset, the topic's id and the epoch of the partition's leader.

An offset alone does not say which log it is of. A topic can be deleted and recreated under its name, and an
unclean election can cut off a log's end; both grow again, and a worker that goes on at its old offset skips what
came in between. So each commit carries the topic's id, in its metadata, and the leader epoch of the last record
before the position, in Kafka's own field. Kafka checks the epoch itself, against the log (KIP-320).
"""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from worker.core.ledger import Commit
from worker.core.records import Partition
from worker.errors import InputReplacedError

_TOPIC_ID = "topic_id"  # in the metadata of a commit


class Stamped(NamedTuple):
    """The metadata of a commit, taken apart: the topic's id, empty where there is none, and what else it says."""

    topic_id: str
    metadata: str


class LogPositions:
    """The logs that this worker's positions are of. Safe for threads."""

    def __init__(self, current_topic_id: Callable[[str], Any]) -> None:
        """Know nothing yet; `current_topic_id` tells a topic's id as the client last heard it, or None."""
        self._current = current_topic_id
        self._topic_ids: dict[Partition, str] = {}
        self._epochs: dict[Partition, list[tuple[int, int]]] = {}  # (offset of the first record, leader epoch)
        self._lock = threading.Lock()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """From now on positions of these partitions are of the topic as it is now."""
        with self._lock:
            for partition in partitions:
                self._topic_ids[partition] = self._heard(partition.topic)
                self._epochs[partition] = []

    def saw(self, partition: Partition, offset: int, leader_epoch: int) -> None:
        """A record at this offset was written under this leader epoch; -1 where the broker does not say."""
        with self._lock:
            epochs = self._epochs.setdefault(partition, [])
            if leader_epoch >= 0 and (not epochs or epochs[-1][1] != leader_epoch):
                epochs.append((offset, leader_epoch))

    def topic_id(self, partition: Partition) -> str:
        """The id of the topic that our position of the partition is of; empty where that is not known."""
        with self._lock:
            if not self._topic_ids.get(partition):  # an old broker, or metadata that had not come yet
                self._topic_ids[partition] = self._heard(partition.topic)
            return self._topic_ids[partition]

    def check(self, partition: Partition) -> None:
        """Hold our position to the topic that the client knows now.

        Raises:
            InputReplacedError: If that is another one of the same name.
        """
        ours, heard = self.topic_id(partition), self._heard(partition.topic)
        if heard and heard != ours:
            raise InputReplacedError(
                f"{partition.topic} is another topic than the one that was read: id {heard} instead of {ours}. "
                "What was not read of the old one is gone. A restart with WORKER_ALLOW_REPLACED=true goes on at "
                "the earliest record of the new one"
            )

    def address(self, offsets: Commit) -> dict[TopicPartition, OffsetAndMetadata]:
        """A commit as the client wants it.

        Raises:
            InputReplacedError: If it would be of a topic that is no more.
        """
        commit = {}
        for partition, offset in offsets.items():
            self.check(partition)
            metadata = stamp(offset.metadata, self.topic_id(partition))
            epoch = self.epoch_before(partition, offset.position)
            commit[TopicPartition(*partition)] = OffsetAndMetadata(offset.position, metadata, epoch)
        return commit

    def epoch_before(self, partition: Partition, position: int) -> int:
        """The leader epoch of the last record before a position; -1 where it is not known."""
        with self._lock:
            epochs = [epoch for first, epoch in self._epochs.get(partition, []) if first < position]
            return epochs[-1] if epochs else -1

    def _heard(self, topic: str) -> str:
        found = self._current(topic)
        return found.hex if found else ""


def stamp(metadata: str, topic_id: str) -> str:
    """The metadata of a commit with the topic's id."""
    if not topic_id:
        return metadata
    said = json.loads(metadata) if metadata else {}
    return json.dumps({_TOPIC_ID: topic_id, **said}, separators=(",", ":"))


def unstamp(metadata: str | None) -> Stamped:
    """What `stamp` made; metadata of any other program is left as it is."""
    try:
        said = json.loads(metadata or "{}")
        topic_id = str(said.pop(_TOPIC_ID))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Stamped("", metadata or "")
    return Stamped(topic_id, json.dumps(said, separators=(",", ":")) if said else "")
