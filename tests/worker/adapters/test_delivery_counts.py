"""One suite for the claims in a group's commits: on the real broker, and on the fake that the fast tests use."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dev.kafka import AnyCluster
from tests.worker.adapters.test_sinks import kafka_settings
from tests.worker.test_isolation import FakeClaims
from worker.adapters.kafka_source import KafkaSource
from worker.core.backpressure import Marks
from worker.core.delivery_counts import BEGUN, Claim
from worker.core.records import Partition
from worker.core.windows import WindowPolicy
from worker.flow import Flow
from worker.isolation import Claims


@dataclass
class Target:
    claims: Claims
    partitions: list[Partition]


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka)])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The fake, then a member of a real group."""
    if request.param == "fake":
        yield Target(FakeClaims(), [Partition("in", 0), Partition("in", 1)])
        return
    cluster: AnyCluster = request.getfixturevalue("cluster")
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 2})
    settings = kafka_settings(cluster, name).model_copy(update={"group_id": name})
    source = KafkaSource(settings, Flow(WindowPolicy(10, 1e9, 0, 10**6), Marks(100, 10**6)))
    while not source.joined:
        source.poll(100)
    yield Target(source, [Partition(f"{name}.in", 0), Partition(f"{name}.in", 1)])
    source.close(5)


def test_what_was_never_committed_has_no_position(target: Target) -> None:
    """A group without a commit has an empty claim: nobody has died there."""
    assert target.claims.find_claim(target.partitions[0]) == (None, Claim())


def test_a_claim_is_read_as_it_was_written(target: Target) -> None:
    """Several partitions at once, each with its own; the last write counts, at the same position too."""
    first, second = target.partitions
    assert target.claims.write_claims({first: (3, BEGUN), second: (5, Claim(2, 90, 40, 7))})
    assert target.claims.find_claim(second) == (5, Claim(2, 90, 40, 7))
    assert target.claims.write_claims({first: (3, Claim())})
    assert target.claims.find_claim(first) == (3, Claim())
