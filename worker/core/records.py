"""What Kafka gave, and the unit in which it is handled."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Partition(NamedTuple):
    """A numbered partition of a topic."""

    topic: str
    number: int


Header = tuple[str, bytes | None]

HEADER_BYTES = 128
"""What a header takes besides its text: a record of a megabyte can hold 300,000 that are empty."""


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
        """What the record takes while it is held: key, value and headers."""
        headers = sum(len(name) + len(value or b"") + HEADER_BYTES for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


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
    waited_s: float = 0.0
    """For how long its first record had waited when it was closed."""

    @cached_property
    def size_bytes(self) -> int:
        """What its records take while they are held."""
        return sum(record.size_bytes for record in self.records)

    def __len__(self) -> int:
        return len(self.records)
