"""What a commit says beside the offset: of which topic, and under which leader it was read."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition

from worker.adapters.kafka_positions import LogPositions, stamp, unstamp
from worker.core.delivery_counts import DeliveryCount
from worker.core.ledger import Offset
from worker.core.records import Partition
from worker.errors import InputReplacedError

P0 = Partition("in", 0)
OLD, NEW = uuid.UUID(int=1), uuid.UUID(int=2)
counts = st.builds(DeliveryCount, *(st.integers(0, 9) for _ in range(5)))


@given(counts)
def test_the_topic_rides_along_with_the_delivery_count(count: DeliveryCount) -> None:
    """Taken apart again both are what they were; who does not look for the id reads the count all the same."""
    stamped = stamp(str(count), OLD.hex)
    assert unstamp(stamped) == (OLD.hex, str(count))
    assert DeliveryCount.parse(stamped) == count


@pytest.mark.parametrize("metadata", ["", "{}", '{"count":1}', "of another program", "[1]", "3", None, "[" * 4000])
def test_other_metadata_is_of_no_known_topic(metadata: str | None) -> None:
    """An older version, or another program, committed it; what it says stays as it is."""
    assert unstamp(metadata) == ("", metadata or "")


def test_an_old_broker_has_no_ids() -> None:
    """Then commits are as they were, and nothing is compared."""
    positions = LogPositions(lambda _: None)
    positions.assign([P0])
    commit = positions.address({P0: Offset(3, '{"count":1}')})[TopicPartition(*P0)]
    assert (commit.offset, commit.metadata, commit.leader_epoch) == (3, '{"count":1}', -1)


def test_a_position_has_the_epoch_of_the_record_before_it() -> None:
    """Not of the one at it, which may be of another leader; before the first record nothing is known."""
    positions = LogPositions(lambda _: OLD)
    positions.assign([P0])
    for offset, epoch in ((10, 4), (11, 4), (12, 6), (13, -1), (14, 6)):
        positions.saw(P0, offset, epoch)
    epochs = [positions.address({P0: Offset(at)})[TopicPartition(*P0)].leader_epoch for at in range(10, 16)]
    assert epochs == [-1, 4, 4, 6, 6, 6]
    positions.assign([P0])
    assert positions.address({P0: Offset(15)})[TopicPartition(*P0)].leader_epoch == -1, "a new assignment"


def test_no_position_is_committed_into_another_topic() -> None:
    """Once the client has heard of another id; one that it does not hear of for a moment is no other."""
    heard: list[uuid.UUID | None] = [None]
    positions = LogPositions(lambda _: heard[0])
    positions.assign([P0])
    heard[0] = OLD
    assert unstamp(positions.address({P0: Offset(5)})[TopicPartition(*P0)].metadata).topic_id == OLD.hex
    heard[0] = None
    positions.check(P0)
    heard[0] = NEW
    with pytest.raises(InputReplacedError, match=f"id {NEW.hex} instead of {OLD.hex}"):
        positions.address({P0: Offset(5)})
    positions.assign([P0])
    positions.check(P0)
