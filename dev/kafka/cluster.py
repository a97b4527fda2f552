"""A cluster of local brokers: start, break, mend and wipe it."""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from dev.kafka.broker import HOST, Broker
from dev.kafka.jars import KafkaUnavailableError

_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 15.0
BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"


class AnyCluster(Protocol):
    """A cluster, ours or not."""

    @property
    def bootstrap_servers(self) -> str:
        """The brokers to ask first, `host:port,…`."""
        ...

    def create_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics by name with so many partitions; those that exist are left as they are."""
        ...


class ExistingCluster:
    """Somebody else's cluster: it can be used, and neither stopped nor broken."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def create_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics by name with so many partitions; those that exist are left as they are."""
        create_topics(self.bootstrap_servers, partitions, configs)


class Cluster:
    """Local brokers with ids from 1, in a folder of their own; as a context manager it starts and wipes."""

    def __init__(self, folder: Path, brokers: int = 1, *, detached: bool = False) -> None:
        """Describe a cluster; nothing runs before `start`.

        Args:
            folder: For data, logs and state. A folder of an earlier cluster continues that one.
            brokers: One or three.
            detached: Whether the brokers outlive this process.
        """
        self.folder = folder
        self._detached = detached
        self._state_file = folder / "cluster.json"
        if self._state_file.exists():
            state = json.loads(self._state_file.read_text())
            self.cluster_id: str = state["cluster_id"]
            self._brokers = [Broker(**{**item, "folder": Path(item["folder"])}) for item in state["brokers"]]
            return
        self.cluster_id = _random_id()
        ports = _free_ports(2 * brokers)
        self._brokers = [
            Broker(n, folder / f"broker-{n}", ports[2 * n - 2], ports[2 * n - 1], _random_id())
            for n in range(1, brokers + 1)
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    @property
    def bootstrap_servers(self) -> str:
        """Every broker, `host:port,…`."""
        return ",".join(f"{HOST}:{broker.port}" for broker in self._brokers)

    @property
    def brokers(self) -> tuple[Broker, ...]:
        """The brokers, in the order of their ids."""
        return tuple(self._brokers)

    def start(self) -> None:
        """Start every broker that does not run, and wait until all answer.

        Raises:
            KafkaUnavailableError: If one ends or does not answer; the end of its log is in the message.
        """
        for broker in self._brokers:
            broker.write_properties(self._brokers, replication=len(self._brokers))
            broker.format(self.cluster_id, self._brokers)
            if not broker.alive:
                broker.start(detached=self._detached)
        self._save()
        self._wait_until_answering()

    def stop(self) -> None:
        """Stop every broker, gently first."""
        for broker in self._brokers:
            broker.send(signal.SIGCONT)
            broker.send(signal.SIGTERM)
        deadline_s = time.monotonic() + _STOP_TIMEOUT_S
        while any(broker.alive for broker in self._brokers) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        for broker in self._brokers:
            broker.send(signal.SIGKILL)

    def wipe(self) -> None:
        """Stop at once and remove everything."""
        for broker in self._brokers:
            broker.send(signal.SIGKILL)
        while any(broker.alive for broker in self._brokers):
            time.sleep(0.01)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, broker_id: int) -> None:
        """SIGKILL a broker."""
        self._broker(broker_id).send(signal.SIGKILL)
        while self._broker(broker_id).alive:
            time.sleep(0.01)

    def pause(self, broker_id: int) -> None:
        """SIGSTOP a broker: it keeps its connections and answers nothing."""
        self._broker(broker_id).send(signal.SIGSTOP)

    def resume(self, broker_id: int) -> None:
        """SIGCONT a paused broker."""
        self._broker(broker_id).send(signal.SIGCONT)

    def restart(self, broker_id: int) -> None:
        """Start a broker that was killed, and wait until it answers."""
        broker = self._broker(broker_id)
        if not broker.alive:
            broker.start(detached=self._detached)
            self._save()
        self._wait_until_answering()

    def create_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics by name with so many partitions; those that exist are left as they are."""
        create_topics(self.bootstrap_servers, partitions, configs)

    def _broker(self, broker_id: int) -> Broker:
        if not 1 <= broker_id <= len(self._brokers):
            raise ValueError(f"there is no broker {broker_id}; ids go from 1 to {len(self._brokers)}")
        return self._brokers[broker_id - 1]

    def _save(self) -> None:
        brokers = [{**asdict(broker), "folder": str(broker.folder)} for broker in self._brokers]
        self._state_file.write_text(json.dumps({"cluster_id": self.cluster_id, "brokers": brokers}, indent=2))

    def _wait_until_answering(self) -> None:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while True:
            for broker in self._brokers:
                if not broker.alive:
                    raise KafkaUnavailableError(f"broker {broker.broker_id} ended:\n{broker.log_tail()}")
            if _answering(self.bootstrap_servers) == len(self._brokers):
                return
            if time.monotonic() > deadline_s:
                tails = "\n".join(broker.log_tail() for broker in self._brokers)
                raise KafkaUnavailableError(f"the brokers do not answer after {_START_TIMEOUT_S} s:\n{tails}")
            time.sleep(0.1)


@contextlib.contextmanager
def cluster_or_existing(folder: Path, brokers: int = 1) -> Iterator[AnyCluster]:
    """The cluster that KAFKA_BOOTSTRAP_SERVERS names, else a local one for as long as the context lasts."""
    if servers := os.environ.get(BOOTSTRAP_VARIABLE):
        yield ExistingCluster(servers)
        return
    with Cluster(folder, brokers) as cluster:
        yield cluster


def create_topics(servers: str, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
    """Create topics by name with so many partitions; those that exist are left as they are."""
    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    try:
        for topic, count in partitions.items():
            wanted = {topic: {"num_partitions": count, "configs": dict(configs or {})}}
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics(wanted, wait_for_metadata=True)
    finally:
        admin.close()


def _answering(servers: str) -> int:
    """How many brokers the cluster counts as its own; 0 while nobody answers."""
    host, port = servers.split(",", maxsplit=1)[0].rsplit(":", 1)
    try:
        # The client would log and retry for seconds where a plain connection tells at once.
        socket.create_connection((host, int(port)), timeout=1).close()
        admin = KafkaAdminClient(bootstrap_servers=servers.split(","), bootstrap_timeout_ms=5000)
    except (OSError, KafkaError):
        return 0
    try:
        return len(admin.describe_cluster()["brokers"])
    except (KafkaError, KeyError):
        return 0
    finally:
        admin.close()


def _random_id() -> str:
    """A Kafka Uuid: 16 random bytes in URL-safe base64 without padding, not starting with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind((HOST, 0))
        return [item.getsockname()[1] for item in sockets]
