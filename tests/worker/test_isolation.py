"""Claims, and what the intake hands on: nothing unclaimed, and one record at a time where workers died."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.backpressure import Marks
from worker.core.delivery_counts import BEGUN, DEATHS_MAX, Claim
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import WindowPolicy
from worker.flow import Flow
from worker.isolation import Intake

P0, P1 = Partition("in", 0), Partition("in", 1)
claims = st.builds(
    Claim, st.integers(0, 9), st.integers(0, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 1)
)


class FakeClaims:
    """What the group has stored, and every write of ours."""

    def __init__(self, **stored: Claim) -> None:
        self.stored = {Partition("in", int(name[1:])): (0, claim) for name, claim in stored.items()}
        self.writes: list[dict[Partition, tuple[int, Claim]]] = []
        self.available = True

    def find_claim(self, partition: Partition) -> tuple[int | None, Claim] | None:
        return self.stored.get(partition, (None, Claim())) if self.available else None

    def write_claims(self, claims: Mapping[Partition, tuple[int, Claim]]) -> bool:
        if self.available:
            self.stored.update(claims)
            self.writes.append(dict(claims))
        return self.available


class World:
    """An intake in front of a flow whose windows are settled at once."""

    def __init__(self, *, group: int = 1, **stored: Claim) -> None:
        self.claims = FakeClaims(**stored)
        self.flow = Flow(WindowPolicy(10, 1e9, 0, 10**6), Marks(1000, 10**6))
        self.flow.assign([P0, P1])
        self.intake = Intake(self.claims, self.flow, suspects_span=10, group=group)

    def read(self, partition: Partition, *offsets: int, position: int = -1) -> None:
        records = tuple(Record(partition, offset, 0, b"k", b"{}") for offset in offsets)
        self.intake.take_in([Chunk(partition, records, max(position, offsets[-1] + 1 if offsets else -1))])

    def settle(self) -> list[tuple[int, int]]:
        """What one window holds, as partition and offset; nothing if there is none."""
        if not self.flow.pressure()[0]:
            return []
        window = self.flow.take()
        assert isinstance(window, Window)
        self.flow.scored(window, 0.001)
        self.flow.settled(window)
        return [(record.partition.number, record.offset) for record in window.records]


@given(claims)
def test_a_claim_survives_the_metadata_of_a_commit(claim: Claim) -> None:
    """What is written is read again; a claim with nothing to say is no metadata at all."""
    assert Claim.parse(str(claim)) == claim
    assert str(Claim()) == ""


@pytest.mark.parametrize("metadata", [None, "", "not json", "[]", "3", '{"deaths": "x"}', '{"deaths": null}'])
def test_the_metadata_of_others_counts_as_nothing(metadata: str | None) -> None:
    """Other programs write there what they like."""
    assert Claim.parse(metadata) == Claim()


@given(claims)
def test_beginning_and_leaving_in_good_order_changes_nothing(claim: Claim) -> None:
    """A worker that comes and goes is no death; one that got further has disproved the deaths before it."""
    assert claim.begun().left(progressed=False).deaths == claim.deaths
    assert claim.begun().left(progressed=True).deaths == 0
    assert not claim.begun().trying, "only the mark of one record says that it was tried"
    assert claim.begun().left(progressed=False).begun().condemned == claim.begun().condemned, "a verdict stays"
    assert not claim.begun().left(progressed=True).condemned, "until its record is settled"


def test_nothing_is_handed_on_before_its_claim_is_written() -> None:
    """And a quiet position does not overtake the records that wait: that would commit them unread."""
    world = World(p0=Claim())
    world.claims.available = False
    world.read(P0, 0, 1)
    world.read(P0, position=5)
    assert world.intake.blocked
    assert world.settle() == []
    assert world.flow.committable() == {}

    world.claims.available = True
    world.intake.take_in([])
    assert world.settle() == [(0, 0), (0, 1)]
    assert world.claims.writes == [{P0: (0, BEGUN)}]
    assert world.flow.committable() == {P0: 5}


def test_a_quiet_partition_keeps_its_claim() -> None:
    """Where no record came, deaths counted by others are not written over."""
    world = World(p0=Claim(deaths=2))
    world.read(P0, position=0)

    assert world.flow.committable() == {}
    assert world.claims.writes == []


def test_after_too_many_deaths_records_go_one_at_a_time_each_marked() -> None:
    """The mark is written before the record is tried, and taken back when it is settled and none follows."""
    world = World(p0=Claim(deaths=DEATHS_MAX))
    world.read(P0, 0, 1)
    seen = []
    while records := world.settle():
        seen.append((records, world.claims.stored[P0]))
        world.intake.take_in([])

    assert seen == [([(0, 0)], (0, Claim(1, 10, trying=1))), ([(0, 1)], (1, Claim(1, 10, trying=1)))]
    assert world.claims.stored[P0] == (2, Claim(1, 10))
    assert not world.intake.blocked


def test_others_wait_for_a_lone_record_but_not_for_the_lack_of_one() -> None:
    """Nothing shares the pipeline with a suspect, or it might be blamed for what a neighbour did."""
    world = World(p0=Claim(deaths=DEATHS_MAX))
    world.read(P0, 0)
    world.read(P1, 0, 1)
    assert world.settle() == [(0, 0)]
    world.intake.take_in([])
    assert world.settle() == [(1, 0), (1, 1)]
    world.read(P1, 2)
    assert world.settle() == [(1, 2)]
    assert not world.claims.stored[P0][1].trying, "the one that is settled can't be the killer"


def test_only_the_record_with_a_mark_is_condemned() -> None:
    """A worker that died between two lone records leaves no suspect; one that died on one does."""
    for trying in (0, 1, 2):
        world = World(p0=Claim(1, 10, trying=trying))
        world.read(P0, 3, 4)
        records = [Record(P0, offset, 0, b"k", b"{}") for offset in (3, 4)]
        assert [world.flow.is_condemned(record) for record in records] == [trying == 1, False]


def test_a_condemned_record_stays_condemned_until_its_dead_letter_is_committed() -> None:
    """Whoever dies on another partition's killer before that must not make the next one try this one again."""
    world = World(p0=Claim(1, 10, trying=1), p1=Claim(1, 10, singly_until=9))
    world.read(P1, 0)
    world.read(P0, 0)
    assert world.claims.stored[P0] == (0, Claim(2, 10, condemned=1))

    heir = World(p0=world.claims.stored[P0][1], group=3)
    heir.read(P0, 0, 1, 2)
    assert heir.flow.is_condemned(Record(P0, 0, 0, b"k", b"{}"))
    assert heir.settle() == [(0, 0)], "nothing shares its group, in which it might be forgotten"
    heir.intake.take_in([])
    assert heir.claims.stored[P0] == (1, Claim(1, 10, singly_until=3, trying=2))


