"""One suite for delivery counts in a group's commits: on the real broker, and on the fake of the fast tests."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dev.kafka import AnyCluster
from tests.fakes import FakeOffsets, FakeTelemetry
from tests.kafka_topics import kafka_settings
from worker.adapters.kafka_source import KafkaSource
from worker.core.backpressure import Marks
from worker.core.delivery_counts import FIRST_DELIVERY, DeliveryCount
from worker.core.ledger import Offset
from worker.core.records import Partition
from worker.core.windows import WindowPolicy
from worker.in_flight import InFlight
from worker.ports import Offsets


@dataclass
class Target:
    offsets: Offsets
    partitions: list[Partition]


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka)])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The fake, then a member of a real group."""
    if request.param == "fake":
        yield Target(FakeOffsets(), [Partition("in", 0), Partition("in", 1)])
        return
    cluster: AnyCluster = request.getfixturevalue("cluster")
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 2})
    settings = kafka_settings(cluster, name).model_copy(update={"group_id": name})
    source = KafkaSource(settings, InFlight(WindowPolicy(10, 1e9, 0, 10**6), Marks(100, 10**6)), FakeTelemetry())
    while not source.membership.joined:
        source.poll(100)
    yield Target(source, [Partition(f"{name}.in", 0), Partition(f"{name}.in", 1)])
    source.close(5)


def test_what_was_never_committed_has_no_position(target: Target) -> None:
    """A group without a commit has an empty count: nobody has died there."""
    assert target.offsets.committed_offset(target.partitions[0]) == Offset(-1)


def test_an_offset_is_read_as_it_was_written(target: Target) -> None:
    """Several partitions at once, each with its own count; the last write counts, at the same position too."""
    first, second = target.partitions
    other = Offset(5, str(DeliveryCount(2, 90, 40, 7)))
    assert target.offsets.commit_now({first: Offset(3, str(FIRST_DELIVERY)), second: other})
    assert target.offsets.committed_offset(second) == other
    assert target.offsets.commit_now({first: Offset(3)})
    assert target.offsets.committed_offset(first) == Offset(3)
