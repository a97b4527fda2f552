"""Any cluster: the one that KAFKA_BOOTSTRAP_SERVERS names, or a local one of our own."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, Protocol

from dev.kafka.clients import create_topics
from dev.kafka.cluster import Cluster

BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"


class NotOurClusterError(Exception):
    """An existing cluster can be used, but not stopped or broken."""


class AnyCluster(Protocol):
    """A cluster, ours or not; one that is not refuses to be broken with NotOurClusterError."""

    @property
    def bootstrap_servers(self) -> str:
        """The brokers to ask first, `host:port,…`."""
        ...

    def create_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics by name with so many partitions; those that exist are left as they are."""
        ...

    def kill(self, broker_id: int) -> None:
        """SIGKILL a broker."""
        ...

    def pause(self, broker_id: int) -> None:
        """SIGSTOP a broker: it keeps its connections and answers nothing."""
        ...

    def resume(self, broker_id: int) -> None:
        """SIGCONT a paused broker."""
        ...

    def restart(self, broker_id: int) -> None:
        """Start a broker again, and wait until it answers."""
        ...


class ExistingCluster:
    """Somebody else's cluster."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def create_topics(self, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics by name with so many partitions; those that exist are left as they are."""
        create_topics(self.bootstrap_servers, partitions, configs)

    def kill(self, broker_id: int) -> NoReturn:
        """Refused."""
        self._refuse("kill", broker_id)

    def pause(self, broker_id: int) -> NoReturn:
        """Refused."""
        self._refuse("pause", broker_id)

    def resume(self, broker_id: int) -> NoReturn:
        """Refused."""
        self._refuse("resume", broker_id)

    def restart(self, broker_id: int) -> NoReturn:
        """Refused."""
        self._refuse("restart", broker_id)

    def _refuse(self, what: str, broker_id: int) -> NoReturn:
        raise NotOurClusterError(
            f"can't {what} broker {broker_id} of {self.bootstrap_servers}: {BOOTSTRAP_VARIABLE} names a cluster "
            "that we did not start. Unset it to use a local one."
        )


@contextlib.contextmanager
def cluster_or_existing(folder: Path, brokers: int = 1) -> Iterator[AnyCluster]:
    """The cluster that KAFKA_BOOTSTRAP_SERVERS names, else a local one for as long as the context lasts.

    Args:
        folder: For the local cluster's data, logs and state.
        brokers: One or three, for the local cluster.

    Raises:
        KafkaUnavailableError: If a local one is needed and unavailable.
    """
    if servers := os.environ.get(BOOTSTRAP_VARIABLE):
        yield ExistingCluster(servers)
        return
    with Cluster(folder, brokers) as cluster:
        yield cluster
