"""Upstream: a steady stream of reviews, with trouble on demand; it remembers what stands where.

A topic that is recreated, or cut off and grown again, has other records at the same offsets. Each is a *log* of
its own here: partition 3 of the third log is counted as partition 2003. An input's number tells its log.
"""

import json
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from dev.account import Outcome, Position
from dev.hostile import FATAL, POISON, hostile_records

_SENTENCES = (
    "Works as described, and the battery lasts.",
    "Broke after a week. Would not buy it again, and the seller did not answer.",
    "It is okay.",
    "My daughter loves it!",
    "Not worth the price, but it does what it says.",
    "Terrible sound.",
    "Arrived late, in a damaged box.",
)
_TEXTS = tuple(
    " ".join([one] * times + [other]) for times in (1, 3, 12) for one in _SENTENCES for other in _SENTENCES
)
"""Different enough that the model has another answer to most of them."""

NUMBER_HEADER = "chaos-number"
LOG = 1000
"""Between the same partition of one log and the next."""
REFUSED = "output_refused"
"""The reason of the dead letter of a record that the output topic refuses."""
_REFUSED_AFTER_MS = 2 * 3600 * 1000  # by default a topic takes timestamps of the next hour
_READ_S_MAX = 120.0


@dataclass(frozen=True)
class Sent:
    """A record that the broker has acknowledged."""

    at_s: float
    expected: str
    """`result`, `forwarded`, `unsendable`, or the reason of a dead letter."""
    value: bytes | None = None


