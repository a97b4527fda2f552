"""What a revocation commits, and when it must not; the client is a stand-in that only notes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.future import Future

from tests.fakes import FakeTelemetry
from worker.adapters.kafka_places import Places
from worker.adapters.kafka_positions import LogPositions
from worker.adapters.kafka_rebalances import Rebalances
from worker.core.backpressure import Marks
from worker.core.ledger import Offset
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.in_flight import InFlight
from worker.settings import Settings

P0 = Partition("in", 0)


class Client:
    """A consumer that notes what it is asked to commit."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self._net = SimpleNamespace(call_soon_threadsafe=self._call)
        self._coordinator = SimpleNamespace(
            _offset_fetch_futures={"stale": "answer"}, coordinator_unknown=lambda: False
        )

    def pause(self, *partitions: TopicPartition) -> None:
        assert not partitions, "all have a place"

    async def commit_async(self, offsets: dict[TopicPartition, Any]) -> None:
        self.commits.append({partition: item.offset for partition, item in offsets.items()})

    def _call(self, callback: Callable[[], None]) -> None:
        callback()


@pytest.fixture(params=["at-least-once", "exactly-once"])
def member(request: pytest.FixtureRequest) -> SimpleNamespace:
    """A partition of which one window is settled and one is in flight."""
    settings = Settings.model_validate({"bundle": "none", "delivery": request.param})
    client = Client()
    transactional = request.param == "exactly-once"
    in_flight = InFlight(WindowPolicy(2, 1e9, 0, 10**6), Marks(1000, 10**6), transactional=transactional)
    places = Places(SimpleNamespace(partitions_for_topic=lambda _: {0}), settings)
    telemetry = FakeTelemetry()
    rebalances = Rebalances(client, in_flight, LogPositions(lambda _: None), places, settings, telemetry)
    run(rebalances.on_partitions_assigned([TopicPartition(*P0)]))
    in_flight.receive([Chunk(P0, tuple(Record(P0, offset, 0, b"k", b"{}") for offset in range(4)), 4)])
    first, second = in_flight.take(), in_flight.take()
    assert first
    assert second
    in_flight.settled(first)
    return SimpleNamespace(
        client=client,
        in_flight=in_flight,
        rebalances=rebalances,
        second=second,
        delivery=request.param,
        telemetry=telemetry,
    )


def run(coroutine: Any) -> None:
    """Run what never has to wait."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_what_is_in_flight_is_settled_before_it_is_committed(member: SimpleNamespace) -> None:
    """Nothing is committed while a window is in flight; then all of it is."""
    revocation = member.rebalances.on_partitions_revoked([TopicPartition(*P0)])
    waiting = revocation.send(None)
    assert member.client.commits == []

    member.in_flight.committed({P0: Offset(2)})
    member.in_flight.settled(member.second)
    assert waiting is not None
    run(revocation)
    assert member.client.commits == [{TopicPartition(*P0): 4}]


def test_a_transaction_in_doubt_is_not_committed_over(member: SimpleNamespace) -> None:
    """Abandoned in a transaction, an older position would win over the transaction's; alone it is a safe one."""
    member.in_flight.abandon()
    run(member.rebalances.on_partitions_revoked([TopicPartition(*P0)]))

    expected = [{TopicPartition(*P0): 2}] if member.delivery == "at-least-once" else []
    assert member.client.commits == expected
    assert member.in_flight.epoch(P0) is None


def test_a_late_answer_is_not_kept_for_the_next_assignment(member: SimpleNamespace) -> None:
    """The client's own memory of offset fetches is emptied, or it would go on from an old position."""
    assert member.client._coordinator._offset_fetch_futures == {}


def test_every_rebalance_is_counted_by_its_kind(member: SimpleNamespace) -> None:
    """A member that is told of no partition has had none assigned or revoked."""
    run(member.rebalances.on_partitions_assigned([]))
    run(member.rebalances.on_partitions_lost([TopicPartition(*P0)]))
    run(member.rebalances.on_partitions_revoked([]))
    assert member.telemetry.rebalances == ["assigned", "lost"]


def test_a_commit_that_has_to_look_for_the_coordinator_is_waited_for(member: SimpleNamespace) -> None:
    """The client gives back the look for it in the place of the commit; what came of that would not be known."""
    coordinator, lookup = member.client._coordinator, Future()
    coordinator.coordinator_unknown, coordinator.lookup_coordinator = lambda: True, lambda: lookup
    member.in_flight.abandon()
    member.in_flight.committed({P0: Offset(0)})
    commit = member.rebalances._commit([P0], drained=True)
    assert commit.send(None) is lookup
    assert member.client.commits == []
    lookup.success("node 1")
    run(commit)
    assert len(member.client.commits) == 1
