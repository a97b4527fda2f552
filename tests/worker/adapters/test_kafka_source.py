"""Reading from the real broker."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from dev.kafka import AnyCluster
from tests.fakes import FakeTelemetry
from tests.kafka_topics import kafka_settings
from worker.adapters import kafka_ends, kafka_source
from worker.adapters.kafka_source import KafkaSource
from worker.core.backpressure import Marks
from worker.core.windows import WindowPolicy
from worker.in_flight import InFlight
from worker.settings import Settings

pytestmark = pytest.mark.kafka
RECORDS = 300


class Member:
    """A source with books of its own, whose windows nobody takes."""

    def __init__(self, settings: Settings) -> None:
        self.in_flight = InFlight(WindowPolicy(10, 1e9, 1e9, 10**6), Marks(10**6, 10**9))
        self.source = KafkaSource(settings, self.in_flight, FakeTelemetry())
        self.read: set[tuple[int, int]] = set()

    def poll(self, timeout_ms: int = 100) -> int:
        """Poll once; how many records came."""
        chunks = self.source.poll(timeout_ms)
        self.in_flight.receive(chunks)
        came = {(chunk.partition.number, record.offset) for chunk in chunks for record in chunk.records}
        self.read |= came
        return len(came)

    def partitions(self) -> int:
        return len(self.source._consumer.assignment())


@pytest.fixture
def settings(cluster: AnyCluster) -> Settings:
    """Two partitions with 300 records each, of which a poll returns ten."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 2})
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    for number in range(2 * RECORDS):
        producer.produce(f"{name}.in", json.dumps({"text": str(number)}), partition=number % 2)
    producer.flush()
    changes = {"group_id": name, "window_records_max": 10, "session_timeout_ms": 6000, "drain_timeout_ms": 1000}
    return kafka_settings(cluster, name).model_copy(update=changes)


@contextlib.contextmanager
def polling(*members: Member) -> Iterator[None]:
    """Each polls on a thread of its own: in turns on one, each would miss what comes while another polls."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=lambda member=member: [member.poll() for _ in iter(ended.is_set, True)])
        for member in members
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_nothing_freezes_when_partitions_come_while_reading_is_paused(settings: Settings) -> None:
    """Paused, nothing is read of a partition that is assigned meanwhile; resumed, all is read to its end."""
    stays, leaves = Member(settings), Member(settings)
    with polling(leaves):
        while not (stays.partitions() == leaves.partitions() == 1 and stays.read):
            stays.poll()
        stays.source.pause(paused=True)
        while stays.poll():
            pass
    leaves.source.close(5)
    before = len(stays.read)
    while stays.partitions() < 2:
        stays.poll()
    for _ in range(10):
        stays.poll()
    assert len(stays.read) == before, "it read although it was paused"

    stays.source.pause(paused=False)
    for _ in range(3 * RECORDS):
        stays.poll()
        if len(stays.read) == 2 * RECORDS:
            break
    assert {number for number, offset in stays.read if offset == RECORDS - 1} == {0, 1}
    stays.source.close(5)


def test_what_is_unread_grows_while_reading_is_paused(
    cluster: AnyCluster, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused partition is not fetched, so its end has to be asked for; resumed, the fetches tell it again."""
    monkeypatch.setattr(kafka_ends, "_EVERY_S", 0.0)
    member = Member(settings)
    while not (member.partitions() == 2 and len(member.read) > 10):
        member.poll()
    member.source.pause(paused=True)
    while member.poll():
        pass
    unread = 2 * RECORDS - len(member.read)
    assert sum(member.source.unread().values()) == unread
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    for number in range(100):
        producer.produce(settings.input_topic, json.dumps({"text": str(number)}), partition=number % 2)
    producer.flush()
    member.poll()
    assert sum(member.source.unread().values()) == unread + 100
    assert set(member.source.ends().values()) == {RECORDS + 50}

    member.source.pause(paused=False)
    while len(member.read) < 2 * RECORDS + 100:
        member.poll()
    assert sum(member.source.unread().values()) == 0
    member.source.close(5)


def test_one_that_is_alone_joins_once(settings: Settings) -> None:
    """It knows the topic before it joins: a leader that learns of it later would join, and drain, again."""
    member = Member(settings)
    while member.poll() or member.partitions() < 2 or not member.read:
        pass
    member.source._consumer.topics()
    for _ in range(5):
        member.poll()
    generation = member.source._consumer.group_metadata().generation_id
    member.source.close(5)
    assert generation == 1


@pytest.mark.parametrize("missed", [0, 5])
def test_an_answer_between_two_polls_does_not_keep_it_out(
    settings: Settings, cluster: AnyCluster, monkeypatch: pytest.MonkeyPatch, missed: int
) -> None:
    """When the topic grows, a leader in a hurry comes back with the new partition, whatever it missed."""
    member = Member(settings)
    while member.partitions() < 2:
        member.poll()
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    admin.create_partitions([NewPartitions(settings.input_topic, 3)])[settings.input_topic].result()
    while len(member.source._consumer.partitions_for_topic(settings.input_topic)) < 3:
        member.source._consumer.topics()
    with monkeypatch.context() as hurry:
        hurry.setattr(kafka_source, "_JOIN_POLL_MS", 1)
        for _ in range(missed):
            member.poll(1)
            time.sleep(0.1)
    assert missed == 0 or not member.source.membership.joined

    for _ in range(50):
        member.poll(1)
        time.sleep(0.1)
        if member.partitions() == 3 and member.source.membership.joined:
            break
    came_back = member.partitions(), member.source.membership.joined
    member.source.close(5)
    assert came_back == (3, True)


def test_a_rebalance_that_others_hold_up_does_not_cost_the_last_commit(settings: Settings) -> None:
    """Told to end while the group waits for another member, it commits what is settled as soon as it can."""
    leaves, busy, joins = Member(settings), Member(settings), Member(settings)
    with polling(leaves, busy):
        while not (leaves.partitions() == busy.partitions() == 1 and leaves.read):
            time.sleep(0.05)
        time.sleep(1)  # a rebalance for what has moved may follow
    window = leaves.in_flight.take()
    assert window
    leaves.in_flight.settled(window)
    with polling(joins):
        while leaves.source.membership.joined:  # `busy` does not poll, so that the others wait for it
            leaves.poll()
        timer = threading.Timer(1, lambda: busy_polls.enter_context(polling(busy)))
        with contextlib.ExitStack() as busy_polls:
            timer.start()
            committed = leaves.source.close(8)
            timer.join()
    busy.source.close(5)
    joins.source.close(5)
    assert committed, "what was settled is not committed"


def test_one_whose_place_is_taken_does_not_wait_to_commit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another member has its instance id: the group would refuse its commit for ever, so it leaves without."""
    static = settings.model_copy(update={"group_instance_id": "same", "session_timeout_ms": 6000})
    fenced, rival = Member(static), Member(static)
    while fenced.partitions() < 2 or not fenced.read:
        fenced.poll()
    window = fenced.in_flight.take()
    assert window
    fenced.in_flight.settled(window)
    with polling(rival):
        while not fenced.source.membership.fenced:  # it is told by the answer to a heartbeat
            time.sleep(0.05)
        polls: list[int] = []
        monkeypatch.setattr(fenced.source, "_poll", polls.append)
        committed = fenced.source.close(5)
    rival.source.close(5)
    assert (committed, polls) == (False, [])
