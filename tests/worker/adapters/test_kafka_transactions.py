"""One suite for transactions on the real broker and for the fake that the fast tests use."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import MagicMock

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.structs import ConsumerGroupMetadata

from dev.kafka import AnyCluster
from tests.fakes import FakeGroup, FakeTransactionalSink
from tests.kafka_topics import LIMIT_BYTES, TOO_LATE_MS, kafka_settings, read
from worker.adapters.kafka_client import examine_cluster
from worker.adapters.kafka_positions import LogPositions
from worker.adapters.kafka_transactions import KafkaTransactionalSink
from worker.core.delivery_counts import FIRST_DELIVERY
from worker.core.ledger import Commit, Offset
from worker.core.records import Partition, Record
from worker.outcomes import Kind, Outgoing, Unwritten
from worker.ports import TransactionAbortedError, TransactionalSink
from worker.settings import Settings


@dataclass
class Target:
    """A sink, our membership, and what others see of its transactions."""

    sink: TransactionalSink
    member: Any
    stale: object
    topic: str
    input_topic: str
    values: Callable[[], list[bytes | None]]
    committed: Callable[[], Commit]

    def outgoing(self, value: bytes | None, timestamp_ms: int = 1_700_000_000_000) -> Outgoing:
        source = Record(Partition(self.input_topic, 0), 0, timestamp_ms, b"key", b"")
        return Outgoing(Kind.RESULT, source, Partition(self.topic, 0), value, [("h", b"")])

    def offsets(self, position: int) -> Commit:
        return {Partition(self.input_topic, 0): Offset(position, str(FIRST_DELIVERY))}


def fake() -> Target:
    group = FakeGroup()
    sink = FakeTransactionalSink(group, LIMIT_BYTES)
    sink.broker.refuses = lambda item: (item.timestamp_ms or 0) >= TOO_LATE_MS
    return Target(
        sink, 1, 0, "out", "in", lambda: [item.value for item in sink.written],
        lambda: group.committed,
    )  # fmt: skip


def named(unwritten: Sequence[Unwritten]) -> list[Outgoing]:
    """The ones that are refused for themselves."""
    return [item.outgoing for item in unwritten if item.refusal]


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka)])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The fake, then the real one."""
    if request.param == "fake":
        yield fake()
        return
    cluster: AnyCluster = request.getfixturevalue("cluster")
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 2, f"{name}.dlq": 2})
    cluster.create_topics({f"{name}.out": 2}, {"max.message.bytes": str(LIMIT_BYTES)})
    settings = kafka_settings(cluster, name).model_copy(update={"group_id": name})
    servers = cluster.bootstrap_servers.split(",")
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=name, enable_auto_commit=False)
    while not consumer.partitions_for_topic(f"{name}.in"):
        time.sleep(0.1)  # a client that joins before it knows the topic assigns itself nothing, for good
    consumer.subscribe([f"{name}.in"])
    while not consumer.assignment():
        consumer.poll(100)
    member = consumer.group_metadata()
    sink = KafkaTransactionalSink(
        settings, examine_cluster(settings).message_bytes_max, LogPositions(lambda _: None).address
    )

    looker = KafkaConsumer(bootstrap_servers=servers, group_id=name, isolation_level="read_committed")

    def committed() -> Commit:
        # Not with confluent-kafka: what it gives for metadata is not always what was committed.
        ours = [TopicPartition(f"{name}.in", number) for number in range(2)]
        found = {it: looker.committed(it, metadata=True, timeout_ms=30_000) for it in ours}
        return {Partition(*p): Offset(item.offset, item.metadata) for p, item in found.items() if item}

    stale = ConsumerGroupMetadata(member.group_id, member.generation_id + 7, member.member_id, None)
    yield Target(
        sink, member, stale, f"{name}.out", f"{name}.in", lambda: read(cluster, f"{name}.out", 0), committed
    )
    for client in (sink, consumer, looker):
        client.close()


