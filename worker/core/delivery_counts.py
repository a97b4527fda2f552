"""How often a record was delivered to workers that died: what the metadata of a commit says besides the position.

Kafka keeps such a delivery count itself for share groups (KIP-932); for consumer groups it rides in the metadata
here. A worker that begins at a position adds itself to the count; one that leaves in good order takes itself off.
So a worker that finds `DELIVERIES_MAX` others to have begun where it begins knows that they died there, and
isolates the next records: it tries them in small groups, each marked as in trial before it is tried. A worker that
finds such a mark knows which group its predecessor died on, and tries the records of that one at a time; a mark of
one record names the poison. That verdict stays until its dead letter is committed: where two partitions have
poison, each worker would else forget the one while it dies on the other, for ever.
"""

import json
from dataclasses import dataclass, replace
from typing import Self

DELIVERIES_MAX = 3
"""After so many deaths at one position the records from there are isolated."""

_NAMES_OF_0_1 = {
    "count": "deaths",
    "isolated_until": "suspects_until",
    "single_until": "singly_until",
    "in_trial": "trying",
    "poison": "condemned",
}
"""What version 0.1 called the fields; read so that a rolling upgrade forgets nothing."""


@dataclass(frozen=True)
class DeliveryCount:
    """What the commit at a position says of the workers that began there."""

    count: int = 0
    """Workers that began at the position and did not leave in good order, the present one included."""
    isolated_until: int = 0
    """Records below this offset are tried in small groups with nothing else in the pipeline."""
    single_until: int = 0
    """And those below this offset one at a time."""
    in_trial: int = 0
    """So many records from the position on are being tried."""
    poison: int = 0
    """1 if the record at the position killed a worker that tried it alone, until its dead letter is committed."""

    @classmethod
    def parse(cls, metadata: str | None) -> Self:
        """Read the metadata of a commit; what another program wrote there counts as nothing."""
        try:
            found = json.loads(metadata or "{}")
            return cls(**{name: int(found.get(name, found.get(old, 0))) for name, old in _NAMES_OF_0_1.items()})
        except (ValueError, TypeError, AttributeError):
            return cls()

    def __str__(self) -> str:
        """The metadata to commit; empty where there is nothing to say."""
        said = {name: value for name, value in vars(self).items() if value}
        return json.dumps(said, separators=(",", ":")) if said else ""

    def begun(self) -> "DeliveryCount":
        """The count of a worker that finds this one and begins."""
        poison = int(bool(self.poison) or self.in_trial == 1)
        return replace(self, count=self.count + 1, in_trial=0, poison=poison)

    def left(self, *, progressed: bool) -> "DeliveryCount":
        """The count of a worker that began with this one and leaves in good order."""
        if progressed:
            return replace(self, count=0, in_trial=0, poison=0)
        return replace(self, count=max(0, self.count - 1), in_trial=0)

    def isolating(self, first_offset: int, offsets: int) -> "DeliveryCount":
        """This count, with the next `offsets` isolated if too many workers have died."""
        if self.count < DELIVERIES_MAX or self.isolated_until > first_offset:
            return self
        return replace(self, count=0, isolated_until=first_offset + offsets)


FIRST_DELIVERY = DeliveryCount(count=1)
"""What a worker commits with every position that it moves: it goes on from there."""
