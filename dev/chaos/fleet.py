"""The workers: as many as wanted, restarted when they die, as an orchestrator does."""

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dev.chaos.verdict import Disturbance, End, in_flight_since
from dev.processes import WorkerProcess

_RESTART_AFTER_S = 1.0
_GROWN_UP_S = 3.0


_WAKES_WITHIN_S = 30.0  # a worker that goes on after its eviction has noticed by then
_EVICTED = {"partitions_lost", "poison_record"}


@dataclass
class Replica:
    """A worker's process, and what was done to it; times are on the monotonic clock."""

    process: WorkerProcess
    started_s: float
    killed: bool = False
    stopped: bool = False
    overdue: bool = False
    died_s: float = 0.0
    pauses: list[list[float]] = field(default_factory=list)
    """Begin and end of each SIGSTOP; the end is missing while it lasts."""

    @property
    def name(self) -> str:
        """Its log's name."""
        return self.process.log_file.stem

    @property
    def paused(self) -> bool:
        """Whether it is stopped now."""
        return bool(self.pauses) and len(self.pauses[-1]) == 1

    @property
    def end(self) -> End | None:
        """How it ended; None while it runs."""
        code = self.process.exit_code
        if code is None:
            return None
        return End(self.name, code, self.killed, self.stopped, self.overdue)

    def disturbances(self, outages: Collection[tuple[float, float]]) -> list[Disturbance]:
        """When it may have published what it could not commit: it crashed, was evicted, or was cut off.

        Args:
            outages: From when until when a broker was away.
        """
        events = list(self.process.events())
        sessions = {event["session"] for event in events if event["event"] == "worker_serving"}
        failed = [_moment_s(event) for event in events if event["event"] == "commit_failed"]
        crashes = [(_moment_s(event), _WAKES_WITHIN_S) for event in events if _tells_of_an_eviction(event)]
        crashes += [(pause[0], pause[-1] - pause[0] + _WAKES_WITHIN_S) for pause in self.pauses]
        if self.killed or self.process.exit_code:
            crashes.append((self.died_s or time.monotonic(), _WAKES_WITHIN_S))
        troubles = [*outages, *((moment, moment) for moment in failed)]
        return [
            Disturbance(session, in_flight_since(at_s, troubles), at_s + lasts_s)
            for session in sessions
            for at_s, lasts_s in crashes
        ]


def _tells_of_an_eviction(event: Mapping[str, Any]) -> bool:
    if event["event"] == "commit_failed":
        return event.get("during") == "revocation"
    return event["event"] in _EVICTED or event.get("drained") is False


def _moment_s(event: Mapping[str, Any]) -> float:
    """When something was logged, on the monotonic clock."""
    age_s = time.time() - datetime.fromisoformat(event["timestamp"]).timestamp()
    return time.monotonic() - age_s


class Fleet:
    """Keeps `wanted` workers running from a thread of its own."""

    def __init__(self, folder: Path, module: str, settings: Mapping[str, object], wanted: int) -> None:
        self.wanted = wanted
        self.history: list[Replica] = []
        self.peak_bytes = 0
        self.settings = dict(settings)
        """Of the workers that start from now on."""
        self._folder, self._module = folder, module
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="fleet", daemon=True)

    def start(self) -> None:
        """Start the workers, and watch them from now on."""
        self._tend()
        self._thread.start()

    def running(self) -> list[Replica]:
        """The workers that are not told to stop and have not died, oldest first."""
        with self._lock:
            return [it for it in self.history if it.process.exit_code is None and not it.stopped]

    def pick(self, target: int) -> Replica | None:
        """A worker that has had the time to become ready, if there is one."""
        old = [it for it in self.running() if time.monotonic() - it.started_s > _GROWN_UP_S and not it.paused]
        return old[target % len(old)] if old else None

    def stop_one(self, replica: Replica) -> None:
        """SIGTERM; a replacement follows if it is wanted."""
        with self._lock:
            replica.stopped = True
            replica.process.terminate()

    def end(self, timeout_s: float = 40) -> list[int]:
        """Stop all in good order; the exit codes of those that were told to."""
        with self._lock:
            self.wanted = 0
            for replica in self.running():
                replica.process.resume()
                self.stop_one(replica)
        deadline_s = time.monotonic() + timeout_s
        codes = []
        for replica in [it for it in self.history if it.stopped]:
            while (code := replica.process.exit_code) is None and time.monotonic() < deadline_s:
                time.sleep(0.1)
            replica.overdue = code is None
            codes.append(replica.process.wait(0))
        self._ending.set()  # not before: a worker dies with the thread that started it
        self._thread.join()
        return codes

    def _supervise(self) -> None:
        while not self._ending.wait(0.2):
            self._tend()

    def _tend(self) -> None:
        with self._lock:
            now_s = time.monotonic()
            memory = [replica.process.resident_bytes for replica in self.running()]
            self.peak_bytes = max([self.peak_bytes, *memory])
            recently = [
                it for it in self.history
                if it.process.exit_code is not None and not it.stopped and now_s - it.died_s < _RESTART_AFTER_S
            ]  # fmt: skip
            for replica in self.history:
                if replica.process.exit_code is not None and not replica.died_s:
                    replica.died_s = now_s
                    recently.append(replica)
            while len(self.running()) + len(recently) < self.wanted:
                log_file = self._folder / f"worker-{len(self.history) + 1}.log"
                process = WorkerProcess(log_file, self.settings, module=self._module)
                self.history.append(Replica(process, now_s))
