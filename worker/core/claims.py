"""How often workers have died at a position: what the metadata of a commit says besides the position.

A worker that begins at a position writes there that it has begun; one that leaves in good order takes that back.
So a worker that finds `DEATHS_MAX` others to have begun where it begins knows that they died there, and scores the
next records one at a time, each marked before it is tried. A worker that finds such a mark knows which record its
predecessor died on.
"""

import json
from dataclasses import dataclass, replace
from typing import Self

DEATHS_MAX = 3
"""After so many deaths at one position the records from there are scored one at a time."""


@dataclass(frozen=True)
class Claim:
    """What the commit at a position says of the workers that began there."""

    deaths: int = 0
    """Workers that began at the position and did not leave in good order, the present one included."""
    alone_until: int = 0
    """Records below this offset are scored one at a time."""
    trying: bool = False
    """Whether the first record from the position on is being scored, alone."""

    @classmethod
    def parse(cls, metadata: str | None) -> Self:
        """Read the metadata of a commit; what another program wrote there counts as nothing."""
        try:
            found = json.loads(metadata or "{}")
            return cls(int(found.get("deaths", 0)), int(found.get("alone_until", 0)), bool(found.get("trying")))
        except (ValueError, TypeError, AttributeError):
            return cls()

    def __str__(self) -> str:
        """The metadata to commit; empty where there is nothing to say."""
        said = {name: value for name, value in vars(self).items() if value}
        return json.dumps(said, separators=(",", ":")) if said else ""

    def begun(self) -> "Claim":
        """The claim of a worker that finds this one and begins."""
        return replace(self, deaths=self.deaths + 1, trying=False)

    def left(self, *, progressed: bool) -> "Claim":
        """The claim of a worker that began with this one and leaves in good order."""
        return replace(self, deaths=0 if progressed else max(0, self.deaths - 1), trying=False)

    def alone(self, first_offset: int, span: int) -> "Claim":
        """This claim, with the next `span` offsets to be scored one at a time if too many have died."""
        if self.deaths < DEATHS_MAX or self.alone_until > first_offset:
            return self
        return Claim(0, first_offset + span)


BEGUN = Claim(deaths=1)
"""What a worker writes with every commit: it goes on from there."""
