"""One suite for the sink on the real broker and for the fake that the fast tests use."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.kafka import AnyCluster
from tests.fakes import FakeSink
from tests.kafka_topics import LIMIT_BYTES, TOO_LATE_MS, add_partitions, kafka_settings, read
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

    def outgoing(self, value: bytes | None, partition: int = 0, timestamp_ms: int = 1_700_000_000_000) -> Outgoing:
        source = Record(Partition("in", partition), 0, timestamp_ms, b"key", b"")
        return Outgoing(Kind.RESULT, source, Partition(self.topic, partition), value, [("h", b"")])

    def publish_all(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Publish, and again what has fallen; what is refused for itself."""
        refused: list[Outgoing] = []
        while unwritten := self.sink.publish(outgoing):
            refused += [item.outgoing for item in unwritten if item.refusal]
            outgoing = [item.outgoing for item in unwritten if not item.refusal]
        return refused


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka)])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The fake, then the real one."""
    if request.param == "fake":
        fake = FakeSink(LIMIT_BYTES)
        fake.broker.refuses = lambda item: (item.timestamp_ms or 0) >= TOO_LATE_MS
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
    """A record above the topic's limit is returned, unwritten; its neighbours are written once."""
    small, large = target.outgoing(b"small"), target.outgoing(b"x" * (LIMIT_BYTES + 1))

    assert target.publish_all([small, large, small]) == [large]
    assert target.values(0) == [b"small", b"small"]


def test_a_record_that_its_topic_refuses_is_named_and_nothing_is_written_twice(target: Target) -> None:
    """Whatever its neighbours are: in its batch, in batches before and after it, or in another partition."""
    padding = b"." * 500  # several batches in each partition
    good = [target.outgoing(b"%d" % n + padding, partition=n % 2) for n in range(400)]
    late = [target.outgoing(b"late", partition=0, timestamp_ms=TOO_LATE_MS) for _ in range(2)]

    assert target.publish_all([*good[:100], late[0], *good[100:300], late[1], *good[300:]]) == late
    for number in (0, 1):
        assert sorted(map(str, target.values(number))) == sorted(str(it.value) for it in good[number::2])
    assert target.publish_all([target.outgoing(None)]) == []


def test_what_falls_with_a_refused_record_comes_back_in_order(target: Target) -> None:
    """What is not named can be published again; the sink goes on."""
    items = [target.outgoing(b"a"), target.outgoing(b"late", timestamp_ms=TOO_LATE_MS), target.outgoing(b"b")]
    other = target.outgoing(b"c", partition=1)

    unwritten = target.sink.publish([*items, other])
    assert [item.outgoing for item in unwritten] == items
    assert [item.refusal.reason if item.refusal else None for item in unwritten] == [None, "output_refused", None]
    assert target.values(1) == [b"c"]


def test_nothing_to_publish_is_no_fault(target: Target) -> None:
    """A window of records that came to nothing is settled all the same."""
    assert target.sink.publish([]) == []


@pytest.mark.kafka
def test_a_limit_that_nobody_may_read_is_found_out(cluster: AnyCluster) -> None:
    """Batches are cut until they fit, each record is written once, and one alone that does not fit is named."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({name: 1}, {"max.message.bytes": str(LIMIT_BYTES)})
    target = Target(name, KafkaSink(kafka_settings(cluster, name), {}), lambda p: read(cluster, name, p))
    small = [target.outgoing(b"%d" % n + b"." * 1000) for n in range(200)]
    large = target.outgoing(b"x" * LIMIT_BYTES)

    assert target.publish_all([*small[:100], large, *small[100:]]) == [large]
    assert sorted(map(str, target.values(0))) == sorted(str(item.value) for item in small)


@pytest.mark.kafka
def test_a_record_fits_as_it_is_compressed(cluster: AnyCluster) -> None:
    """Brokers measure what they are sent, so that nothing is too large by our reckoning alone."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({name: 1}, {"max.message.bytes": str(LIMIT_BYTES)})
    settings = kafka_settings(cluster, name).model_copy(update={"output_compression": "gzip"})
    target = Target(name, KafkaSink(settings, {name: LIMIT_BYTES}), lambda p: read(cluster, name, p))

    assert target.publish_all([target.outgoing(b"x" * 50 * LIMIT_BYTES)]) == []
    assert target.values(0) == [b"x" * 50 * LIMIT_BYTES]


@pytest.mark.kafka
def test_topics_that_do_not_fit_are_refused(cluster: AnyCluster) -> None:
    """A missing topic, and one with fewer partitions than the input, end the start with a message that says so."""
    name = f"t{uuid.uuid4().hex[:8]}"
    settings = kafka_settings(cluster, name)
    with pytest.raises(KafkaUnfitError, match=f"{name}.in"):
        examine_cluster(settings)
    cluster.create_topics({f"{name}.in": 3, f"{name}.out": 2})
    with pytest.raises(KafkaUnfitError, match=f"no topic {name}.dlq: python -m worker topics create, or"):
        examine_cluster(settings)

    facts = examine_cluster(settings.model_copy(update={"create_topics": True}))

    assert facts.partitions == {f"{name}.in": 3, f"{name}.out": 2, f"{name}.dlq": 3}
    assert f"{name}.out has 2 partitions and {name}.in has 3" in facts.narrow
    assert not examine_cluster(settings.model_copy(update={"output_partitioning": "key"})).narrow


@pytest.mark.kafka
def test_replicas_that_start_at_once_create_the_topics_together(cluster: AnyCluster) -> None:
    """The second finds that the topic exists, and that is what it wanted."""
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
    with pytest.raises(KafkaUnfitError, match=r"WORKER_START_TIMEOUT_MS.*KAFKA_BOOTSTRAP_SERVERS"):
        examine_cluster(settings)
