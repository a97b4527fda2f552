"""A cluster of local brokers: start, break, repair and wipe it."""

import base64
import contextlib
import itertools
import json
import random
import shutil
import signal
import socket
import sys
import time
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from dev.kafka.broker import Broker
from dev.kafka.clients import broker_ids_seen, create_topics
from dev.kafka.jars import KafkaUnavailableError, jars_folder
from dev.kafka.properties import HOST

_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 15.0
# Below the range that outgoing connections take their ports from: one of those, a client's own attempt to
# reconnect among them, could otherwise sit on the port of a broker that is down.
_PORTS = range(20_000, 32_000)


class Cluster:
    """Local brokers with ids from 1, in a folder of their own; as a context manager it starts and wipes.

    The brokers end when this process does, however it ends, unless they are detached.
    """

    def __init__(
        self, folder: Path, brokers: int = 1, *, detached: bool = False, settings: Mapping[str, str] | None = None
    ) -> None:
        """Describe a cluster; nothing runs before `start`.

        Args:
            folder: For data, logs and state. A folder of an earlier cluster continues that one.
            brokers: One or three; an earlier cluster keeps its own number.
            detached: Whether the brokers outlive this process.
            settings: More lines for `server.properties`, kept by this object alone.
        """
        self._settings = dict(settings or {})
        self.folder = folder.absolute()
        self._detached = detached
        self._state_file = self.folder / "cluster.json"
        if self._state_file.exists():
            state = json.loads(self._state_file.read_text())
            self._cluster_id: str = state["cluster_id"]
            self.brokers = tuple(Broker.from_state(self.folder, broker) for broker in state["brokers"])
            return
        self._cluster_id = _random_id()
        ports = iter(free_ports(2 * brokers))
        self.brokers = tuple(
            Broker(n, self.folder / f"broker-{n}", next(ports), next(ports), _random_id())
            for n in range(1, brokers + 1)
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    @property
    def bootstrap_servers(self) -> str:
        """Every broker, `host:port,…`."""
        return ",".join(broker.address for broker in self.brokers)

    @property
    def broker_ids(self) -> tuple[int, ...]:
        """The ids of the brokers, from 1."""
        return tuple(broker.broker_id for broker in self.brokers)

    def start(self) -> None:
        """Start every broker that does not run, and wait until all answer and know each other.

        Raises:
            KafkaUnavailableError: If the jars or Java are unavailable, or if a broker ends or does not answer;
                the end of its log is in the message. What was started is ended again.
        """
        self._start([broker for broker in self.brokers if not broker.alive])

    def stop(self, broker_id: int | None = None) -> None:
        """Stop a broker, or all, gently: with time to hand over. Data stays."""
        brokers = self.brokers if broker_id is None else (self._broker(broker_id),)
        for broker in brokers:
            broker.send(signal.SIGTERM)
            broker.send(signal.SIGCONT)  # a paused one takes the signal when it goes on
        deadline_s = time.monotonic() + _STOP_TIMEOUT_S
        for broker in brokers:
            broker.end(grace_s=deadline_s - time.monotonic())

    def wipe(self) -> None:
        """End every broker at once and remove what they wrote; `start` would begin again."""
        for broker in self.brokers:
            broker.end(grace_s=0)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(broker.folder)
        self._state_file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the folder may be gone, or hold other things than ours
            self.folder.rmdir()

    def kill(self, broker_id: int) -> None:
        """SIGKILL a broker. The others miss it after its session timeout, 9 s."""
        self._broker(broker_id).end(grace_s=0)

    def pause(self, broker_id: int) -> None:
        """SIGSTOP a broker: it keeps its connections and answers nothing."""
        self._broker(broker_id).send(signal.SIGSTOP)

    def resume(self, broker_id: int) -> None:
        """SIGCONT a paused broker."""
        self._broker(broker_id).send(signal.SIGCONT)

    def restart(self, broker_id: int) -> None:
        """Start a broker again, after a gentle stop if it runs, and wait until it answers.

        Its replicas may still be catching up then.

        Raises:
            KafkaUnavailableError: If it ends or does not answer; the end of its log is in the message.
        """
        self.stop(broker_id)
        self._start([self._broker(broker_id)])

    def create_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics by name with so many partitions; those that exist are left as they are."""
        create_topics(self.bootstrap_servers, partitions, configs)

    def limit_producers(self, client_id: str, bytes_per_s: int | None) -> None:
        """Set a quota on what producers of this name write to each broker; None lifts it.

        Raises:
            subprocess.CalledProcessError: If Kafka's own tool can't; what it says is in the error.
        """
        change = ["--delete-config", "producer_byte_rate"]
        if bytes_per_s is not None:
            change = ["--add-config", f"producer_byte_rate={bytes_per_s}"]
        address = ["--bootstrap-server", self.bootstrap_servers]
        entity = ["--entity-type", "clients", "--entity-name", client_id]
        self.brokers[0].run_tool(jars_folder(), "kafka.admin.ConfigCommand", *address, "--alter", *change, *entity)

    def _broker(self, broker_id: int) -> Broker:
        if broker_id not in self.broker_ids:
            raise ValueError(f"there is no broker {broker_id}; ids go from 1 to {len(self.brokers)}")
        return self.brokers[broker_id - 1]

    def _start(self, brokers: Collection[Broker]) -> None:
        if sys.platform != "linux":
            raise KafkaUnavailableError("a local Kafka needs Linux: it watches processes through /proc and pidfds")
        jars = jars_folder()
        self._save()  # first, so that an interrupted start can be continued, or wiped
        try:
            for broker in brokers:
                broker.format(jars, self._cluster_id, self.brokers, self._settings)
                broker.start(jars, detached=self._detached)
                self._save()
            self._wait_until_answering(brokers)
        except BaseException:  # a Ctrl-C too leaves nothing half started
            for broker in brokers:
                broker.end(grace_s=0)
            raise

    def _save(self) -> None:
        state = {"cluster_id": self._cluster_id, "brokers": [broker.state() for broker in self.brokers]}
        self.folder.mkdir(parents=True, exist_ok=True)
        self._state_file.write_text(json.dumps(state, indent=2))

    def _wait_until_answering(self, brokers: Collection[Broker]) -> None:
        expected = {broker.broker_id for broker in brokers}
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        for broker in brokers:
            while not expected <= broker_ids_seen(broker.address, self._cluster_id):
                for other in brokers:
                    if not other.alive:
                        raise KafkaUnavailableError(f"broker {other.broker_id} ended:\n{other.log_tail()}")
                if time.monotonic() > deadline_s:
                    why = f"broker {broker.broker_id} does not answer after {_START_TIMEOUT_S:.0f} s"
                    raise KafkaUnavailableError(f"{why}:\n{broker.log_tail()}")
                time.sleep(0.1)


def _random_id() -> str:
    """A Kafka Uuid: 16 random bytes in URL-safe base64 without padding, not starting with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    # The system's randomness: a test's fixed seed would give clusters in two processes the same ports.
    shuffled = random.SystemRandom().sample(_PORTS, len(_PORTS))
    return list(itertools.islice(filter(_is_free, shuffled), count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