def test_a_fatal_group_is_tried_again_one_at_a_time() -> None:
    """Groups find the neighbourhood quickly, single records the killer; what follows goes in groups again."""
    world = World(p0=Claim(deaths=DEATHS_MAX), group=3)
    world.read(P0, 0, 1, 2, 3)
    assert world.settle() == [(0, 0), (0, 1), (0, 2)]
    assert world.claims.stored[P0] == (0, Claim(1, 10, singly_until=3, trying=3))

    heir = World(p0=world.claims.stored[P0][1], group=3)
    heir.read(P0, 0, 1, 2, 3, 4, 5, 6)
    tried = []
    while records := heir.settle():
        tried.append([offset for _, offset in records])
        heir.intake.take_in([])
    assert tried == [[0], [1], [2], [3, 4, 5], [6]]


def test_beyond_the_suspects_all_go_together_again() -> None:
    """Records one at a time are slow: only as many as can have been in the pipeline."""
    world = World(p0=Claim(1, 10))
    world.read(P0, 9, 10, 11)
    assert world.settle() == [(0, 9)]
    world.intake.take_in([])
    assert world.settle() == [(0, 10), (0, 11)]
    assert not world.intake.suspicious


def test_what_waits_of_a_lost_partition_is_dropped() -> None:
    """It comes again from the committed position; handing it on as well would answer it twice."""
    world = World(p0=Claim(deaths=DEATHS_MAX))
    world.read(P0, 0, 1, 2)
    assert world.settle() == [(0, 0)]
    world.flow.forget([P0])
    world.flow.assign([P0])
    world.read(P0, 1)

    handed_on = []
    while records := world.settle():
        handed_on += records
        world.intake.take_in([])
    assert handed_on == [(0, 1)]


def test_a_refused_claim_is_tried_again_without_haste() -> None:
    """While a rebalance refuses claims, trying at every turn of a loop that waits for nothing burns a core."""
    world = World(p0=Claim(deaths=DEATHS_MAX))
    world.read(P0, 0, 1)
    assert world.intake.hurried

    world.settle()
    world.claims.available = False
    world.intake.take_in([])
    assert world.intake.suspicious
    assert not world.intake.hurried

    world.claims.available = True
    world.intake.take_in([])
    assert world.intake.hurried
    assert world.settle() == [(0, 1)]
