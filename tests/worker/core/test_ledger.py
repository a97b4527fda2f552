"""The laws of the books, against a model that remembers every record."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.ledger import Ledger
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
            window = Window(records, self.ledger.spans(records))
            self.in_flight.append((window, set(window.spans)))

    @precondition(lambda self: self.in_flight)
    @rule()
    def settle(self) -> None:
        window, owned = self.in_flight.pop(0)
        before = self.ledger.committable()
        self.ledger.settle(window)
        for item in window.records:
            if item.partition in owned:
                self.unsettled[item.partition].remove(item.offset)
        if not owned:
            assert before == self.ledger.committable()

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
        self.ledger.forget([partition])
        del self.position[partition], self.unsettled[partition], self.highest[partition]
        for _, owned in self.in_flight:
            owned.discard(partition)

    @rule()
    def commit(self) -> None:
        positions = self.ledger.committable()
        self.ledger.committed(positions)
        assert self.ledger.committable() == {}

    @invariant()
    def check(self) -> None:
        for partition, position in self.ledger.committable().items():
            assert partition in self.position, "a forgotten partition is never committed"
            assert position <= min(self.unsettled[partition], default=position), (
                "a commit passes nothing unsettled"
            )
            assert position >= self.highest[partition], "a commit never moves back"
            self.highest[partition] = position
        for partition, unsettled in self.unsettled.items():
            if not unsettled and self.highest[partition] >= 0:
                assert self.highest[partition] == self.position[partition], "all settled: the position itself"


LedgerMachine.TestCase.settings = settings(stateful_step_count=40)
TestLedger = LedgerMachine.TestCase
