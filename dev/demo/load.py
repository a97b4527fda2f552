"""The upstream of the demo: publishes events and remembers where each went."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

from dev.account import Position
from dev.demo.prepare import HeldOut
from dev.hostile import Hostile

_WAITING_ROUNDS = 4
"""Rounds of all texts that wait at least, so that the workers never run dry in a burst."""


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

    def burst(self, texts: Iterable[HeldOut], hostile: Iterable[Hostile], phase: str) -> threading.Thread:
        """Publish everything as fast as it goes; as below, from a thread of its own, which is returned."""

        def run() -> None:
            self._publish(texts, phase)
            self._publish(hostile, phase)
            self._producer.flush()

        return _started(run)

    def keep_waiting(
        self, texts: list[HeldOut], duration_s: float, waiting: Callable[[], int], phase: str
    ) -> threading.Thread:
        """Publish the texts again and again, so that some always wait, until so long has passed."""

        def run() -> None:
            until_s = time.monotonic() + duration_s
            while time.monotonic() < until_s:
                if waiting() < _WAITING_ROUNDS * len(texts):
                    self._publish(texts, phase)
                    self._producer.flush()
                time.sleep(0.01)

        return _started(run)

    def steady(self, texts: list[HeldOut], per_second: float, duration_s: float, phase: str) -> threading.Thread:
        """Publish at a steady rate."""

        def run() -> None:
            started_s = time.monotonic()
            for number in range(int(per_second * duration_s)):
                self._publish([texts[number % len(texts)]], phase)
                time.sleep(max(0.0, started_s + (number + 1) / per_second - time.monotonic()))
            self._producer.flush()

        return _started(run)

    def _publish(self, items: Iterable[HeldOut | Hostile], phase: str) -> None:
        self._repeat += 1
        for item in items:
            self._send(item, phase)

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


def _started(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
