"""Writing exactly once: outcomes and positions in one transaction, fenced by our membership (KIP-447)."""

import uuid
from collections.abc import Callable, Mapping, Sequence

from kafka import TopicPartition
from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
)
from kafka.structs import OffsetAndMetadata

from contract.errors import ReviewSentimentError
from worker.adapters.kafka_causes import by_setting
from worker.adapters.kafka_sink import KafkaSink
from worker.core.ledger import Commit
from worker.errors import KafkaUnfitError, OverdueError
from worker.outcomes import Outgoing
from worker.ports import TransactionAbortedError
from worker.settings import Settings

Address = Callable[[Commit], Mapping[TopicPartition, OffsetAndMetadata]]


class KafkaTransactionalSink(KafkaSink):
    """One transactional producer's session. Called from one thread.

    A static member's transactional id is stable, so that its restart ends what its predecessor left open; any
    other replica has one of its own for each process, and what it leaves open ends by the transaction's timeout.
    """

    def __init__(self, settings: Settings, message_bytes_max: Mapping[str, int], address: Address) -> None:
        """Connect, and end what a predecessor with the same transactional id left open.

        Args:
            settings: Where, and how patient to be.
            message_bytes_max: The largest batch, in bytes, that each topic takes.
            address: Turns a commit into what the client wants, or refuses it.

        Raises:
            KafkaUnfitError: If no broker answers, or lets us use transactions.
        """
        self._address = address
        replica = settings.group_instance_id or uuid.uuid4().hex
        super().__init__(
            settings,
            message_bytes_max,
            transactional_id=f"{settings.group_id}-{replica}",
            transaction_timeout_ms=settings.transaction_timeout_ms,
            delivery_timeout_ms=settings.transaction_timeout_ms,
            request_timeout_ms=settings.transaction_timeout_ms // 2,
            max_block_ms=settings.transaction_timeout_ms,
        )
        try:
            self._producer.init_transactions()
        except KafkaError as error:
            self.close()
            raise KafkaUnfitError(f"Kafka does not let us use transactions: {by_setting(error)}") from error

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Outgoing]:
        """Run one transaction; see `worker.ports.TransactionalSink`."""
        producer = self._producer
        failure: KafkaError | ReviewSentimentError | None = None
        too_large: list[Outgoing] = []
        # kafka-python 3.0.12 keeps the positions of an aborted transaction and commits them with the next one, of
        # lost partitions too: their records would be skipped by their new owner.
        producer._transaction_manager._pending_txn_offset_commits.clear()  # noqa: SLF001
        try:
            producer.begin_transaction()
            too_large = self._publish(outgoing)
            if not too_large:
                if offsets:
                    producer.send_offsets_to_transaction(self._address(offsets), member)
                producer.commit_transaction()
                return []
        except (KafkaError, ReviewSentimentError) as error:
            failure = error
        try:
            producer.abort_transaction()
        except KafkaError as error:
            cause = failure or error
            fenced = isinstance(cause, (ProducerFencedError, InvalidProducerEpochError))
            how = (
                "was fenced: its time was over, or another has taken our place" if fenced else f"failed: {cause!r}"
            )
            raise OverdueError(f"a transaction {how}; what it held comes again") from error
        if isinstance(failure, ReviewSentimentError):
            raise failure
        if isinstance(failure, AuthorizationError):
            raise KafkaUnfitError(f"Kafka does not take our records: {failure!r}") from failure
        if failure is not None:
            raise TransactionAbortedError(repr(failure)) from failure
        return too_large
