"""Which log is read, and where to go on in another, on the real broker."""

import json
import time
import uuid
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, LogTruncationError
from kafka.structs import OffsetAndMetadata

from dev.kafka import AnyCluster
from tests.kafka_topics import kafka_settings, recreate
from tests.worker.adapters.test_kafka_source import Member
from worker.adapters.kafka_positions import stamp, unstamp
from worker.core.ledger import Offset
from worker.core.records import Partition
from worker.errors import InputReplacedError
from worker.settings import Settings

pytestmark = pytest.mark.kafka
RECORDS = 100
ANOTHER = uuid.UUID(int=1).hex


@pytest.fixture
def settings(cluster: AnyCluster) -> Settings:
    """A partition with 100 records."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 1})
    fill(cluster, f"{name}.in")
    changes = {"group_id": name, "session_timeout_ms": 6000, "drain_timeout_ms": 1000}
    return kafka_settings(cluster, name).model_copy(update=changes)


@pytest.fixture
def client(cluster: AnyCluster, settings: Settings) -> Iterator[KafkaConsumer]:
    """Commits for the group, and looks at what is committed."""
    servers = cluster.bootstrap_servers.split(",")
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=settings.group_id, enable_auto_commit=False)
    yield consumer
    consumer.close()


def fill(cluster: AnyCluster, topic: str) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    for number in range(RECORDS):
        producer.produce(topic, json.dumps({"text": str(number)}), partition=0)
    producer.flush()


def partition_of(settings: Settings) -> TopicPartition:
    return TopicPartition(settings.input_topic, 0)


def committed(client: KafkaConsumer, settings: Settings) -> OffsetAndMetadata:
    return client.committed(partition_of(settings), metadata=True, timeout_ms=30_000)


def read_all(member: Member) -> set[int]:
    """The offsets that a member reads until the end."""
    deadline_s = time.monotonic() + 30
    while (0, RECORDS - 1) not in member.read:
        assert time.monotonic() < deadline_s, f"{len(member.read)} records were read"
        member.poll()
    return {offset for _, offset in member.read}


def poll_for(member: Member, seconds: float) -> None:
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        member.poll()


def test_a_commit_names_the_log(settings: Settings, client: KafkaConsumer) -> None:
    """The topic's id in the metadata, the leader epoch in Kafka's field."""
    member = Member(settings)
    read_all(member)
    assert member.source.commit_now({Partition(*partition_of(settings)): Offset(50, '{"count":1}')})
    found = committed(client, settings)
    assert (found.offset, found.leader_epoch) == (50, 0)
    topic_id, rest = unstamp(found.metadata)
    assert (uuid.UUID(topic_id).hex, rest) == (topic_id, '{"count":1}')
    member.source.close(5)


@pytest.mark.parametrize("position", [40, 10 * RECORDS])
@pytest.mark.parametrize("allowed", [False, True])
def test_a_position_of_another_topic_is_not_gone_on_from(
    settings: Settings, client: KafkaConsumer, position: int, allowed: bool
) -> None:
    """Within the new log, where it would skip in silence, and beyond its end; allowed, all is read."""
    client.commit({partition_of(settings): OffsetAndMetadata(position, stamp("", ANOTHER), -1)})
    member = Member(settings.model_copy(update={"allow_replaced": allowed}))
    if allowed:
        assert read_all(member) == set(range(RECORDS))
        assert committed(client, settings).offset == 0
        assert unstamp(committed(client, settings).metadata).topic_id not in ("", ANOTHER)
    else:
        said = f"read up to {position}: the id is .* instead of {ANOTHER}, and its log ends at {RECORDS}"
        with pytest.raises(InputReplacedError, match=said):
            poll_for(member, 30)
        assert committed(client, settings).offset == position, "it stays for those who look into it"
    member.source.close(5)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_log_that_ends_before_our_position_was_cut_off(
    settings: Settings, client: KafkaConsumer, allowed: bool
) -> None:
    """Not expired: nothing at the beginning is missing. Allowed, all comes again, for want of a place."""
    client.commit({partition_of(settings): OffsetAndMetadata(10 * RECORDS, "", -1)})
    member = Member(settings.model_copy(update={"allow_replaced": allowed}))
    if allowed:
        assert read_all(member) == set(range(RECORDS))
    else:
        with pytest.raises(InputReplacedError, match=f"was read up to {10 * RECORDS} and ends before that now"):
            poll_for(member, 30)
    member.source.close(5)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_shorter_log_is_gone_on_from_where_it_was_cut_off(
    cluster: AnyCluster, settings: Settings, client: KafkaConsumer, allowed: bool
) -> None:
    """The broker knows where the log of a leader epoch ends: what is before that is not repeated."""
    client.commit({partition_of(settings): OffsetAndMetadata(10 * RECORDS, "", 0)})
    member = Member(settings.model_copy(update={"allow_replaced": allowed}))
    if allowed:
        deadline_s = time.monotonic() + 30
        while committed(client, settings).offset != RECORDS:
            assert time.monotonic() < deadline_s, "it goes on nowhere"
            member.poll()
        fill(cluster, settings.input_topic)
        while (0, 2 * RECORDS - 1) not in member.read:
            assert time.monotonic() < deadline_s, f"{len(member.read)} records were read"
            member.poll()
        assert {offset for _, offset in member.read} == set(range(RECORDS, 2 * RECORDS))
    else:
        said = f"was read up to {10 * RECORDS} and has been cut off at {RECORDS}"
        with pytest.raises(InputReplacedError, match=said):
            poll_for(member, 30)
    member.source.close(5)


def find_cut_off(member: Member, end: int) -> None:
    """A leader's answer that the log of our position's epoch ends at `end`; -1 where it does not know that."""
    consumer, partition = member.source._consumer, partition_of(member.source._settings)
    answer = SimpleNamespace(
        topics=[
            SimpleNamespace(
                topic=partition.topic,
                partitions=[SimpleNamespace(partition=0, error_code=0, end_offset=end, leader_epoch=min(end, 0))],
            )
        ]
    )
    positions = {partition: consumer._subscription.assignment[partition].position}
    found = consumer._fetcher._handle_offset_for_leader_epoch_response(answer, positions)
    consumer._fetcher._cached_log_truncation = LogTruncationError(found)  # as who asked the leader does


@pytest.mark.parametrize("end", [50, -1])
def test_a_cut_off_log_is_not_read_on_whatever_is_asked_first(
    cluster: AnyCluster, settings: Settings, end: int
) -> None:
    """Lag and positions are looked up between two polls, and the log grows: the next poll has to be told."""
    member = Member(settings)
    read_all(member)
    find_cut_off(member, end)
    fill(cluster, settings.input_topic)
    assert Partition(*partition_of(settings)) in member.source.unread()
    with pytest.raises(InputReplacedError, match=f"was read up to {RECORDS} and has been cut off at "):
        poll_for(member, 5)
    assert len(member.read) == RECORDS
    member.source.close(5)


def test_a_cut_off_log_is_not_read_on_where_brokers_do_not_answer_now(
    cluster: AnyCluster, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it begins may not be known in time; until then nothing is read of it."""
    member = Member(settings)
    read_all(member)

    def late(*_: object, **__: object) -> None:
        raise KafkaTimeoutError("Failed to get offsets by timestamps in 3000 ms")

    monkeypatch.setattr(member.source._consumer, "beginning_offsets", late)
    find_cut_off(member, -1)
    fill(cluster, settings.input_topic)
    member.poll()
    assert not member.source._consumer._subscription.assignment[partition_of(settings)].is_fetchable()
    assert len(member.read) == RECORDS
    member.source.close(5)