class Load:
    """An idempotent producer on a thread of its own."""

    def __init__(
        self, bootstrap_servers: str, topic: str, partitions: int, per_second: float, *, keyless: str = "result"
    ) -> None:
        """Send nothing yet; `keyless` is what a good record without a key has to come to."""
        self.sent: dict[Position, Sent] = {}
        self.gone: set[Position] = set()
        """Inputs that were in the log no more when it was another's turn: they may have been answered before."""
        self.failed: list[str] = []
        self.partitions = partitions
        self._servers, self._topic, self._per_second, self._keyless = bootstrap_servers, topic, per_second, keyless
        self._acknowledged: dict[int, Sent] = {}
        self._first_numbers = [0]  # of each log
        self._producer = self._connect()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._number = 0

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End, when the broker has acknowledged everything, and look up what stands where.

        Raises:
            RuntimeError: If it has not: then nobody could tell what was lost.
        """
        self._stopping.set()
        self._thread.join()
        self._look_up()

    def fatal(self) -> None:
        """One text on which the model's process dies."""
        self._send(_review(f"It is {FATAL}!"), "crashed_worker")

    def poison(self) -> None:
        """One text on which the model fails."""
        self._send(_review(f"It is {POISON}!"), "model_error")

    def hostile(self) -> None:
        """Every row of the contract's input table that fits into ordinary topics."""
        for item in hostile_records():
            if item.expected != "output_too_large":  # the topics have the default limit
                expected = self._keyless if item.key is None and item.expected == "result" else item.expected
                self._send(item.value, expected, key=item.key, headers=item.headers)

    def refused(self) -> None:
        """Good records that the output topic does not take: one too new, and one without a key."""
        self._send(_review("It is okay."), REFUSED, timestamp_ms=int(time.time() * 1000) + _REFUSED_AFTER_MS)
        self._send(_review("It is okay."), self._keyless, key=None)

    def burst(self, count: int) -> None:
        """So many good records as fast as can be, and wait for their acknowledgements."""
        with self._lock:
            for _ in range(count):
                self._good()
            self._flush()

    @contextmanager
    def new_log(self, begins: Mapping[int, int], burst: int = 0) -> Iterator[None]:
        """Nothing is sent within this context; what comes after is of another log than what came before.

        Args:
            begins: From which offset on the log is lost, by partition.
            burst: So many records are sent first, so that workers have something to do.
        """
        with self._lock:
            self._look_up()
            self.burst(burst)
            yield
            log = len(self._first_numbers) - 1
            self.gone |= {
                (partition, offset)
                for partition, offset in self.sent
                if partition // LOG == log and offset >= begins.get(partition % LOG, offset + 1)
            }
            self._first_numbers.append(self._number)
            self._producer = self._connect()  # the brokers no longer know how far this one had come

    def ends(self) -> dict[int, int]:
        """The position after the last input of each partition of the present log."""
        ends: dict[int, int] = {}
        for partition, offset in self.sent:
            if partition // LOG == len(self._first_numbers) - 1:
                ends[partition % LOG] = max(ends.get(partition % LOG, 0), offset + 1)
        return ends

    def place(self, outcome: Outcome) -> Position:
        """The position of the input that an outcome answers, in its own log: the number has come along."""
        partition, offset = outcome.position
        number = dict(outcome.headers).get(NUMBER_HEADER)
        log = 0 if number is None else bisect_right(self._first_numbers, int(number)) - 1
        return partition + log * LOG, offset

    def _connect(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 4_000_000,
                "delivery.timeout.ms": 120_000,
                "topic.metadata.refresh.interval.ms": 5000,
                "log_level": 0,
            }
        )

    def _flush(self) -> None:
        left = self._producer.flush(120)
        if left or self.failed:
            raise RuntimeError(f"upstream itself failed: {left} unacknowledged, {self.failed[:3]}")

    def _look_up(self) -> None:
        """Replace what acknowledgements said of the present log by what stands there.

        Acknowledgements don't tell: a batch sent again after a broker's death can be acknowledged without its
        offset, or stand there twice. Each position then is an input of its own.
        """
        self._flush()
        log, first = len(self._first_numbers) - 1, self._first_numbers[-1]
        standing = {position: number for position, number in self._read_topic().items() if number >= first}
        missing = {number for number in self._acknowledged if number >= first} - set(standing.values())
        if missing:
            raise RuntimeError(f"the brokers lost {len(missing)} acknowledged inputs: {sorted(missing)[:3]}")
        before = {position: sent for position, sent in self.sent.items() if position[0] // LOG < log}
        self.sent = before | {
            (partition + log * LOG, offset): self._acknowledged[number]
            for (partition, offset), number in standing.items()
        }

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
        partitions = [TopicPartition(self._topic, number, 0) for number in range(self.partitions)]
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
            self._good()
            count += 1
            self._stopping.wait(max(0.0, started_s + count / self._per_second - time.monotonic()))

    def _good(self) -> None:
        with self._lock:
            name = f"R{self._number}"
            self._send(_review(_TEXTS[self._number % len(_TEXTS)], reviewerID=name), "result", key=name.encode())

    def _send(
        self,
        value: bytes | None,
        expected: str,
        *,
        key: bytes | None = b"chaos",
        headers: tuple[tuple[str, bytes | None], ...] = (),
        timestamp_ms: int = 0,
    ) -> None:
        with self._lock:
            number, self._number = self._number, self._number + 1
            partition = number % self.partitions

            def delivered(error: KafkaError | None, message: Message) -> None:
                self._on_delivery(number, Sent(0.0, expected, value), error, message)

            deadline_s = time.monotonic() + _READ_S_MAX
            while True:
                try:
                    self._producer.produce(
                        self._topic, value, key, partition, on_delivery=delivered, timestamp=timestamp_ms,
                        headers=[*headers, (NUMBER_HEADER, str(number).encode())],
                    )  # fmt: skip
                    break
                except BufferError:  # a broker is away: upstream waits
                    self._producer.poll(0.1)
                except KafkaException as error:
                    # The broker that was asked has not heard of the topic's newest partitions: it is asked again.
                    if error.args[0].code() != KafkaError._UNKNOWN_PARTITION or time.monotonic() > deadline_s:  # noqa: SLF001 - so called in public
                        raise
                    self._producer.poll(0.1)
            self._producer.poll(0)

    def _on_delivery(self, number: int, sent: Sent, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
            return
        self._acknowledged[number] = replace(sent, at_s=time.monotonic())
        if message.offset() is not None and message.offset() >= 0:  # else `_look_up` finds where it stands
            log = bisect_right(self._first_numbers, number) - 1
            self.sent[message.partition() + log * LOG, message.offset()] = self._acknowledged[number]


def _review(text: str, **more: str) -> bytes:
    return json.dumps({**more, "reviewText": text}).encode()
