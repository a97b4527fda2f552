"""Accounting by source position: what became of every record, as a consumer downstream sees it."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

Position = tuple[int, int]
"""Partition and offset on the input topic."""


@dataclass(frozen=True)
class Outcome:
    """One record of the output or the dead-letter topic, and the position that it answers."""

    position: Position
    kind: str  # result, forwarded, or the reason of a dead letter
    session: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    written: str = ""
    """Where: `topic/partition/offset`."""

    @property
    def event(self) -> dict[str, Any]:
        """The parsed value of a result."""
        parsed: dict[str, Any] = json.loads(self.value or b"{}", parse_int=float)  # any number of digits
        return parsed


@dataclass
class Account:
    """Outcomes by position, in the order read."""

    outcomes: dict[Position, list[Outcome]] = field(default_factory=dict)
    disorders: list[str] = field(default_factory=list)
    _latest: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def add(self, topic: str, outcome: Outcome) -> None:
        """Book an outcome."""
        partition, offset = outcome.position
        self.outcomes.setdefault(outcome.position, []).append(outcome)
        latest = self._latest.get((topic, outcome.session, partition), -1)
        if offset < latest:
            self.disorders.append(f"{topic}/{partition}: {offset} after {latest} in session {outcome.session}")
        self._latest[topic, outcome.session, partition] = max(latest, offset)

    def lost(self, inputs: Iterable[Position]) -> list[Position]:
        """Inputs without an outcome."""
        return sorted(set(inputs) - self.outcomes.keys())

    def duplicated(self) -> list[Position]:
        """Positions with more than one outcome."""
        return sorted(position for position, outcomes in self.outcomes.items() if len(outcomes) > 1)

    def kinds(self) -> Counter[str]:
        """How many positions came to what."""
        return Counter(outcomes[0].kind for outcomes in self.outcomes.values())


class Auditor:
    """Reads the outgoing topics to their ends, with a client that is not the worker's."""

    def __init__(
        self,
        bootstrap_servers: str,
        output_topic: str,
        dead_letter_topic: str,
        place: Callable[[Outcome], Position] = lambda outcome: outcome.position,
    ) -> None:
        """Begin with what is in the topics; `place` tells the position under which an outcome is booked."""
        self.account = Account()
        self._topics, self._place = (output_topic, dead_letter_topic), place
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "auditor",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                # A broker that comes back, or a leader that moves, is to be noticed at once.
                "reconnect.backoff.max.ms": 1000,
                "topic.metadata.refresh.interval.ms": 5000,
                "log_level": 0,
            }
        )
        self._assigned: set[tuple[str, int]] = set()
        self.follow()

    def follow(self) -> None:
        """Read partitions that were added since, from their beginnings; nothing while no broker answers."""
        timeout_s = 1 if self._assigned else 10
        try:
            found = {
                (topic, number)
                for topic in self._topics
                for number in self._consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
            }
        except KafkaException:
            if not self._assigned:
                raise
            return
        if added := found - self._assigned:
            self._consumer.incremental_assign([TopicPartition(*partition, 0) for partition in sorted(added)])
            self._assigned |= added

    def read(self, timeout_s: float = 0.2) -> list[Outcome]:
        """Book what has come, waiting so long for the first."""
        first = self._consumer.poll(timeout_s)  # false, and not None, when its value is empty
        messages = [first, *self._consumer.consume(num_messages=2000, timeout=0)] if first is not None else []
        outcomes = []
        for message in messages:
            if message.error():
                raise RuntimeError(f"the auditor can't read: {message.error()}")
            outcome = _outcome(message, dead=message.topic() == self._topics[1])
            outcomes.append(replace(outcome, position=self._place(outcome)))
            self.account.add(message.topic(), outcomes[-1])
        return outcomes

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def wait_for_open_transactions(bootstrap_servers: str, topics: Iterable[str], timeout_s: float = 60) -> None:
    """Wait until no transaction is open in some topics: it hides what is committed behind it.

    A transaction is committed before the brokers have written its markers, and one that a dead worker left open
    lasts until the brokers give up on it.

    Raises:
        RuntimeError: If there is still one after `timeout_s`.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    known = admin.list_topics(timeout=10).topics
    asked = {TopicPartition(it, number): OffsetSpec.latest() for it in topics for number in known[it].partitions}

    def ends(level: IsolationLevel) -> list[int]:
        return [it.result().offset for it in admin.list_offsets(asked, isolation_level=level).values()]

    deadline_s = time.monotonic() + timeout_s
    while ends(IsolationLevel.READ_COMMITTED) != ends(IsolationLevel.READ_UNCOMMITTED):
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"a transaction is still open after {timeout_s:.0f} s: nothing can be said")
        time.sleep(0.1)


def committed_positions(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """The position in each partition that a group has committed for good: no transaction is pending."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "log_level": 0})
    known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    found = consumer.committed([TopicPartition(topic, number) for number in known], timeout=60)
    consumer.close()
    return {it.partition: it.offset for it in found if it.offset >= 0}


def _outcome(message: Message, *, dead: bool) -> Outcome:
    headers = list(message.headers() or [])
    text = {name: value.decode("utf-8", "replace") for name, value in headers if value is not None}
    if dead:
        position = int(text["__connect.errors.partition"]), int(text["__connect.errors.offset"])
        kind = text["x-dlq-reason"]
    else:
        *_, partition, offset = text["ce_id"].split("/")
        position = int(partition), int(offset)
        kind = "forwarded" if message.value() is None else "result"
    return Outcome(
        position,
        kind,
        text["x-worker-session"],
        message.key(),
        message.value(),
        headers,
        message.timestamp()[1],
        f"{message.topic()}/{message.partition()}/{message.offset()}",
    )
