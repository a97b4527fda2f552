"""How often workers have died at a position: what the metadata of a commit says besides the position.

A worker that begins at a position writes there that it has begun; one that leaves in good order takes that back.
So a worker that finds `DEATHS_MAX` others to have begun where it begins knows that they died there, and tries the
next records in small groups, each marked before it is tried. A worker that finds such a mark knows which group its
predecessor died on, and tries the records of that one at a time; a mark of one record names the killer. That
verdict stays until its dead letter is committed: where two partitions have killers, each worker would else forget
the one while it dies on the other, for ever.
"""

import json
from dataclasses import dataclass, replace
from typing import Self

DEATHS_MAX = 3
"""After so many deaths at one position the records from there are tried in small groups."""


@dataclass(frozen=True)
class Claim:
    """What the commit at a position says of the workers that began there."""

    deaths: int = 0
    """Workers that began at the position and did not leave in good order, the present one included."""
    suspects_until: int = 0
    """Records below this offset are tried in small groups with nothing else in the pipeline."""
    singly_until: int = 0
    """And those below this offset one at a time."""
    trying: int = 0
    """So many records from the position on are being tried."""
    condemned: int = 0
    """1 if the record at the position killed a worker that tried it alone, until its dead letter is committed."""

    @classmethod
    def parse(cls, metadata: str | None) -> Self:
        """Read the metadata of a commit; what another program wrote there counts as nothing."""
        try:
            found = json.loads(metadata or "{}")
            return cls(**{name: int(found.get(name, 0)) for name in vars(cls())})
        except (ValueError, TypeError, AttributeError):
            return cls()

    def __str__(self) -> str:
        """The metadata to commit; empty where there is nothing to say."""
        said = {name: value for name, value in vars(self).items() if value}
        return json.dumps(said, separators=(",", ":")) if said else ""

    def begun(self) -> "Claim":
        """The claim of a worker that finds this one and begins."""
        condemned = int(bool(self.condemned) or self.trying == 1)
        return replace(self, deaths=self.deaths + 1, trying=0, condemned=condemned)

    def left(self, *, progressed: bool) -> "Claim":
        """The claim of a worker that began with this one and leaves in good order."""
        if progressed:
            return replace(self, deaths=0, trying=0, condemned=0)
        return replace(self, deaths=max(0, self.deaths - 1), trying=0)

    def suspecting(self, first_offset: int, span: int) -> "Claim":
        """This claim, with the next `span` offsets under suspicion if too many have died."""
        if self.deaths < DEATHS_MAX or self.suspects_until > first_offset:
            return self
        return replace(self, deaths=0, suspects_until=first_offset + span)


BEGUN = Claim(deaths=1)
"""What a worker writes with every commit: it goes on from there."""
