"""A producer and a consumer for a terminal: a line is the value of a record."""

import json
import os
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from dev.kafka.existing import BOOTSTRAP_VARIABLE
from dev.kafka.jars import KafkaUnavailableError

_TIMEOUT_S = 30.0


def produce(topic: str, lines: Iterable[bytes], key: str | None = None) -> int:
    """Publish each line that is not empty; how many there were.

    Args:
        topic: It has to be there.
        lines: With or without their ends.
        key: The member of a JSON object that becomes the key; without it, or where there is none, no key.

    Raises:
        KafkaUnavailableError: If a record is not acknowledged.
    """
    producer, failed, sent = Producer(_connection()), [], 0

    def delivered(error: object, _: Message) -> None:
        if error is not None:
            failed.append(str(error))

    for line in lines:
        if value := line.rstrip(b"\r\n"):
            producer.produce(topic, value, _key(value, key), on_delivery=delivered)
            producer.poll(0)
            sent += 1
    left = producer.flush(_TIMEOUT_S)
    if failed or left:
        raise KafkaUnavailableError(f"{len(failed) + left} of {sent} were not taken: {[*failed, 'no answer'][0]}")
    return sent


def consume(topic: str, count: int | None = None, *, headers: bool = False) -> Iterator[str]:
    """The values of a topic from its beginning, as text, with their headers before them if wanted.

    Args:
        topic: What is read.
        count: So many, waiting for them; None for all that there are now.
        headers: Whether each value has a line of its headers before it.

    Raises:
        KafkaUnavailableError: If the topic can't be read, or so many do not come in half a minute.
    """
    consumer = Consumer(_connection() | {"group.id": "console", "enable.partition.eof": True})
    try:
        found = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number, 0) for number in found])
        at_end: set[int | None] = set()
        read, since_s = 0, time.monotonic()
        while read < count if count is not None else len(at_end) < len(found):
            message = consumer.poll(0.2)
            if message is None or message.error():
                _look_at(message, at_end)
                if time.monotonic() - since_s > _TIMEOUT_S:
                    raise KafkaUnavailableError(f"{topic} has {read} records, and no more for {_TIMEOUT_S:.0f} s")
                continue
            read, since_s = read + 1, time.monotonic()
            if headers:
                named = (f"{name}={(it or b'').decode(errors='replace')}" for name, it in message.headers() or [])
                yield f"# {' '.join(named)}"
            yield (message.value() or b"").decode(errors="replace")
    except KafkaException as error:
        raise KafkaUnavailableError(f"can't read {topic}: {error}") from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    described = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if described.error is not None:
        raise KafkaException(described.error)
    return list(described.partitions)


def _look_at(message: Message | None, at_end: set[int | None]) -> None:
    """Note the end of a partition; anything else that the client says instead of a record is raised."""
    if message is None or (error := message.error()) is None:
        return
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - so called in public
        raise KafkaException(error)
    at_end.add(message.partition())


def _connection() -> dict[str, object]:
    if not (servers := os.environ.get(BOOTSTRAP_VARIABLE)):
        raise KafkaUnavailableError(f'{BOOTSTRAP_VARIABLE} is not set: eval "$(python -m dev.kafka up)" sets it')
    return {"bootstrap.servers": servers, "log_level": 0}


def _key(value: bytes, member: str | None) -> str | None:
    if member is None:
        return None
    try:
        event = json.loads(value)
    except ValueError:
        return None
    return str(event[member]) if isinstance(event, dict) and event.get(member) is not None else None
