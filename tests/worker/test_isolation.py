"""What is handed on: nothing uncounted, and one record at a time where workers died."""

from tests.faked_pipeline import P0, P1
from tests.fakes import FakeOffsets
from worker.core.backpressure import Marks
from worker.core.delivery_counts import DELIVERIES_MAX, DeliveryCount
from worker.core.ledger import Offset
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import WindowPolicy
from worker.in_flight import InFlight
from worker.isolation import Isolation


class Intake:
    """Records come in through an isolation, and windows are settled at once."""

    def __init__(self, *, group: int = 1, **stored: DeliveryCount) -> None:
        self.offsets = FakeOffsets(
            {Partition("in", int(name[1:])): Offset(0, str(count)) for name, count in stored.items()}
        )
        self.in_flight = InFlight(WindowPolicy(10, 1e9, 0, 10**6), Marks(1000, 10**6))
        self.in_flight.assign([P0, P1])
        self.isolation = Isolation(self.offsets, self.in_flight, offsets_max=10, group=group)

    def read(self, partition: Partition, *offsets: int, position: int = -1) -> None:
        records = tuple(Record(partition, offset, 0, b"k", b"{}") for offset in offsets)
        self.isolation.take_in([Chunk(partition, records, max(position, offsets[-1] + 1 if offsets else -1))])

    def settle(self) -> list[tuple[int, int]]:
        """What one window holds, as partition and offset; nothing if there is none."""
        if not self.in_flight.pressure()[0]:
            return []
        window = self.in_flight.take()
        assert isinstance(window, Window)
        self.in_flight.scored(window.records, 0.001)
        self.in_flight.settled(window)
        return [(record.partition.number, record.offset) for record in window.records]


def stored(intake: Intake, partition: Partition) -> tuple[int, DeliveryCount]:
    """What the group has of a partition."""
    offset = intake.offsets.stored[partition]
    return offset.position, DeliveryCount.parse(offset.metadata)


def test_nothing_is_handed_on_before_its_delivery_is_counted() -> None:
    """And a quiet position does not overtake the records that wait: that would commit them unread."""
    intake = Intake(p0=DeliveryCount())
    intake.offsets.available = False
    intake.read(P0, 0, 1)
    intake.read(P0, position=5)
    assert intake.isolation.blocked
    assert intake.settle() == []
    assert intake.in_flight.due() == {}

    intake.offsets.available = True
    intake.isolation.take_in([])
    assert intake.settle() == [(0, 0), (0, 1)]
    assert intake.offsets.writes == [{P0: Offset(0, str(DeliveryCount(1, read_until=2)))}]
    assert intake.in_flight.due() == {P0: Offset(5, str(DeliveryCount(1, read_until=5)))}


def test_a_quiet_partition_keeps_its_count() -> None:
    """Where no record came, deaths counted by others are not written over."""
    intake = Intake(p0=DeliveryCount(count=2))
    intake.read(P0, position=0)

    assert intake.in_flight.due() == {}
    assert intake.offsets.writes == []


def test_after_too_many_deaths_records_go_one_at_a_time_each_marked() -> None:
    """The mark is written before the record is tried, and taken back when it is settled and none follows."""
    intake = Intake(p0=DeliveryCount(count=DELIVERIES_MAX))
    intake.read(P0, 0, 1)
    seen = []
    while records := intake.settle():
        seen.append((records, stored(intake, P0)))
        intake.isolation.take_in([])

    assert seen == [
        ([(0, 0)], (0, DeliveryCount(1, 10, in_trial=1))),
        ([(0, 1)], (1, DeliveryCount(1, 10, in_trial=1))),
    ]
    assert stored(intake, P0) == (2, DeliveryCount(1, 10))
    assert not intake.isolation.blocked


def test_others_wait_for_a_lone_record_but_not_for_the_lack_of_one() -> None:
    """Nothing shares the pipeline with an isolated record, or it might be blamed for what a neighbour did."""
    intake = Intake(p0=DeliveryCount(count=DELIVERIES_MAX))
    intake.read(P0, 0)
    intake.read(P1, 0, 1)
    assert intake.settle() == [(0, 0)]
    intake.isolation.take_in([])
    assert intake.settle() == [(1, 0), (1, 1)]
    intake.read(P1, 2)
    assert intake.settle() == [(1, 2)]
    assert not stored(intake, P0)[1].in_trial, "the one that is settled can't be the killer"


def test_only_the_record_with_a_mark_is_poison() -> None:
    """A worker that died between two lone records leaves no poison; one that died on one does."""
    for trying in (0, 1, 2):
        intake = Intake(p0=DeliveryCount(1, 10, in_trial=trying))
        intake.read(P0, 0, 1)
        records = [Record(P0, offset, 0, b"k", b"{}") for offset in (0, 1)]
        assert [intake.in_flight.is_poison(record) for record in records] == [trying == 1, False]


