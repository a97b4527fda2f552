"""Dead letters that go to the input topic again: which have gone already, and what each was before it died.

Positions are kept by reason, since one cause is fixed before the other. They ride in a commit of the group that
sends dead letters back: its offset holds for every reason, and its metadata names the reasons that are further.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from worker.core.headers import DEAD_LETTER
from worker.core.leaving_out import Part
from worker.core.records import Record

_TIMESTAMP_END_MS = 2**63


@dataclass(frozen=True)
class Redriven:
    """Up to which offset a partition's dead letters have been sent back."""

    position: int = 0
    """Of every reason."""
    further: Mapping[str, int] = field(default_factory=dict)
    """Of these reasons up to a later offset."""

    @classmethod
    def parse(cls, position: int, metadata: str) -> Self:
        """Read a commit; metadata that another program wrote counts as none."""
        try:
            said = {str(reason): int(offset) for reason, offset in json.loads(metadata or "{}").items()}
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            said = {}
        return cls(position, {reason: offset for reason, offset in said.items() if offset > position})

    @property
    def metadata(self) -> str:
        """What to commit beside the position; empty where it says all."""
        return json.dumps(self.further, separators=(",", ":")) if self.further else ""

    def within(self, end: int) -> Self:
        """The same, of a log that ends here: what was beyond its end is gone, and what comes there is new."""
        position, further = min(self.position, end), {it: min(at, end) for it, at in self.further.items()}
        return replace(self, position=position, further={it: at for it, at in further.items() if at > position})

    def until(self, reason: str) -> int:
        """The offset up to which those of a reason are sent."""
        return self.further.get(reason, self.position)

    def first(self, reasons: Collection[str]) -> int:
        """The offset from which one of these reasons (of any, if there are none) may have to be sent."""
        return min(map(self.until, reasons), default=self.position)

    def moved(self, position: int, reasons: Collection[str]) -> Self:
        """The same, when those of some reasons (of every one, if there are none) are sent up to `position`."""
        sent = {**self.further, **{it: max(position, self.until(it)) for it in reasons}}
        until = self.position if reasons else max(position, self.position)
        return replace(self, position=until, further={it: end for it, end in sent.items() if end > until})


def revived(dead: Record) -> Record | frozenset[Part]:
    """A dead letter as the record to send, under its own position, or which parts of its record it lacks.

    Its headers stay as they are: they tell where it was first if it dies again, and a result renames them.
    """
    said = dict(dead.headers)
    left_out = frozenset((said.get(f"{DEAD_LETTER}left-out") or b"").decode("utf-8", "replace").split(","))
    had_no_key = f"{DEAD_LETTER}{Part.KEY}-sha256" not in said and dead.value is not None
    lost = {Part.HEADERS, Part.VALUE} if had_no_key else {Part.HEADERS, Part.VALUE, Part.KEY}
    if lacking := frozenset(part for part in lost if part in left_out):
        return lacking
    try:
        timestamp_ms = int(said.get(f"{DEAD_LETTER}timestamp-ms") or dead.timestamp_ms)
    except ValueError:  # of another writer than ours, as any that a broker would not take
        return frozenset({Part.TIMESTAMP})
    if not -1 <= timestamp_ms < _TIMESTAMP_END_MS:
        return frozenset({Part.TIMESTAMP})
    return replace(dead, key=None if Part.KEY in left_out else dead.key, timestamp_ms=timestamp_ms)
