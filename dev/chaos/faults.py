"""How each fault is done, and undone."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from dev.chaos.cluster_faults import ClusterFaults
from dev.chaos.fleet import Fleet, Replica
from dev.chaos.load import Load
from dev.chaos.schedule import BREAKS_BROKERS, Fault, Kind
from dev.kafka import Cluster

WORKERS_MAX = 4
_GROUP = "review-sentiment"
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Done:
    """A fault that was done, on the monotonic clock."""

    fault: Fault
    struck_s: float
    """When it took effect: what was sent before may have been answered as if nothing had happened."""
    calm: bool
    """Whether nothing was left to answer of faults before it."""
    over_s: float = 0.0
    """When it was undone."""


class Faults:
    """Breaks workers, brokers and input. Each fault runs on a thread of its own, so that faults can overlap."""

    def __init__(
        self, cluster: Cluster, fleet: Fleet, load: Load, slow_file: Path, cluster_faults: ClusterFaults
    ) -> None:
        self.done: list[Done] = []
        self.failed: list[str] = []
        """Those that could not be done, and why."""
        self._cluster, self._fleet, self._load, self._slow_file = cluster, fleet, load, slow_file
        self._cluster_faults = cluster_faults
        self._brokers = threading.Lock()  # one thing at a time is done to them
        self._threads: list[threading.Thread] = []

    @property
    def outages(self) -> list[tuple[float, float]]:
        """From when until when a broker was away."""
        return [(it.struck_s - _PATIENCE_S / 4, it.over_s) for it in self.done if it.fault.kind in BREAKS_BROKERS]

    def begin(self, fault: Fault, *, calm: bool) -> None:
        """Do a fault now, and undo it when its time is over."""
        thread = threading.Thread(target=self._run, args=(fault, calm), daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all is undone."""
        for thread in self._threads:
            thread.join()

    def _run(self, fault: Fault, calm: bool) -> None:  # noqa: FBT001 - a thread's arguments have no names
        doing: dict[Kind, Callable[[Fault], float]] = {
            Kind.WORKER_KILL: self._kill_worker,
            Kind.WORKER_PAUSE: self._pause_worker,
            Kind.WORKER_STOP: lambda it: self._stop(self._worker(it)),
            Kind.SCALE_UP: self._scale,
            Kind.SCALE_DOWN: self._scale,
            Kind.BROKER_KILL: self._break_broker,
            Kind.BROKER_RESTART: self._break_broker,
            Kind.SLOW_MODEL: self._slow_model,
            Kind.FATAL_TEXT: lambda _: self._sent(self._load.fatal),
            Kind.POISON_TEXT: lambda _: self._sent(self._load.poison),
            Kind.HOSTILE: lambda _: self._sent(self._load.hostile),
            Kind.TOPIC_RECREATED: lambda _: self._alone(self._cluster_faults.recreate),
            Kind.TOPIC_RECREATED_PAUSED: lambda _: self._alone(lambda: self._cluster_faults.recreate(paused=True)),
            Kind.UNCLEAN_ELECTION: lambda it: self._alone(
                lambda: self._cluster_faults.elect_uncleanly(it.target, self._wait_in_sync)
            ),
            Kind.PARTITIONS_ADDED: lambda _: self._alone(self._cluster_faults.add_partitions),
            Kind.REFUSED: lambda _: self._sent(self._load.refused),
            Kind.QUOTA: lambda it: self._cluster_faults.throttle(5 * it.duration_s),
        }
        try:
            if fault.kind in {Kind.SCALE_UP, Kind.SCALE_DOWN}:
                fault = self._possible(fault)
            struck_s = doing[fault.kind](fault)
            self.done.append(Done(fault, struck_s, calm, time.monotonic()))
        except Exception as error:  # noqa: BLE001 - the rest of the run still tells something
            self.failed.append(f"{fault.kind}: {error!r}")

    def _worker(self, fault: Fault) -> Replica:
        deadline_s = time.monotonic() + _PATIENCE_S
        while (replica := self._fleet.pick(fault.target)) is None:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"there was no worker to break for {_PATIENCE_S:.0f} s: {fault}")
            time.sleep(0.1)
        return replica

    def _kill_worker(self, fault: Fault) -> float:
        replica = self._worker(fault)
        replica.killed = True
        replica.process.kill()
        return time.monotonic()

    def _pause_worker(self, fault: Fault) -> float:
        replica = self._worker(fault)
        replica.process.pause()
        struck_s = time.monotonic()
        replica.pauses.append([struck_s])
        time.sleep(fault.duration_s)
        replica.process.resume()
        replica.pauses[-1].append(time.monotonic())
        return struck_s

    def _stop(self, replica: Replica) -> float:
        self._fleet.stop_one(replica)
        deadline_s = time.monotonic() + _PATIENCE_S
        while replica.process.exit_code is None and time.monotonic() < deadline_s:
            time.sleep(0.05)
        return time.monotonic()

    def _possible(self, fault: Fault) -> Fault:
        """The same scaling, or the opposite where there are as many or as few workers as may be."""
        if fault.kind is Kind.SCALE_UP and self._fleet.wanted >= WORKERS_MAX:
            return replace(fault, kind=Kind.SCALE_DOWN)
        if fault.kind is Kind.SCALE_DOWN and self._fleet.wanted <= 1:
            return replace(fault, kind=Kind.SCALE_UP)
        return fault

    def _scale(self, fault: Fault) -> float:
        self._fleet.wanted += 1 if fault.kind is Kind.SCALE_UP else -1
        while len(running := self._fleet.running()) > self._fleet.wanted:
            self._stop(running[-1])
        return time.monotonic()

    def _alone(self, do: Callable[[], float]) -> float:
        with self._brokers:
            return do()

    def _break_broker(self, fault: Fault) -> float:
        with self._brokers:
            broker_id = 1 + fault.target % len(self._cluster.brokers)
            if fault.kind is Kind.BROKER_KILL:
                self._cluster.kill(broker_id)
                struck_s = time.monotonic()
                time.sleep(fault.duration_s)
            else:
                broker_id = self._coordinator() or broker_id
                self._cluster.stop(broker_id)
                struck_s = time.monotonic()
            self._cluster.restart(broker_id)
            self._wait_in_sync()
            return struck_s

    def _coordinator(self) -> int | None:
        """The broker that coordinates the workers' group, so that its restart moves that too."""
        admin = AdminClient({"bootstrap.servers": self._cluster.bootstrap_servers, "log_level": 0})
        try:
            described = admin.describe_consumer_groups([_GROUP], request_timeout=10)[_GROUP].result()
        except KafkaException:
            return None
        coordinator: int | None = described.coordinator.id if described.coordinator else None
        return coordinator

    def _wait_in_sync(self) -> None:
        """Wait until every replica has caught up: a broker lost before would be the second one."""
        admin = AdminClient({"bootstrap.servers": self._cluster.bootstrap_servers, "log_level": 0})
        deadline_s = time.monotonic() + 2 * _PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                topics = admin.list_topics(timeout=5).topics.values()
                if all(len(it.isrs) == len(it.replicas) for topic in topics for it in topic.partitions.values()):
                    return
            except KafkaException:
                pass  # it is not up yet
            time.sleep(0.5)
        raise RuntimeError("a broker that came back did not catch up: another fault would break two")

    def _slow_model(self, fault: Fault) -> float:
        self._slow_file.touch()
        struck_s = time.monotonic()
        time.sleep(fault.duration_s)
        self._slow_file.unlink(missing_ok=True)
        return struck_s

    def _sent(self, send: Callable[[], None]) -> float:
        send()
        return time.monotonic()