def test_poison_stays_poison_until_its_dead_letter_is_committed() -> None:
    """A worker that dies on another partition's poison before that must not make the next one try this again."""
    intake = Intake(p0=DeliveryCount(1, 10, in_trial=1), p1=DeliveryCount(1, 10, single_until=9))
    intake.read(P1, 0)
    intake.read(P0, 0)
    assert stored(intake, P0) == (0, DeliveryCount(2, 10, poison=1, read_until=1))

    heir = Intake(p0=stored(intake, P0)[1], group=3)
    heir.read(P0, 0, 1, 2)
    assert heir.in_flight.is_poison(Record(P0, 0, 0, b"k", b"{}"))
    assert heir.settle() == [(0, 0)], "nothing shares its group, in which it might be forgotten"
    heir.isolation.take_in([])
    assert stored(heir, P0) == (1, DeliveryCount(1, 10, single_until=3, in_trial=2))


def test_a_fatal_group_is_tried_again_one_at_a_time() -> None:
    """Groups find the neighbourhood quickly, single records the killer; what follows goes in groups again."""
    intake = Intake(p0=DeliveryCount(count=DELIVERIES_MAX), group=3)
    intake.read(P0, 0, 1, 2, 3)
    assert intake.settle() == [(0, 0), (0, 1), (0, 2)]
    assert stored(intake, P0) == (0, DeliveryCount(1, 10, single_until=3, in_trial=3))

    heir = Intake(p0=stored(intake, P0)[1], group=3)
    heir.read(P0, 0, 1, 2, 3, 4, 5, 6)
    tried = []
    while records := heir.settle():
        tried.append([offset for _, offset in records])
        heir.isolation.take_in([])
    assert tried == [[0], [1], [2], [3, 4, 5], [6]]


def test_beyond_the_isolated_all_go_together_again() -> None:
    """Records one at a time are slow: only as many as can have been in the pipeline."""
    intake = Intake(p0=DeliveryCount(1, 10))
    intake.read(P0, 9, 10, 11)
    assert intake.settle() == [(0, 9)]
    intake.isolation.take_in([])
    assert intake.settle() == [(0, 10), (0, 11)]
    assert not intake.isolation.isolating


def test_what_waits_of_a_lost_partition_is_dropped() -> None:
    """It comes again from the committed position; handing it on as well would answer it twice."""
    intake = Intake(p0=DeliveryCount(count=DELIVERIES_MAX))
    intake.read(P0, 0, 1, 2)
    assert intake.settle() == [(0, 0)]
    intake.in_flight.forget([P0])
    intake.in_flight.assign([P0])
    intake.read(P0, 1)

    handed_on = []
    while records := intake.settle():
        handed_on += records
        intake.isolation.take_in([])
    assert handed_on == [(0, 1)]


def test_a_refused_commit_is_tried_again_without_haste() -> None:
    """While a rebalance refuses commits, trying at every turn of a loop that waits for nothing burns a core."""
    intake = Intake(p0=DeliveryCount(count=DELIVERIES_MAX))
    intake.read(P0, 0, 1)
    assert intake.isolation.hurried

    intake.settle()
    intake.offsets.available = False
    intake.isolation.take_in([])
    assert intake.isolation.isolating
    assert not intake.isolation.hurried

    intake.offsets.available = True
    intake.isolation.take_in([])
    assert intake.isolation.hurried
    assert intake.settle() == [(0, 1)]


def test_a_record_that_is_gone_condemns_no_other() -> None:
    """A worker died on 0 alone, which has expired or was compacted away since: 7 is tried, in isolation."""
    intake = Intake(p0=DeliveryCount(count=1, isolated_until=10, single_until=5, in_trial=1))
    intake.read(P0, 7, 8)
    seen = []
    while records := intake.settle():
        seen.append((records, [intake.in_flight.is_poison(Record(P0, at, 0, b"k", b"{}")) for _, at in records]))
        intake.isolation.take_in([])
    assert seen == [([(0, 7)], [False]), ([(0, 8)], [False])]
    assert stored(intake, P0)[1].poison == 0


def test_what_waits_is_known() -> None:
    """It is read and in no book yet, so that lag and the look-out for stalled partitions need it."""
    intake = Intake(p0=DeliveryCount())
    intake.offsets.available = False
    intake.read(P0, 0, 1)
    intake.read(P1, position=5)
    assert intake.isolation.waiting() == {P0: 2}
    intake.offsets.available = True
    intake.isolation.take_in([])
    assert intake.isolation.waiting() == {}
