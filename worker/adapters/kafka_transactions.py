"""Writing exactly once: outcomes and positions in one transaction, fenced by our membership (KIP-447)."""

import uuid
from collections.abc import Callable, Mapping, Sequence

from kafka import TopicPartition
from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    InvalidProducerIdMappingError,
    KafkaError,
    ProducerFencedError,
)
from kafka.structs import OffsetAndMetadata

from contract.errors import ReviewSentimentError
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.patience import Patience
from worker.core.ledger import Commit
from worker.errors import KafkaUnfitError, OverdueError, TransactionFencedError
from worker.outcomes import Outgoing
from worker.ports import TransactionAbortedError
from worker.settings import Settings

Address = Callable[[Commit], Mapping[TopicPartition, OffsetAndMetadata]]


class KafkaTransactionalSink(KafkaSink):
    """One transactional producer's session. Called from one thread.

    A static member's transactional id is stable, so that its restart ends what its predecessor left open; any
    other replica has one of its own for each process, and what it leaves open ends by the transaction's timeout.
    """

    def __init__(
        self,
        settings: Settings,
        message_bytes_max: Mapping[str, int],
        address: Address,
        patience: Patience | None = None,
    ) -> None:
        """Connect, and end what a predecessor with the same transactional id left open.

        Args:
            settings: Where, and how patient to be.
            message_bytes_max: The largest batch, in bytes, that each topic takes.
            address: Turns a commit into what the client wants, or refuses it.
            patience: For brokers that are away; `start_timeout_ms` from now by default.

        Raises:
            KafkaUnfitError: If no broker answers, or lets us use transactions.
        """
        self._address = address
        replica = settings.group_instance_id or uuid.uuid4().hex
        super().__init__(
            settings,
            message_bytes_max,
            patience,
            transactional_id=f"{settings.group_id}-{replica}",
            transaction_timeout_ms=settings.transaction_timeout_ms,
            delivery_timeout_ms=settings.transaction_timeout_ms,
            request_timeout_ms=settings.transaction_timeout_ms // 2,
            max_block_ms=settings.transaction_timeout_ms,
        )

    def _connect(self, patience: Patience) -> None:
        def begin() -> None:
            super(KafkaTransactionalSink, self)._connect(patience)
            try:
                self._producer.init_transactions()
            except BaseException:
                # Another client each time: one whose coordinator is on a dead broker may not look for the next.
                self.close()
                raise

        try:
            patience.keep_trying("Kafka does not begin transactions", begin)
        except KafkaError as error:
            raise KafkaUnfitError(f"Kafka does not let us use transactions: {error!r}") from error

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
            if _expired(cause):
                self._begin_anew()
                raise TransactionAbortedError(
                    f"the transactional id {self._options['transactional_id']} expired while there was nothing to "
                    "publish (the brokers' transactional.id.expiration.ms); a new session has begun"
                ) from cause
            if isinstance(cause, (ProducerFencedError, InvalidProducerEpochError)):
                raise TransactionFencedError(
                    "a transaction was fenced: its time was over, or another has taken our place; what it held "
                    "comes again"
                ) from error
            raise OverdueError(f"a transaction failed: {cause!r}; what it held comes again") from error
        if isinstance(failure, ReviewSentimentError):
            raise failure
        if isinstance(failure, AuthorizationError):
            raise KafkaUnfitError(f"Kafka does not take our records: {failure!r}") from failure
        if failure is not None:
            raise TransactionAbortedError(repr(failure)) from failure
        return too_large

    def _begin_anew(self) -> None:
        """Another session under the same transactional id; the old one has no transaction open."""
        self.close()
        self._connect(Patience(self._settings))


def _expired(error: BaseException) -> bool:
    """Whether the coordinator has forgotten the transactional id; the client wraps that in a bare KafkaError."""
    return any(isinstance(it, InvalidProducerIdMappingError) for it in (error, *error.args))
