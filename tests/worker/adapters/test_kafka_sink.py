"""One suite for the sink on the real broker and for the fake that the fast tests use."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.kafka import AnyCluster
from tests.fakes import FakeSink
from tests.kafka_topics import LIMIT_BYTES, add_partitions, kafka_settings, read
from worker.adapters.kafka_client import examine_cluster
from worker.adapters.kafka_sink import KafkaSink
from worker.core.records import Partition, Record
from worker.errors import KafkaUnfitError
from worker.outcomes import Kind, Outgoing
from worker.ports import Sink
from worker.settings import Settings


class Target:
    """A sink, and what a consumer finds in its topic."""

    def __init__(self, topic: str, sink: Sink, values: Callable[[int], list[bytes | None]]) -> None:
        self.topic, self.sink, self.values = topic, sink, values

    def outgoing(self, value: bytes | None, partition: int = 0, kind: Kind = Kind.RESULT) -> Outgoing:
        source = Record(Partition("in", partition), 0, 1_700_000_000_000, b"key", b"")
        return Outgoing(kind, source, Partition(self.topic, partition), value, [("h", b"")])


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka)])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The fake, then the real one."""
    if request.param == "fake":
        fake = FakeSink(LIMIT_BYTES)
        yield Target("out", fake, lambda p: [item.value for item in fake.written if item.target.number == p])
        return
    cluster: AnyCluster = request.getfixturevalue("cluster")
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 2, f"{name}.dlq": 2})
    cluster.create_topics({f"{name}.out": 2}, {"max.message.bytes": str(LIMIT_BYTES)})
    settings = kafka_settings(cluster, name)
    sink = KafkaSink(settings, examine_cluster(settings).message_bytes_max)
    yield Target(f"{name}.out", sink, lambda p: read(cluster, f"{name}.out", p))
    sink.close()


def test_what_publish_returns_from_is_written_in_order(target: Target) -> None:
    """Each partition holds its records in the order given, null values too, over several calls."""
    for first in (0, 50):
        sent = [target.outgoing(b"%d" % n, partition=n % 2) for n in range(first, first + 50)]
        assert target.sink.publish(sent) == []
    assert target.sink.publish([target.outgoing(None)]) == []

    assert target.values(0) == [b"%d" % n for n in range(0, 100, 2)] + [None]
    assert target.values(1) == [b"%d" % n for n in range(1, 100, 2)]


def test_records_that_do_not_fit_come_back_and_the_others_are_written(target: Target) -> None:
    """A record above the topic's limit is returned, unwritten; its neighbours are not affected."""
    small, large = target.outgoing(b"small"), target.outgoing(b"x" * (LIMIT_BYTES + 1))

    assert target.sink.publish([small, large, small]) == [large]
    assert target.values(0) == [b"small", b"small"]


def test_nothing_to_publish_is_no_fault(target: Target) -> None:
    """A window of records that came to nothing is settled all the same."""
    assert target.sink.publish([]) == []


@pytest.mark.kafka
def test_topics_that_do_not_fit_are_refused(cluster: AnyCluster) -> None:
    """A missing topic, and one with fewer partitions than the input, end the start with a message that says so."""
    name = f"t{uuid.uuid4().hex[:8]}"
    settings = kafka_settings(cluster, name)
    with pytest.raises(KafkaUnfitError, match=f"{name}.in"):
        examine_cluster(settings)
    cluster.create_topics({f"{name}.in": 3, f"{name}.out": 2})
    with pytest.raises(KafkaUnfitError, match=f"{name}.dlq"):
        examine_cluster(settings)

    facts = examine_cluster(settings.model_copy(update={"create_topics": True}))

    assert facts.partitions == {f"{name}.in": 3, f"{name}.out": 2, f"{name}.dlq": 3}
    assert f"{name}.out has 2 partitions and {name}.in has 3" in facts.narrow
    assert not examine_cluster(settings.model_copy(update={"output_partitioning": "key"})).narrow


@pytest.mark.kafka
def test_replicas_that_start_at_once_create_the_topics_together(cluster: AnyCluster) -> None:
    """Whoever comes second finds that the topic exists, and that is what it wanted."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 3})
    settings = kafka_settings(cluster, name).model_copy(update={"create_topics": True})
    with ThreadPoolExecutor(5) as pool:
        facts = list(pool.map(examine_cluster, [settings] * 5))

    assert all(fact.partitions == {f"{name}.in": 3, f"{name}.out": 3, f"{name}.dlq": 3} for fact in facts)


@pytest.mark.kafka
def test_a_record_without_a_key_stays_in_order_where_results_go_by_key(cluster: AnyCluster) -> None:
    """An output with fewer partitions takes it too: always in the same partition for one source."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 3, f"{name}.out": 2, f"{name}.dlq": 3})
    settings = kafka_settings(cluster, name).model_copy(update={"output_partitioning": "key"})
    sink = KafkaSink(settings, examine_cluster(settings).message_bytes_max)
    source = Partition(f"{name}.in", 2)
    sent = [
        Outgoing(Kind.RESULT, Record(source, n, 0, None, b""), Partition(f"{name}.out", 2), b"%d" % n, [])
        for n in range(20)
    ]
    assert sink.publish(sent) == []
    sink.close()

    assert read(cluster, f"{name}.out", 0) == [b"%d" % n for n in range(20)]


@pytest.mark.kafka
def test_a_partition_that_was_added_is_learnt_of(cluster: AnyCluster) -> None:
    """What the client knew of a topic may be minutes old; one that never comes is said to be missing."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 1, f"{name}.out": 1, f"{name}.dlq": 1})
    settings = kafka_settings(cluster, name).model_copy(update={"publish_timeout_ms": 3000})
    sink = KafkaSink(settings, examine_cluster(settings).message_bytes_max)

    def outgoing(number: int) -> Outgoing:
        record = Record(Partition(f"{name}.in", number), 0, 0, b"k", b"")
        return Outgoing(Kind.RESULT, record, Partition(f"{name}.out", number), b"new", [])

    assert sink.publish([outgoing(0)]) == []
    add_partitions(cluster, f"{name}.out", 3)
    assert sink.publish([outgoing(2)]) == []
    with pytest.raises(KafkaUnfitError, match=f"{name}.out has no partition 3: give it as many as {name}.in"):
        sink.publish([outgoing(3)])
    sink.close()

    assert read(cluster, f"{name}.out", 2) == [b"new"]


def test_no_broker_is_a_clear_error() -> None:
    """Where nothing listens, the message names the setting."""
    settings = Settings.model_validate(
        {"bundle": "none", "kafka_bootstrap_servers": "127.0.0.1:1", "start_timeout_ms": 0}
    )
    with pytest.raises(KafkaUnfitError, match=r"KAFKA_BOOTSTRAP_SERVERS.*WORKER_START_TIMEOUT_MS"):
        examine_cluster(settings)
