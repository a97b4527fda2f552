"""Writing: an idempotent producer; what it returns from is acknowledged by all replicas in sync."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from worker.adapters.kafka_client import connection
from worker.adapters.kafka_private import OF_A_PRODUCER, look_for
from worker.adapters.kafka_refusals import answer_every_batch, unwritten
from worker.adapters.patience import Patience
from worker.errors import KafkaUnfitError, OverdueError
from worker.outcomes import Kind, Outgoing, Unwritten
from worker.settings import Settings

log = structlog.get_logger(__name__)

_BATCH_BYTES_MAX = 256 * 1024
_REQUEST_BYTES_MAX = 32 * 2**20
_METADATA_PAUSE_S = 0.1


class KafkaSink:
    """One producer, and a new one after each refusal. Called from one thread."""

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
            message_bytes_max: The largest batch, in bytes, that each topic is known to take. Batches of several
                records keep to the smallest; whether a record fits is for its broker to say.
            patience: For brokers that are away; `start_timeout_ms` from now by default.
            options: More settings of the client.

        Raises:
            KafkaUnfitError: If no broker answers or lets us in.
        """
        self._settings = settings
        self._timeout_s = settings.publish_timeout_ms / 1000
        self._by_key = settings.output_partitioning == "key"
        self._partitions: dict[str, set[int]] = {}
        self._options = {
            **connection(settings),
            "client_id": "review-sentiment",
            "enable_idempotence": True,
            "acks": "all",
            "compression_type": None if settings.output_compression == "none" else settings.output_compression,
            "linger_ms": 20,  # `publish` flushes: the linger only lets a window fill its batches
            "batch_size": min([_BATCH_BYTES_MAX, *message_bytes_max.values()]),
            "max_request_size": _REQUEST_BYTES_MAX,
            "request_timeout_ms": min(30_000, settings.publish_timeout_ms // 2),
            "delivery_timeout_ms": settings.publish_timeout_ms,
            "max_block_ms": settings.publish_timeout_ms,
            "allow_auto_create_topics": False,
            **options,
        }
        self._connect(patience or Patience(settings))

    def _connect(self, patience: Patience) -> None:
        """Begin a producer's session."""
        try:
            self._producer = patience.keep_trying("can't write to Kafka", lambda: KafkaProducer(**self._options))
        except (KafkaError, OSError, ValueError) as error:
            raise KafkaUnfitError(f"can't write to Kafka: {error!r}") from error
        look_for(OF_A_PRODUCER, self._producer)
        answer_every_batch(self._producer)

    def _begin_again(self) -> None:
        """Begin another session."""
        self.close()
        self._connect(Patience(self._settings))

    def _leave_refused(self, found: Sequence[Unwritten]) -> None:
        """Begin another session, since one in which a batch was refused can't go on."""
        said = [item.refusal.detail for item in found if item.refusal] or ["the broker does not say which"]
        log.warning("records_refused", records=len(said), with_neighbours=len(found), first=said[0])
        self._begin_again()

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """Send in order and wait for every acknowledgement; see `worker.ports.Sink`."""
        try:
            found = self._publish(outgoing)
        except KafkaTimeoutError as error:
            raise OverdueError(f"no acknowledgement within publish_timeout_ms: {error!r}") from error
        except KafkaError as error:
            raise KafkaUnfitError(f"Kafka does not take our records: {error!r}") from error
        if found:
            self._leave_refused(found)
        return found

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

    def _publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """What the broker refuses, and what fell with it; KafkaError for any other reason not to write one."""
        until_s = time.monotonic() + self._timeout_s
        sent = [self._send(item) for item in outgoing]
        with contextlib.suppress(KafkaError):  # each record says more; a batch that was split looks like a failure
            self._producer.flush(timeout=self._timeout_s)
        errors = [it if isinstance(it, KafkaError) else _error(it, until_s) for it in sent]
        return unwritten(outgoing, errors)

    def _send(self, item: Outgoing) -> Any:
        """What will tell how it went, or that it is larger than any request of ours may be."""
        try:
            return self._producer.send(
                item.target.topic,
                key=item.key,
                value=item.value,
                headers=item.headers,
                partition=self._partition(item),
                timestamp_ms=item.timestamp_ms,
            )
        except MessageSizeTooLargeError as error:
            return error

    def _partition(self, item: Outgoing) -> int | None:
        """Where an outcome goes; None for where its key hashes."""
        topic, number = item.target
        by_key = self._by_key and item.kind is not Kind.DEAD_LETTER
        if by_key and item.key is not None:
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


def _error(future: Any, until_s: float) -> KafkaError | None:
    """How a record failed; None if it is written."""
    try:
        future.get(timeout=max(0.0, until_s - time.monotonic()))
    except KafkaError as error:
        return error
    return None
