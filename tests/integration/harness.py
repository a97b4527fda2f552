"""A run on the real broker: topics of its own, workers as processes, an upstream, and the account of it all."""

import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaError, Message, Producer

from dev.account import Account, Auditor, Position, committed_positions, wait_for_open_transactions
from dev.kafka import AnyCluster
from dev.processes import WorkerProcess
from tests.kafka_topics import add_partitions

SLOW, STUCK = "tests.integration.slow_worker", "tests.integration.stuck_worker"


def until(holds: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    """Wait until something holds; `what` says what is wrong if it takes too long."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


@dataclass
class Run:
    """One test's topics, workers and accounts."""

    cluster: AnyCluster
    bundle: Path
    folder: Path
    partitions: int = 4
    delivery: str = "at-least-once"
    input_configs: dict[str, str] = field(default_factory=dict)
    output_configs: dict[str, str] = field(default_factory=dict)
    dead_letter_configs: dict[str, str] = field(default_factory=dict)
    sent: dict[Position, bytes | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        self.group = name
        self.input_topic, self.output_topic, self.dlq = (f"{name}.{it}" for it in ("in", "out", "dlq"))
        self._stack = ExitStack()
        self._workers = 0

    def __enter__(self) -> Self:
        self.cluster.create_topics({self.input_topic: self.partitions}, self.input_configs)
        self.cluster.create_topics({self.output_topic: self.partitions}, self.output_configs)
        self.cluster.create_topics({self.dlq: self.partitions}, self.dead_letter_configs)
        self.producer = Producer(
            {"bootstrap.servers": self.cluster.bootstrap_servers, "message.max.bytes": 4_000_000, "log_level": 0}
        )
        self.auditor = Auditor(self.cluster.bootstrap_servers, self.output_topic, self.dlq)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.auditor.close()
        del self.producer  # which ends its threads; the test's frame would keep them for as long as the session

    def add_partitions(self, *topics: str, total: int) -> None:
        """Raise the number of partitions of these topics, and read all that is in the outgoing ones."""
        for topic in topics:
            add_partitions(self.cluster, topic, total)
        until(lambda: all(self._partitions(topic) == total for topic in topics), "the brokers do not know of it")
        self.partitions = total
        self.auditor.close()
        self.auditor = Auditor(self.cluster.bootstrap_servers, self.output_topic, self.dlq)

    def _partitions(self, topic: str) -> int:
        return len(self.producer.list_topics(topic, timeout=10).topics[topic].partitions)

    @property
    def account(self) -> Account:
        return self.auditor.account

    def worker(self, *, module: str = "worker", ready: bool = True, **settings: object) -> WorkerProcess:
        """Start a worker, and wait until it is ready."""
        self._workers += 1
        values = {
            "WORKER_BUNDLE": self.bundle,
            "KAFKA_BOOTSTRAP_SERVERS": self.cluster.bootstrap_servers,
            "WORKER_INPUT_TOPIC": self.input_topic,
            "WORKER_OUTPUT_TOPIC": self.output_topic,
            "WORKER_DEAD_LETTER_TOPIC": self.dlq,
            "WORKER_GROUP_ID": self.group,
            "WORKER_CALLERS": 2,
            "WORKER_SESSION_TIMEOUT_MS": 6000,
            "WORKER_DRAIN_TIMEOUT_MS": 4000,
            "WORKER_COMMIT_INTERVAL_MS": 200,
            "WORKER_DELIVERY": self.delivery,
            "WORKER_TRANSACTION_TIMEOUT_MS": 10_000,
            **{f"WORKER_{name.upper()}": value for name, value in settings.items()},
        }
        worker = WorkerProcess(self.folder / f"worker-{self._workers}.log", values, module=module)
        self._stack.enter_context(worker)
        if ready:
            worker.wait_ready()
        return worker

    def send(
        self,
        value: bytes | None,
        *,
        key: bytes | None = b"k",
        partition: int = -1,
        headers: Iterable[tuple[str, bytes | None]] = (),
        timestamp_ms: int = 0,
    ) -> None:
        """Publish a record; `flush` makes sure of it."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            self.sent[message.partition(), message.offset()] = value

        self.producer.produce(
            self.input_topic, value, key, partition, on_delivery=delivered, timestamp=timestamp_ms,
            headers=list(headers),
        )  # fmt: skip
        self.producer.poll(0)

    def send_reviews(self, count: int, text: str = "a quite good phone, it works") -> None:
        """Publish events on all partitions in turn, and wait until the broker has them."""
        for number in range(count):
            self.send(b'{"id":%d,"text":"%s"}' % (number, text.encode()), partition=number % self.partitions)
        self.producer.flush()

    def read_until(self, done: Callable[[], bool], timeout_s: float = 60, what: str = "") -> None:
        """Read outcomes until done; the account says how far it came if it takes too long."""
        deadline_s = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline_s, f"{what} ({len(self.account.outcomes)} of {len(self.sent)})"
            self.auditor.read(0.1)

    def read_all(self, timeout_s: float = 60) -> None:
        """Read until every input has an outcome, and a moment longer for what should not come."""
        self.read_until(lambda: not self.account.lost(self.sent), timeout_s)
        wait_for_open_transactions(self.cluster.bootstrap_servers, [self.output_topic, self.dlq])
        until_s = time.monotonic() + 0.5
        while time.monotonic() < until_s:
            self.auditor.read()

    def committed(self) -> dict[int, int]:
        """The group's committed positions by partition."""
        return committed_positions(self.cluster.bootstrap_servers, self.group, self.input_topic)