def test_records_and_positions_are_committed_together(target: Target) -> None:
    """In the order given, with the delivery count of the worker that goes on from there."""
    for first in (0, 20):
        sent = [target.outgoing(b"%d" % n) for n in range(first, first + 20)]
        assert target.sink.transact(sent, target.offsets(first + 20), target.member) == []

    assert target.values() == [b"%d" % n for n in range(40)]
    assert target.committed() == target.offsets(40)


def test_a_record_too_large_aborts_and_the_next_transaction_goes_well(target: Target) -> None:
    """What does not fit is returned, nothing of its transaction shows, and the sink can go on."""
    small, large = target.outgoing(b"small"), target.outgoing(b"x" * (LIMIT_BYTES + 1))

    assert named(target.sink.transact([small, large], target.offsets(2), target.member)) == [large]
    assert target.values() == []
    assert target.committed() == {}
    assert target.sink.transact([small], target.offsets(2), target.member) == []
    assert target.values() == [b"small"]


def test_all_that_a_topic_refuses_is_named_at_once(target: Target) -> None:
    """One transaction finds out all of it, whatever batches it is in, and no other record is blamed."""
    padding = b"." * 500  # several batches
    small = [target.outgoing(b"%d" % n + padding) for n in range(200)]
    large = [target.outgoing(b"x" * (LIMIT_BYTES + n)) for n in (1, 2, 3)]
    late = [target.outgoing(b"late", TOO_LATE_MS) for _ in range(2)]
    outgoing = [*small[:80], large[0], late[0], *small[80:], late[1], *large[1:]]

    unwritten = target.sink.transact(outgoing, target.offsets(2), target.member)
    assert list(map(id, named(unwritten))) == list(map(id, [large[0], *late, *large[1:]]))
    assert target.sink.transact(small, target.offsets(2), target.member) == []
    assert target.values() == [item.value for item in small]


def test_what_is_rehearsed_never_shows(target: Target) -> None:
    """The answer is that of a transaction, and the next one has nothing of it."""
    good, late = target.outgoing(b"good"), target.outgoing(b"late", TOO_LATE_MS)

    assert target.sink.rehearse([good]) == []
    assert named(target.sink.rehearse([late])) == [late]
    assert target.sink.transact([good], target.offsets(1), target.member) == []
    assert target.values() == [b"good"]


def test_a_membership_that_is_over_is_fenced(target: Target) -> None:
    """A stale generation aborts the transaction: neither records nor positions show, and it can be run again."""
    item = target.outgoing(b"once")

    with pytest.raises(TransactionAbortedError):
        target.sink.transact([item], target.offsets(1), target.stale)
    assert target.values() == []
    assert target.committed() == {}
    assert target.sink.transact([item], target.offsets(1), target.member) == []
    assert target.values() == [b"once"]


def test_positions_of_an_aborted_transaction_are_forgotten(target: Target) -> None:
    """The next transaction must not commit what the last one would have: the partition may be another's by now."""
    lost = {Partition(target.input_topic, 1): Offset(9, str(FIRST_DELIVERY))}
    with pytest.raises(TransactionAbortedError):
        target.sink.transact([target.outgoing(b"lost")], lost, target.stale)

    assert target.sink.transact([], target.offsets(3), target.member) == []
    assert target.committed() == target.offsets(3)


def test_positions_alone_can_be_committed(target: Target) -> None:
    """Past control records there is nothing to publish."""
    assert target.sink.transact([], target.offsets(3), target.member) == []
    assert target.committed() == target.offsets(3)


def test_each_attempt_to_begin_has_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose coordinator was on a dead broker may have lost its request, and would wait for ever."""
    clients: list[MagicMock] = []

    def client(**_: object) -> MagicMock:
        gone = None if clients else KafkaTimeoutError("its coordinator is gone")
        clients.append(MagicMock(**{"init_transactions.side_effect": gone}))
        return clients[-1]

    monkeypatch.setattr("worker.adapters.kafka_sink.KafkaProducer", client)
    limits = dict.fromkeys(("out", "dead"), LIMIT_BYTES)
    KafkaTransactionalSink(
        Settings.model_validate({"bundle": "none"}), limits, LogPositions(lambda _: None).address
    )

    assert [it.close.called for it in clients] == [True, False]
