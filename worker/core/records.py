"""What Kafka gave, and the unit in which it is handled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Partition(NamedTuple):
    """A numbered partition of a topic."""

    topic: str
    number: int


Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Record:
    """One record as Kafka gave it. `timestamp_ms` counts from 1970 in UTC."""

    partition: Partition
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


class Chunk(NamedTuple):
    """Consecutive records of one partition and the position after them.

    The position may lie past the last record's offset + 1, and records may be none at all: compaction and the
    markers of transactions leave gaps in the offsets.
    """

    partition: Partition
    records: tuple[Record, ...]
    position: int


class PartitionRange(NamedTuple):
    """A window's share of one partition: how many records, the offset after the last, and whose they are.

    `epoch` numbers the assignment of the partition to this worker, so that a window that outlives its
    assignment can't be taken for one of the next.
    """

    epoch: int
    records: int
    end: int


@dataclass(frozen=True)
class Window:
    """A closed set of records, in the order read, that is scored, published and settled as one."""

    records: tuple[Record, ...]
    ranges: Mapping[Partition, PartitionRange]

    def __len__(self) -> int:
        return len(self.records)
