"""Reading from the real broker."""

import json
import threading
import uuid

import pytest
from confluent_kafka import Producer

from dev.kafka import AnyCluster
from tests.adapters.test_sinks import kafka_settings
from worker.adapters.kafka_source import KafkaSource
from worker.core.backpressure import Marks
from worker.core.windows import WindowPolicy
from worker.flow import Flow
from worker.settings import Settings

pytestmark = pytest.mark.kafka
RECORDS = 300


class Member:
    """A source with books of its own, whose windows nobody takes."""

    def __init__(self, settings: Settings) -> None:
        self.flow = Flow(WindowPolicy(10, 1e9, 1e9, 10**6), Marks(10**6, 10**9))
        self.source = KafkaSource(settings, self.flow)
        self.read: set[tuple[int, int]] = set()

    def poll(self) -> int:
        """Poll once; how many records came."""
        chunks = self.source.poll(100)
        self.flow.receive(chunks)
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


def test_nothing_freezes_when_partitions_come_while_reading_is_paused(settings: Settings) -> None:
    """Paused, nothing is read of a partition that is assigned meanwhile; resumed, all is read to its end."""
    stays, leaves = Member(settings), Member(settings)
    others = threading.Thread(target=lambda: [leaves.poll() for _ in iter(left.is_set, True)])
    left = threading.Event()
    others.start()
    while not (stays.partitions() == leaves.partitions() == 1 and stays.read):
        stays.poll()
    stays.source.pause(paused=True)
    while stays.poll():
        pass
    left.set()
    others.join()
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


def test_a_rebalance_that_others_hold_up_does_not_cost_the_last_commit(settings: Settings) -> None:
    """Told to end while the group waits for another member, it commits what is settled as soon as it can."""
    leaves, busy = Member(settings), Member(settings)
    while not (leaves.partitions() == busy.partitions() == 1 and leaves.read):
        leaves.poll()
        busy.poll()
    while not (leaves.source.joined and busy.source.joined):
        leaves.poll()
        busy.poll()
    window = leaves.flow.take()
    assert window
    leaves.flow.settled(window)
    joins = Member(settings)
    while leaves.source.joined:  # `busy` does not poll, so that the others wait for it
        joins.poll()
        leaves.poll()

    left = threading.Event()
    others = threading.Thread(
        target=lambda: [member.poll() for _ in iter(left.is_set, True) for member in (busy, joins)]
    )
    timer = threading.Timer(1, others.start)
    timer.start()
    committed = leaves.source.close(8)
    left.set()
    timer.join()
    others.join()
    busy.source.close(5)
    joins.source.close(5)
    assert committed, "what was settled is not committed"
