"""Writing exactly once: outcomes and positions in one transaction, fenced by our membership (KIP-447)."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    InvalidProducerIdMappingError,
    KafkaError,
    ProducerFencedError,
)
from kafka.structs import OffsetAndMetadata

from contract.errors import ReviewSentimentError
from worker.adapters.kafka_causes import by_setting
from worker.adapters.kafka_private import OF_A_TRANSACTIONAL_PRODUCER, look_for
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.patience import Patience
from worker.core.ledger import Commit
from worker.errors import KafkaUnfitError, OverdueError, TransactionFencedError
from worker.outcomes import Outgoing, Unwritten
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
        """Begin a session; it ends what the one before it left open."""

        def begin() -> None:
            super(KafkaTransactionalSink, self)._connect(patience)
            try:
                look_for(OF_A_TRANSACTIONAL_PRODUCER, self._producer)
                self._producer.init_transactions()
            except BaseException:
                # Another client each time: one whose coordinator is on a dead broker may not look for the next.
                self.close()
                raise

        try:
            patience.keep_trying("Kafka does not begin transactions", begin)
        except KafkaError as error:
            raise KafkaUnfitError(f"Kafka does not let us use transactions: {by_setting(error)}") from error

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        """Run one transaction; see `worker.ports.TransactionalSink`."""

        def commit(producer: KafkaProducer) -> None:
            if offsets:
                producer.send_offsets_to_transaction(self._address(offsets), member)
            producer.commit_transaction()

        return self._run(outgoing, commit)

    def rehearse(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """Run one transaction, and abort it; see `worker.ports.TransactionalSink`."""
        return self._run(outgoing, KafkaProducer.abort_transaction)

    def _run(self, outgoing: Sequence[Outgoing], end: Callable[[KafkaProducer], None]) -> list[Unwritten]:
        producer = self._producer
        # kafka-python 3.0.12 keeps the positions of an aborted transaction and commits them with the next one, of
        # lost partitions too: their records would be skipped by their new owner.
        producer._transaction_manager._pending_txn_offset_commits.clear()  # noqa: SLF001
        failure: KafkaError | ReviewSentimentError | None = None
        found: list[Unwritten] = []
        try:
            producer.begin_transaction()
            if not (found := self._publish(outgoing)):
                end(producer)
        except (KafkaError, ReviewSentimentError) as error:
            failure = error
        if found:
            self._leave_refused(found)  # which aborts it
        if failure is not None:
            self._abort(failure)
        return found

    def _abort(self, failure: KafkaError | ReviewSentimentError) -> NoReturn:
        """End a transaction that failed, and say whether it may be tried again."""
        try:
            self._producer.abort_transaction()
        except KafkaError as error:
            if _expired(failure):
                self._begin_again()
                raise TransactionAbortedError(
                    f"the transactional id {self._options['transactional_id']} expired while there was nothing to "
                    "publish (the brokers' transactional.id.expiration.ms); a new session has begun"
                ) from failure
            if isinstance(failure, (ProducerFencedError, InvalidProducerEpochError)):
                raise TransactionFencedError(
                    "a transaction was fenced: its time was over, or another has taken our place; what it held "
                    "comes again"
                ) from error
            raise OverdueError(f"a transaction failed: {failure!r}; what it held comes again") from error
        if isinstance(failure, ReviewSentimentError):
            raise failure
        if isinstance(failure, AuthorizationError):
            raise KafkaUnfitError(f"Kafka does not take our records: {failure!r}") from failure
        raise TransactionAbortedError(repr(failure)) from failure


def _expired(error: BaseException) -> bool:
    """Whether the coordinator has forgotten the transactional id; the client wraps that in a bare KafkaError."""
    return any(isinstance(it, InvalidProducerIdMappingError) for it in (error, *error.args))
