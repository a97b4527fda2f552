"""Which records of a file would be dead letters, and why: the worker's own decoding, without Kafka or a model."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from contract.events import Reason
from worker.core.decoding import Rejection, decode

NOT_SEEN = (Reason.OUTPUT_TOO_LARGE, Reason.OUTPUT_REFUSED, Reason.MODEL_ERROR, Reason.CRASHED_WORKER)
"""The reasons that a value alone does not tell: those of topics, of the model and of the workers."""


class DeadLine(NamedTuple):
    """A line, counted from 1, whose record would be a dead letter."""

    number: int
    rejection: Rejection


@dataclass
class Tally:
    """What a file came to so far."""

    records: int = 0
    empty: int = 0
    """Lines without a byte, which are taken for no record."""
    reasons: Counter[Reason] = field(default_factory=Counter)

    def told(self) -> str:
        """In words."""
        dead = self.reasons.total()
        told = f"{self.records} records: {self.records - dead} would be scored, {dead} would be dead letters"
        if dead:
            told += f" ({', '.join(f'{reason} {count}' for reason, count in self.reasons.most_common())})"
        return f"{told}; {self.empty} empty lines passed over" if self.empty else told


def dead_lines(
    lines: Iterable[bytes], tally: Tally, *, text_field: str | None, bytes_max: int
) -> Iterator[DeadLine]:
    """The lines that would be dead letters, each taken for the value of one record.

    Args:
        lines: With or without their ends.
        tally: Counts every line.
        text_field: See `worker.core.decoding.decode`; so with `bytes_max`.
        bytes_max: Bytes of a value at most.
    """
    for number, line in enumerate(lines, start=1):
        value = line.rstrip(b"\r\n")
        if not value:
            tally.empty += 1
            continue
        tally.records += 1
        found = decode(value, text_field=text_field, bytes_max=bytes_max)
        if isinstance(found, Rejection):
            tally.reasons[found.reason] += 1
            yield DeadLine(number, found)
