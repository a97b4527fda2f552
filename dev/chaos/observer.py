"""Downstream while it happens: when each outcome came, how far behind the workers are, and how fast they go."""

import threading
import time
from dataclasses import dataclass

from dev.account import Auditor, Position
from dev.chaos.load import LOG, Load

_SAMPLE_S = 0.5
_FOLLOW_S = 5.0


@dataclass(frozen=True)
class Sample:
    """The state of the stream at a moment, in seconds after the start."""

    at_s: float
    lag: int
    outcomes: int


class Observer:
    """Reads results and dead letters from a thread of its own."""

    def __init__(self, auditor: Auditor, load: Load) -> None:
        self.samples: list[Sample] = []
        self.arrivals: list[tuple[float, Position]] = []
        """When each position was first answered, on the monotonic clock."""
        self.answered_s: dict[tuple[Position, str], float] = {}
        """When each position was answered by each session, on the monotonic clock."""
        self.started_s = time.monotonic()
        self._auditor, self._load = auditor, load
        self._seen: set[Position] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Inputs without an outcome so far."""
        sent = self._load.sent.copy()
        left = sent.keys() - self._seen - self._load.gone
        return sum(1 for position in left if sent[position].expected != "unsendable")

    def end(self) -> None:
        """Stop reading."""
        self._ending.set()
        self._thread.join()
        self._auditor.close()

    def recovery_s(self, at_s: float) -> float | None:
        """From a moment until every partition has answered a record sent after it; None if one never did.

        Every partition counts: what a fault touched, its group's rebalance touches too. Where logs are replaced
        later, those of the first one after the moment count.
        """
        later = {it for it, sent in self._load.sent.items() if sent.at_s >= at_s} - self._load.gone
        log = min((partition // LOG for partition, _ in later), default=0)
        missing = {partition for partition, _ in later if partition // LOG == log}
        for came_s, position in self.arrivals:
            if came_s >= at_s and position in later:
                missing.discard(position[0])
                if not missing:
                    return came_s - at_s
        return None

    def _run(self) -> None:
        follow_at_s = self.started_s + _FOLLOW_S
        while not self._ending.is_set():
            outcomes = self._auditor.read(0.1)
            now_s = time.monotonic()
            if now_s >= follow_at_s:
                self._auditor.follow()
                follow_at_s = now_s + _FOLLOW_S
            for outcome in outcomes:
                self.answered_s.setdefault((outcome.position, outcome.session), now_s)
                if outcome.position not in self._seen:
                    self._seen.add(outcome.position)
                    self.arrivals.append((now_s, outcome.position))
            if not self.samples or now_s - self.started_s - self.samples[-1].at_s >= _SAMPLE_S:
                self.samples.append(Sample(now_s - self.started_s, self.waiting, len(self._seen)))
