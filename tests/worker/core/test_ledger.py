"""The laws of the books, against a model that remembers every record."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.delivery_counts import FIRST_DELIVERY, DeliveryCount
from worker.core.ledger import Ledger, Offset
from worker.core.records import Chunk, Partition, Record, Window

PARTITIONS = [Partition("reviews", number) for number in range(2)]


def record(partition: Partition, offset: int) -> Record:
    return Record(partition, offset, 0, None, b"{}")


class LedgerMachine(RuleBasedStateMachine):
    """Reads with gaps, closes windows over both partitions, settles in order, loses and regains them."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.next_offset = dict.fromkeys(PARTITIONS, 0)  # of the log
        self.position: dict[Partition, int] = {}
        self.unsettled: dict[Partition, list[int]] = {}
        self.waiting: list[Record] = []
        self.in_flight: list[tuple[Window, set[Partition]]] = []  # with the partitions still of its assignment
        self.highest: dict[Partition, int] = {}

    @rule(partition=st.sampled_from(PARTITIONS))
    def assign(self, partition: Partition) -> None:
        if partition not in self.position:
            self.ledger.assign([partition])
            self.position[partition] = self.next_offset[partition]
            self.unsettled[partition] = []
            self.highest[partition] = -1

    @rule(
        partition=st.sampled_from(PARTITIONS), gaps=st.lists(st.integers(1, 3), max_size=4), tail=st.integers(0, 2)
    )
    def read(self, partition: Partition, gaps: list[int], tail: int) -> None:
        """Records with gaps between them, and control records after the last."""
        if partition not in self.position:
            assert not self.ledger.receive(Chunk(partition, (), 99))
            return
        offset = self.position[partition] - 1
        offsets = [offset := offset + gap for gap in gaps]
        position = (offsets[-1] + 1 if offsets else self.position[partition]) + tail
        records = tuple(record(partition, item) for item in offsets)
        assert self.ledger.receive(Chunk(partition, records, position))
        self.position[partition] = position
        self.unsettled[partition] += offsets
        self.waiting += records

    @rule(count=st.integers(1, 6))
    def close_window(self, count: int) -> None:
        records, self.waiting = tuple(self.waiting[:count]), self.waiting[count:]
        if records:
            window = Window(records, self.ledger.ranges(records))
            self.in_flight.append((window, set(window.ranges)))

    @precondition(lambda self: self.in_flight)
    @rule()
    def settle(self) -> None:
        window, owned = self.in_flight.pop(0)
        before = self.ledger.due()
        self.ledger.settle(window)
        for item in window.records:
            if item.partition in owned:
                self.unsettled[item.partition].remove(item.offset)
        if not owned:
            assert before == self.ledger.due()

    @precondition(lambda self: self.position)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        """Drop what waits, as a rebalance does; then forget the partition."""
        partition = data.draw(st.sampled_from(sorted(self.position)))
        dropped = [item for item in self.waiting if item.partition == partition]
        self.waiting = [item for item in self.waiting if item.partition != partition]
        if dropped:
            self.ledger.give_back(partition, dropped[0].offset, len(dropped))
            self.unsettled[partition] = [o for o in self.unsettled[partition] if o < dropped[0].offset]
            self.position[partition] = dropped[0].offset
        self.check()
        due, last = self.ledger.due(), self.ledger.farewell([partition])
        assert {p: offset.position for p, offset in last.items()} == {
            p: offset.position for p, offset in due.items() if p == partition
        }, "giving up a partition commits what was due of it"
        self.ledger.forget([partition])
        del self.position[partition], self.unsettled[partition], self.highest[partition]
        for _, owned in self.in_flight:
            owned.discard(partition)

    @rule()
    def commit(self) -> None:
        offsets = self.ledger.due()
        self.ledger.committed(offsets)
        assert self.ledger.due() == {}

    @invariant()
    def check(self) -> None:
        for partition, (position, metadata) in self.ledger.due().items():
            assert not metadata, "where this worker has not begun it is in no delivery count"
            assert partition in self.position, "a forgotten partition is never committed"
            assert position <= min(self.unsettled[partition], default=position), (
                "a commit passes nothing unsettled"
            )
            assert position >= self.highest[partition], "a commit never moves back"
            self.highest[partition] = position
        for partition, unsettled in self.unsettled.items():
            if not unsettled and self.highest[partition] >= 0:
                assert self.highest[partition] == self.position[partition], "all settled: the position itself"


@pytest.mark.parametrize(
    ("settled", "expected"),
    [
        (0, (0, DeliveryCount(1, read_until=3))),
        (2, (2, DeliveryCount(1, read_until=3))),
        (3, (3, DeliveryCount())),
    ],
)
def test_leaving_in_good_order_is_no_death(settled: int, expected: tuple[int, DeliveryCount]) -> None:
    """The worker takes itself off the count; past what the dead had read, their deaths are disproved too."""
    ledger = begun(DeliveryCount(2, read_until=3), settled)
    offset = ledger.farewell(PARTITIONS)[PARTITIONS[0]]
    assert (offset.position, DeliveryCount.parse(offset.metadata)) == expected


