"""Writing: an idempotent producer; what it returns from is acknowledged by all replicas in sync."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from worker.adapters.kafka_client import connection
from worker.adapters.patience import Patience
from worker.errors import KafkaUnfitError, OverdueError
from worker.outcomes import Kind, Outgoing
from worker.settings import Settings

_BATCH_BYTES = 61  # header of a record batch of format 2
_RECORD_BYTES = 36  # attributes, deltas and lengths of a record at their longest
_HEADER_BYTES = 10  # the two lengths of a header at their longest
_REQUEST_BYTES_MAX = 32 * 2**20
_METADATA_PAUSE_S = 0.1


class KafkaSink:
    """One producer's session. Called from one thread."""

    def __init__(
        self,
        settings: Settings,
        message_bytes_max: Mapping[str, int],
        patience: Patience | None = None,
        **options: Any,
    ) -> None:
        """Connect.

        Args:
            settings: Where, and how patient to be.
            message_bytes_max: The largest batch, in bytes, that each topic takes.
            patience: For brokers that are away; `start_timeout_ms` from now by default.
            options: More settings of the client.

        Raises:
            KafkaUnfitError: If no broker answers or lets us in.
        """
        self._settings, self._options = settings, options
        self._limits = dict(message_bytes_max)
        self._timeout_s = settings.publish_timeout_ms / 1000
        self._by_key = settings.output_partitioning == "key"
        self._partitions: dict[str, set[int]] = {}
        self._connect(patience or Patience(settings))

    def _connect(self, patience: Patience) -> None:
        """Begin a producer's session."""
        settings = self._settings
        compression = None if settings.output_compression == "none" else settings.output_compression
        options = {
            **connection(settings),
            "client_id": "review-sentiment",
            "enable_idempotence": True,
            "acks": "all",
            "compression_type": compression,
            "linger_ms": 20,  # `publish` flushes: the linger only lets a window fill its batches
            "batch_size": min(256 * 1024, *self._limits.values()),
            "max_request_size": _REQUEST_BYTES_MAX,
            "request_timeout_ms": min(30_000, settings.publish_timeout_ms // 2),
            "delivery_timeout_ms": settings.publish_timeout_ms,
            "max_block_ms": settings.publish_timeout_ms,
            "allow_auto_create_topics": False,
            **self._options,
        }
        try:
            self._producer = patience.keep_trying("can't write to Kafka", lambda: KafkaProducer(**options))
        except (KafkaError, OSError, ValueError) as error:
            raise KafkaUnfitError(f"can't write to Kafka: {error!r}") from error

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Send in order and wait for every acknowledgement; see `worker.ports.Sink`."""
        try:
            return self._publish(outgoing)
        except KafkaTimeoutError as error:
            raise OverdueError(f"no acknowledgement within publish_timeout_ms: {error!r}") from error
        except KafkaError as error:
            raise KafkaUnfitError(f"Kafka does not take our records: {error!r}") from error

    def throttle_s(self) -> float:
        """The longest that a quota has held us up within the client's last samples, a minute. For any thread."""
        metrics = self._producer.metrics(raw=True) or {}
        times_ms = [it.value() for name, it in metrics.items() if name.name == "throttle-time-max"]
        return float(max([0.0, *times_ms])) / 1000

    def throttle_left_s(self) -> float:
        """For how long the brokers take nothing more from us, since a quota is exceeded. For any thread."""
        client, brokers = self._producer._sender._client, self._producer._metadata.brokers()  # noqa: SLF001
        return float(max([0.0, *(client.throttle_delay(broker.node_id) for broker in brokers)])) / 1000

    def close(self) -> None:
        """Disconnect; whatever was published is acknowledged already."""
        with contextlib.suppress(KafkaError):  # what hangs now is not settled, and will come again
            self._producer.close(timeout=1)

    def _publish(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """The ones that are too large; KafkaError for any other reason why one is not written."""
        too_large = [item for item in outgoing if _size_bytes(item) > self._limits[item.target.topic]]
        refused = {id(item) for item in too_large}
        for item in too_large:
            if item.kind is Kind.DEAD_LETTER and not item.value:
                raise KafkaUnfitError(
                    f"{item.target.topic} does not even take a dead letter without its value: raise its "
                    "max.message.bytes above the input topic's"
                )
        sent = [(item, self._send(item)) for item in outgoing if id(item) not in refused]
        self._producer.flush(timeout=self._timeout_s)
        return too_large + [item for item, future in sent if not _acknowledged(item, future)]

    def _send(self, item: Outgoing) -> Any:
        return self._producer.send(
            item.target.topic,
            key=item.source.key,
            value=item.value,
            headers=item.headers,
            partition=self._partition(item),
            timestamp_ms=item.source.timestamp_ms if item.source.timestamp_ms >= 0 else None,
        )

    def _partition(self, item: Outgoing) -> int | None:
        """Where an outcome goes; None for where its key hashes."""
        topic, number = item.target
        by_key = self._by_key and item.kind is not Kind.DEAD_LETTER
        if by_key and item.source.key is not None:
            return None
        if number not in self._partitions.get(topic, ()):
            self._partitions[topic] = self._learn(topic, 0 if by_key else number)
        return number % len(self._partitions[topic]) if by_key else number

    def _learn(self, topic: str, number: int) -> set[int]:
        """The topic's partitions, once this one is among them: what the client knows can be minutes old.

        Raises:
            KafkaUnfitError: If it does not come within `publish_timeout_ms`.
        """
        deadline_s = time.monotonic() + self._timeout_s
        while number not in (known := set(self._producer.partitions_for(topic))):
            if time.monotonic() > deadline_s:
                raise KafkaUnfitError(
                    f"{topic} has no partition {number}: give it as many as {self._settings.input_topic} has"
                )
            self._producer._metadata.request_update()  # noqa: SLF001 - nothing public asks again
            time.sleep(_METADATA_PAUSE_S)
        return known


def _acknowledged(item: Outgoing, future: Any) -> bool:
    """Whether the record is written; False if it is too large after all, as only the broker can tell."""
    if future.succeeded():
        return True
    error = future.exception
    if isinstance(error, MessageSizeTooLargeError):
        return False
    if error is None:
        raise KafkaTimeoutError(f"nothing is known of a record for {item.target.topic}")
    raise error


def _size_bytes(item: Outgoing) -> int:
    """What a record takes alone in a batch, at most: the broker measures batches."""
    headers = sum(len(name.encode()) + len(value) + _HEADER_BYTES for name, value in item.headers)
    return _BATCH_BYTES + _RECORD_BYTES + len(item.source.key or b"") + len(item.value or b"") + headers
