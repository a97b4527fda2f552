"""How each fault is done, and undone."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from dev.chaos.fleet import Fleet, Replica
from dev.chaos.load import Load
from dev.chaos.schedule import Fault, Kind
from dev.kafka import Cluster

WORKERS_MAX = 4


class Faults:
    """Breaks workers, brokers and input. Each fault runs on a thread of its own, so that faults can overlap."""

    def __init__(self, cluster: Cluster, fleet: Fleet, load: Load, slow_file: Path) -> None:
        self.done: list[tuple[Fault, float]] = []
        """Faults with the moment at which they were done, on the monotonic clock."""
        self.errors: list[BaseException] = []
        self._cluster, self._fleet, self._load, self._slow_file = cluster, fleet, load, slow_file
        self._brokers = threading.Lock()  # at most one is down
        self._threads: list[threading.Thread] = []

    def begin(self, fault: Fault) -> None:
        """Do a fault now, and undo it when its time is over."""
        thread = threading.Thread(target=self._run, args=(fault,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all is undone.

        Raises:
            Exception: What went wrong in a fault itself.
        """
        for thread in self._threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _run(self, fault: Fault) -> None:
        doing: dict[Kind, Callable[[Fault], None]] = {
            Kind.WORKER_KILL: self._kill_worker,
            Kind.WORKER_PAUSE: self._pause_worker,
            Kind.WORKER_STOP: self._stop_worker,
            Kind.SCALE_UP: lambda _: self._scale(1),
            Kind.SCALE_DOWN: lambda _: self._scale(-1),
            Kind.BROKER_KILL: self._break_broker,
            Kind.BROKER_RESTART: self._break_broker,
            Kind.SLOW_MODEL: self._slow_model,
            Kind.FATAL_TEXT: lambda _: self._load.fatal(),
            Kind.POISON_TEXT: lambda _: self._load.poison(),
            Kind.HOSTILE: lambda _: self._load.hostile(),
        }
        try:
            self.done.append((fault, time.monotonic()))
            doing[fault.kind](fault)
        except BaseException as error:  # noqa: BLE001 - raised by `wait`, on the thread that cares
            self.errors.append(error)

    def _worker(self, fault: Fault) -> Replica:
        while (replica := self._fleet.pick(fault.target)) is None:
            time.sleep(0.1)
        return replica

    def _kill_worker(self, fault: Fault) -> None:
        replica = self._worker(fault)
        replica.killed = True
        replica.process.kill()

    def _pause_worker(self, fault: Fault) -> None:
        replica = self._worker(fault)
        replica.paused = True
        replica.process.pause()
        time.sleep(fault.duration_s)
        replica.process.resume()

    def _stop_worker(self, fault: Fault) -> None:
        self._fleet.stop_one(self._worker(fault))

    def _scale(self, step: int) -> None:
        self._fleet.wanted = min(WORKERS_MAX, max(1, self._fleet.wanted + step))
        while len(self._fleet.running()) > self._fleet.wanted:
            self._fleet.stop_one(self._fleet.running()[-1])

    def _break_broker(self, fault: Fault) -> None:
        with self._brokers:
            broker_id = 1 + fault.target % len(self._cluster.brokers)
            if fault.kind is Kind.BROKER_KILL:
                self._cluster.kill(broker_id)
                time.sleep(fault.duration_s)
            self._cluster.restart(broker_id)
            time.sleep(3)  # its replicas catch up, or the next fault would be the second

    def _slow_model(self, fault: Fault) -> None:
        self._slow_file.touch()
        time.sleep(fault.duration_s)
        self._slow_file.unlink(missing_ok=True)