def test_a_commit_counts_the_delivery_that_goes_on_from_there() -> None:
    """Past what the dead had read it counts one delivery, of the worker which moved it, and what that has read."""
    first = replace(FIRST_DELIVERY, read_until=4)
    assert begun(DeliveryCount(2, read_until=2), 2).due() == {PARTITIONS[0]: Offset(2, str(first))}


def test_progress_just_before_a_death_keeps_the_count() -> None:
    """A worker that runs out of memory settles a record each time: that disproves nothing."""
    count = DeliveryCount(2, read_until=3)
    kept = {PARTITIONS[0]: Offset(2, str(count))}
    assert begun(count, 2).due() == kept
    ledger = begun(count, 0)
    window = Window((record(PARTITIONS[0], 0),), ledger.ranges([record(PARTITIONS[0], 0)]))
    assert ledger.due_after([window]) == {PARTITIONS[0]: Offset(1, str(count))}


def test_leaving_because_of_records_stays_in_the_count() -> None:
    """The next owner shall know; an offset that did not move is not written again."""
    assert begun(DeliveryCount(2), 0).farewell(PARTITIONS, in_good_order=False) == {}
    moved = begun(DeliveryCount(2), 2).farewell(PARTITIONS, in_good_order=False)
    assert moved == {PARTITIONS[0]: Offset(2, str(DeliveryCount(1, read_until=4)))}


def test_an_offset_is_not_committed_over_a_transaction_in_doubt() -> None:
    """An older offset, committed later, would win over that of the transaction."""
    assert begun(DeliveryCount(2), 2, transactional=True).farewell(PARTITIONS, drained=False) == {}
    assert begun(DeliveryCount(2), 2).farewell(PARTITIONS, drained=False) != {}


def test_what_is_read_is_unsettled_until_its_outcome_is_acknowledged() -> None:
    """By partition; what was given up counts no more."""
    ledger, (first, second) = Ledger(), PARTITIONS
    ledger.assign(PARTITIONS)
    records = tuple(record(first, offset) for offset in range(3))
    ledger.receive(Chunk(first, records, 3))
    assert ledger.unsettled() == {first: 3, second: 0}
    ledger.settle(Window(records[:2], ledger.ranges(records[:2])))
    assert ledger.unsettled() == {first: 1, second: 0}
    ledger.forget([first])
    assert ledger.unsettled() == {second: 0}


def test_what_is_not_owned_is_not_booked() -> None:
    """An answer that comes after a partition was lost concerns its next owner."""
    ledger, partition = Ledger(), PARTITIONS[0]
    ledger.begin({partition: (3, DeliveryCount(1))})
    ledger.committed({partition: Offset(3)})
    assert (ledger.partitions, ledger.due(), ledger.has_begun(partition)) == (set(), {}, False)

    ledger.assign([partition])
    ledger.assign([partition])
    assert ledger.epoch(partition) == 1, "an assignment that stands is not opened again"


def test_to_settle_more_than_was_read_is_a_bug() -> None:
    """A position that passes records unseen would lose them."""
    ledger, partition = Ledger(), PARTITIONS[0]
    ledger.assign([partition])
    with pytest.raises(AssertionError, match="more records than were read"):
        ledger.settle(Window((record(partition, 0),), ledger.ranges([record(partition, 0)])))


def test_records_given_back_are_read_again() -> None:
    """A commit waits for those before them that are in flight, and then ends where they begin."""
    ledger, partition = Ledger(), PARTITIONS[0]
    ledger.assign([partition])
    records = tuple(record(partition, offset) for offset in range(4))
    ledger.receive(Chunk(partition, records, 4))
    window = Window(records[:2], ledger.ranges(records[:2]))
    ledger.give_back(partition, 2, 2)
    assert ledger.due() == {}
    ledger.settle(window)
    assert ledger.due()[partition].position == 2


def begun(count: DeliveryCount, settled: int, *, transactional: bool = False) -> Ledger:
    """Books of a worker that began at 0 with this count and settled so many of four records."""
    ledger, partition = Ledger(transactional=transactional), PARTITIONS[0]
    ledger.assign([partition])
    ledger.begin({partition: (0, count)})
    records = [record(partition, offset) for offset in range(4)]
    ledger.receive(Chunk(partition, tuple(records), 4))
    if settled:
        window = Window(tuple(records[:settled]), ledger.ranges(records[:settled]))
        ledger.settle(window)
    return ledger


LedgerMachine.TestCase.settings = settings(stateful_step_count=40)
TestLedger = LedgerMachine.TestCase


def test_the_highest_delivery_count_is_the_one_that_still_holds() -> None:
    """2 where a worker died before this one began, until all that it had read is settled; 0 before any begins."""
    first, second = PARTITIONS
    ledger = Ledger()
    assert ledger.delivery_count_max == 0
    ledger.assign([first, second])
    assert ledger.delivery_count_max == 0
    ledger.begin({first: (0, FIRST_DELIVERY), second: (0, DeliveryCount(count=2, read_until=2))})
    assert ledger.delivery_count_max == 2

    records = tuple(record(second, offset) for offset in range(2))
    ledger.receive(Chunk(second, records, 2))
    ledger.settle(Window(records, ledger.ranges(records)))
    assert ledger.delivery_count_max == 1
