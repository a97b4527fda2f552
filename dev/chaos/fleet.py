"""The workers: as many as wanted, restarted when they die, as an orchestrator does."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.processes import WorkerProcess

_RESTART_AFTER_S = 1.0
_GROWN_UP_S = 3.0


@dataclass
class Replica:
    """A worker's process, and what was done to it."""

    process: WorkerProcess
    started_s: float
    killed: bool = False
    paused: bool = False
    stopped: bool = False
    died_s: float = 0.0

    @property
    def sessions(self) -> set[str]:
        """The first parts of the sessions that it wrote with."""
        return {event["session"] for event in self.process.events() if event["event"] == "worker_serving"}

    @property
    def disturbed(self) -> bool:
        """Whether it may have published what it could not commit: it crashed, was evicted, or lost its broker."""
        telling = {"partitions_lost", "commit_failed", "record_condemned"}
        return (
            self.killed
            or self.paused
            or (self.process.exit_code or 0) != 0
            or any(event["event"] in telling or event.get("drained") is False for event in self.process.events())
        )


class Fleet:
    """Keeps `wanted` workers running from a thread of its own."""

    def __init__(self, folder: Path, module: str, settings: Mapping[str, object], wanted: int) -> None:
        self.wanted = wanted
        self.history: list[Replica] = []
        self.peak_bytes = 0
        self._folder, self._module, self._settings = folder, module, dict(settings)
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
        codes = [replica.process.wait(timeout_s) for replica in self.history if replica.stopped]
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
                process = WorkerProcess(log_file, self._settings, module=self._module)
                self.history.append(Replica(process, now_s))
