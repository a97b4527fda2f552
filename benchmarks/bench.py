"""Workers on a real Kafka, with topics of their own for each question."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Producer

from dev.kafka import AnyCluster
from dev.processes import WorkerProcess

_START_S, _STOP_S = 180, 60  # eight of them at a time, on few cores

Topics = tuple[str, str, str]
"""Input, output, dead letters."""


class Bench:
    """Makes topics, sends to them, and has workers serve a bundle there."""

    def __init__(self, cluster: AnyCluster, bundle: Path, folder: Path, partitions: int = 4) -> None:
        """Use this cluster.

        Args:
            cluster: Where.
            bundle: What workers serve.
            folder: For their logs.
            partitions: Of each topic.
        """
        self._cluster, self._bundle, self._folder, self._partitions = cluster, bundle, folder, partitions
        self._producer = Producer(
            {
                "bootstrap.servers": cluster.bootstrap_servers,
                "queue.buffering.max.messages": 10_000_000,  # a whole backlog
                "log_level": 0,
            }
        )

    @property
    def bootstrap_servers(self) -> str:
        """Of the cluster."""
        return self._cluster.bootstrap_servers

    def topics(self, configs: Mapping[str, str] | None = None) -> Topics:
        """Three new ones, with these settings."""
        name = uuid.uuid4().hex[:8]
        topics = (f"{name}.in", f"{name}.out", f"{name}.dlq")
        self._cluster.create_topics(dict.fromkeys(topics, self._partitions), configs)
        return topics

    def send(self, topic: str, values: Sequence[bytes], per_second: float = 0.0) -> None:
        """To the partitions in turns, at once or at this pace."""
        started_s = time.monotonic()
        for number, value in enumerate(values):
            if per_second:
                time.sleep(max(0.0, started_s + number / per_second - time.monotonic()))
            self._producer.produce(topic, value, key=str(number).encode(), partition=number % self._partitions)
            self._producer.poll(0)
        self._producer.flush()

    @contextmanager
    def worker(self, topics: Topics, *, module: str = "worker", **settings: object) -> Iterator[WorkerProcess]:
        """One worker with the default settings and these, in the group that the topics have."""
        names = ("WORKER_INPUT_TOPIC", "WORKER_OUTPUT_TOPIC", "WORKER_DEAD_LETTER_TOPIC", "WORKER_GROUP_ID")
        chosen = {
            "KAFKA_BOOTSTRAP_SERVERS": self._cluster.bootstrap_servers,
            "WORKER_BUNDLE": self._bundle,
            **dict(zip(names, (*topics, topics[0]), strict=True)),
            **settings,
        }
        with WorkerProcess(self._folder / f"{uuid.uuid4().hex}.log", chosen, module=module) as worker:
            yield worker

    @contextmanager
    def fleet(
        self, topics: Topics, count: int, *, module: str = "worker", **settings: object
    ) -> Iterator[list[WorkerProcess]]:
        """So many workers, ready and with the same number of partitions each; at the end all stop at a time.

        Raises:
            WorkerDiedError: If one ends before it is ready.
            TimeoutError: If the group does not share the partitions evenly.
        """
        with ExitStack() as stack:
            workers = [stack.enter_context(self.worker(topics, module=module, **settings)) for _ in range(count)]
            for one in workers:
                one.wait_ready(_START_S)
            share = self._partitions / count
            wait_until(
                lambda: all(one.metric("sentiment_worker_partitions_assigned") == share for one in workers),
                f"each of {count} workers to hold {share:g} partitions",
            )
            yield workers
            for one in workers:
                one.terminate()
            for one in workers:
                one.wait(_STOP_S)


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    """Ask once a second, which costs those who are measured little.

    Raises:
        TimeoutError: If it takes longer; `what` says what was waited for.
    """
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(1)
