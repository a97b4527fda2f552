"""How often a record was delivered to workers that died: what the metadata of a commit says besides the position.

Kafka keeps such a delivery count itself for share groups (KIP-932); for consumer groups it rides in the metadata
here. A worker that begins at a position adds itself to the count; one that leaves in good order takes itself off.
A death is disproved when all that the dead worker had read is settled, and not before: a worker that runs out of
memory may well settle a record or two each time. So a worker that finds `DELIVERIES_MAX` others to have begun
where it begins, or a little before, knows that they died there, and isolates the next records: it tries them in
small groups, each marked as in trial before it is tried. A worker that finds such a mark knows which group its
predecessor died on, and tries the records of that one at a time; a mark of one record names the poison. That
verdict stays until its dead letter is committed: where two partitions have poison, each worker would else forget
the one while it dies on the other, for ever.
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
    "read_until": "read_until",
}
"""What version 0.1 called the fields; read so that a rolling upgrade forgets nothing."""


@dataclass(frozen=True)
class DeliveryCount:
    """What the commit at a position says of the workers that began there."""

    count: int = 0
    """Workers that began here and did not leave in good order, the present one included."""
    isolated_until: int = 0
    """Records below this offset are tried in small groups with nothing else in the pipeline."""
    single_until: int = 0
    """And those below this offset one at a time."""
    in_trial: int = 0
    """So many records from the position on are being tried."""
    poison: int = 0
    """1 if the record at the position killed a worker that tried it alone, until its dead letter is committed."""
    read_until: int = 0
    """Those workers had read up to this offset: who settles all below it has disproved their deaths."""

    @classmethod
    def parse(cls, metadata: str | None) -> Self:
        """Read the metadata of a commit; what another program wrote there counts as nothing."""
        try:
            found = json.loads(metadata or "{}")
            return cls(**{name: int(found.get(name, found.get(old, 0))) for name, old in _NAMES_OF_0_1.items()})
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()

    def __str__(self) -> str:
        """The metadata to commit; empty where there is nothing to say."""
        said = {name: value for name, value in vars(self).items() if value}
        return json.dumps(said, separators=(",", ":")) if said else ""

    def begun(self, read_until: int) -> "DeliveryCount":
        """The count of a worker that finds this one and begins, having read up to `read_until`."""
        poison = int(bool(self.poison) or self.in_trial == 1)
        read_until = max(self.read_until, read_until)
        return replace(self, count=self.count + 1, in_trial=0, poison=poison, read_until=read_until)

    def moved(self, position: int, read_until: int) -> "DeliveryCount":
        """The count at a later position of a worker that began with this one, has read so far, and goes on."""
        if position < self.read_until:
            return DeliveryCount(count=self.count, read_until=self.read_until)
        return replace(FIRST_DELIVERY, read_until=read_until)

    def left(self, position: int, *, progressed: bool) -> "DeliveryCount":
        """The count of a worker that began with this one, and leaves in good order at a position."""
        disproved = progressed and position >= self.read_until
        count = 0 if disproved else max(0, self.count - 1)
        return replace(
            self,
            count=count,
            in_trial=0,
            poison=0 if progressed else self.poison,
            read_until=self.read_until if count else 0,
        )

    def isolating(self, first_offset: int, offsets: int) -> "DeliveryCount":
        """This count, with the next `offsets` isolated if too many workers have died."""
        if self.count < DELIVERIES_MAX or self.isolated_until > first_offset:
            return self
        return replace(self, count=0, isolated_until=first_offset + offsets, read_until=0)


FIRST_DELIVERY = DeliveryCount(count=1)
"""What a worker commits with a position beyond all that its predecessors had read: it goes on from there."""
