"""Where the logs that we read end."""

import time

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_TIMEOUT_MS = 1000
"""The poll loop waits for the answer; no heartbeat does."""


class LogEnds:
    """The ends of partitions: a fetch tells them; where reading rests and nothing is fetched, the broker is asked.

    Without that, lag would stand still while a slow model keeps reading paused, and so exactly while it grows.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._asked: dict[TopicPartition, int] = {}
        self._due_s = 0.0

    def refresh(self) -> None:
        """Ask for the partitions at rest, every few seconds; for the thread that polls."""
        resting = self._consumer.paused()
        self._asked = {partition: end for partition, end in self._asked.items() if partition in resting}
        if not resting or time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + _EVERY_S
        try:
            self._asked |= self._consumer.end_offsets(list(resting), timeout_ms=_TIMEOUT_MS)
        except KafkaError as error:  # a broker is away: the last answer has to do
            log.debug("ends_unknown", error=repr(error))

    def of(self, partition: TopicPartition) -> int | None:
        """The offset after the last record, as far as it is known; None before anything is."""
        fetched = self._consumer.highwater(partition)
        asked = self._asked.get(partition)
        return fetched if asked is None else max(asked, fetched or 0)