def test_what_was_cut_off_of_a_partition_that_is_no_longer_ours_is_its_owners_business(settings: Settings) -> None:
    """Nothing is committed for it, and nobody stops."""
    member = Member(settings)
    read_all(member)
    other = TopicPartition(settings.input_topic, 1)
    member.source._consumer._fetcher._cached_log_truncation = LogTruncationError({other: None})
    member.poll()
    member.source.close(5)


def test_a_fetch_that_brings_nothing_does_not_forget_the_leader_epoch(
    settings: Settings, client: KafkaConsumer
) -> None:
    """Or the client could neither ask nor be told whether the log of a quiet partition was cut off."""
    client.commit({partition_of(settings): OffsetAndMetadata(RECORDS, "", 0)})
    member = Member(settings)
    poll_for(member, 5)
    assert not member.read
    state = member.source._consumer._subscription.assignment[partition_of(settings)]
    assert (state.position.offset, state.position.leader_epoch) == (RECORDS, 0)
    member.source.close(5)


@pytest.mark.parametrize("topic_id", ["", ANOTHER])
@pytest.mark.parametrize("position", [40, 10 * RECORDS])
def test_brokers_that_do_not_answer_now_are_asked_again(
    settings: Settings, client: KafkaConsumer, monkeypatch: pytest.MonkeyPatch, position: int, topic_id: str
) -> None:
    """Where a log begins may not be known in time while its topic is recreated; that ends no worker."""
    client.commit({partition_of(settings): OffsetAndMetadata(position, stamp("", topic_id), -1)})
    member = Member(settings.model_copy(update={"allow_replaced": True}))
    asked: list[object] = []

    def late(*partitions: object, **_: object) -> None:
        asked.append(partitions)
        monkeypatch.undo()
        raise KafkaTimeoutError("Failed to get offsets by timestamps in 3000 ms")

    monkeypatch.setattr(member.source._consumer, "beginning_offsets", late)
    is_ours = position == 40 and not topic_id
    assert read_all(member) == set(range(40 if is_ours else 0, RECORDS))
    assert bool(asked) is not is_ours
    member.source.close(5)


def test_a_topic_recreated_while_reading_is_paused_is_noticed(
    cluster: AnyCluster, settings: Settings, client: KafkaConsumer
) -> None:
    """Where nothing is fetched, the client hears of it with its metadata; commits name the old one."""
    member = Member(settings)
    read_all(member)
    ours = member.source.positions.topic_id(Partition(*partition_of(settings)))
    member.source.pause(paused=True)
    recreate(cluster, settings.input_topic, 1)
    fill(cluster, settings.input_topic)
    with pytest.raises(InputReplacedError, match=r"another topic than the one .*WORKER_ALLOW_REPLACED=true"):
        poll_for(member, 30)
    member.source.close(5)
    found = committed(client, settings)
    assert found is None or unstamp(found.metadata).topic_id == ours, "so that a successor tells them apart"
