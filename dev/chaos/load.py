"""Upstream: a steady stream of reviews, with trouble on demand; it remembers what stands where."""

import json
import threading
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from dev.account import Position
from dev.hostile import FATAL, POISON, hostile_records

_TEXTS = (
    "Works as described, and the battery lasts.",
    "Broke after a week. Would not buy it again, and the seller did not answer. " * 3,
    "It is okay.",
    "My daughter loves it! " * 12,
)


NUMBER_HEADER = "chaos-number"
_READ_S_MAX = 120.0


@dataclass(frozen=True)
class Sent:
    """A record that the broker has acknowledged."""

    at_s: float
    expected: str
    """`result`, `forwarded`, `unsendable`, or the reason of a dead letter."""


class Load:
    """An idempotent producer on a thread of its own."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int, per_second: float) -> None:
        self.sent: dict[Position, Sent] = {}
        self.failed: list[str] = []
        self._servers = bootstrap_servers
        self._acknowledged: dict[int, Sent] = {}
        self._topic, self._partitions, self._per_second = topic, partitions, per_second
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 4_000_000,
                "delivery.timeout.ms": 120_000,
                "log_level": 0,
            }
        )
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._number = 0

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End, when the broker has acknowledged everything, and look up what stands where.

        Acknowledgements don't tell: a batch sent again after a broker's death can be acknowledged without its
        offset, or stand there twice. Each position then is an input of its own.

        Raises:
            RuntimeError: If it has not: then nobody could tell what was lost.
        """
        self._stopping.set()
        self._thread.join()
        left = self._producer.flush(120)
        if left or self.failed:
            raise RuntimeError(f"upstream itself failed: {left} unacknowledged, {self.failed[:3]}")
        standing = self._read_topic()
        missing = self._acknowledged.keys() - standing.values()
        if missing:
            raise RuntimeError(f"the brokers lost {len(missing)} acknowledged inputs: {sorted(missing)[:3]}")
        self.sent = {position: self._acknowledged[number] for position, number in standing.items()}

    def fatal(self) -> None:
        """One text on which the model's process dies."""
        self._send(json.dumps({"reviewText": f"It is {FATAL}!"}).encode(), "crashed_worker")

    def poison(self) -> None:
        """One text on which the model fails."""
        self._send(json.dumps({"reviewText": f"It is {POISON}!"}).encode(), "model_error")

    def hostile(self) -> None:
        """Every row of the contract's input table that fits into ordinary topics."""
        for item in hostile_records():
            if item.expected != "output_too_large":  # the topics have the default limit
                self._send(item.value, item.expected, key=item.key, headers=item.headers)

    def _read_topic(self) -> dict[Position, int]:
        """The number of every record of the input topic, by its position."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": "load",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        partitions = [TopicPartition(self._topic, number, 0) for number in range(self._partitions)]
        consumer.assign(partitions)
        left = sum(consumer.get_watermark_offsets(partition, timeout=30)[1] for partition in partitions)
        found: dict[Position, int] = {}
        deadline_s = time.monotonic() + _READ_S_MAX
        while len(found) < left and time.monotonic() < deadline_s:
            for message in consumer.consume(num_messages=2000, timeout=1):
                if not message.error():
                    number = dict(message.headers() or [])[NUMBER_HEADER]
                    found[message.partition(), message.offset()] = int(number)
        consumer.close()
        if len(found) < left:
            raise RuntimeError(f"only {len(found)} of {left} inputs could be read back")
        return found

    def _run(self) -> None:
        started_s, count = time.monotonic(), 0
        while not self._stopping.is_set():
            value = json.dumps({"reviewerID": f"R{count}", "reviewText": _TEXTS[count % len(_TEXTS)]}).encode()
            self._send(value, "result", key=b"R%d" % count)
            count += 1
            self._stopping.wait(max(0.0, started_s + count / self._per_second - time.monotonic()))

    def _send(
        self,
        value: bytes | None,
        expected: str,
        *,
        key: bytes | None = b"chaos",
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> None:
        with self._lock:
            number, self._number = self._number, self._number + 1
            partition = number % self._partitions

            def delivered(error: KafkaError | None, message: Message) -> None:
                self._on_delivery(number, expected, error, message)

            while True:
                try:
                    self._producer.produce(
                        self._topic, value, key, partition, on_delivery=delivered,
                        headers=[*headers, (NUMBER_HEADER, str(number).encode())],
                    )  # fmt: skip
                    break
                except BufferError:  # a broker is away: upstream waits
                    self._producer.poll(0.1)
            self._producer.poll(0)

    def _on_delivery(self, number: int, expected: str, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
            return
        self._acknowledged[number] = Sent(time.monotonic(), expected)
        if message.offset() is not None and message.offset() >= 0:  # else `stop` finds where it stands
            self.sent[message.partition(), message.offset()] = self._acknowledged[number]
