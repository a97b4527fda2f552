"""The upstream of the demo: publishes events and remembers where each went."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

from dev.account import Position
from dev.demo.prepare import HeldOut
from dev.hostile import Hostile


@dataclass(frozen=True)
class Sent:
    """What stands at a position of the input topic: a held-out text or a hostile record."""

    what: HeldOut | Hostile
    phase: str


class Upstream:
    """A producer, and the positions that it was told."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.sent: dict[Position, Sent] = {}
        self.failed: list[str] = []
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "message.max.bytes": 4_000_000,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._repeat = 0

    def burst(self, texts: Iterable[HeldOut], hostile: Iterable[Hostile], phase: str) -> int:
        """Publish everything as fast as it goes; returns how many records."""
        count = 0
        self._repeat += 1
        for text in texts:
            self._send(text, phase)
            count += 1
        for record in hostile:
            self._send(record, phase)
            count += 1
        self._producer.flush()
        return count

    def steady(self, texts: list[HeldOut], per_second: float, duration_s: float, phase: str) -> threading.Thread:
        """Publish at a steady rate from a thread of its own, which is returned."""

        def run() -> None:
            started_s = time.monotonic()
            for number in range(int(per_second * duration_s)):
                if number % len(texts) == 0:
                    self._repeat += 1
                self._send(texts[number % len(texts)], phase)
                self._producer.poll(0)
                time.sleep(max(0.0, started_s + (number + 1) / per_second - time.monotonic()))
            self._producer.flush()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _send(self, item: HeldOut | Hostile, phase: str) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.failed.append(str(error))
            else:
                self.sent[message.partition(), message.offset()] = Sent(item, phase)

        if isinstance(item, HeldOut):
            event = Hostile("", item.event(self._repeat), "result", key=item.identity.encode())
        else:
            event = item
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=event.key,
                    value=event.value,
                    headers=list(event.headers),
                    on_delivery=delivered,
                )
            except BufferError:  # the client's own queue is full: let it deliver
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return
