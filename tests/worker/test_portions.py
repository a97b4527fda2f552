"""Windows in portions, with both deliveries, on sinks that are slow or fail."""

from collections.abc import Sequence

import pytest

from tests.faked_pipeline import P0, outcome_builder
from tests.fakes import FakeGroup, FakeSink, FakeTelemetry, FakeTransactionalSink
from worker.core.backpressure import Marks
from worker.core.ledger import Commit
from worker.core.portions import PublishPace
from worker.core.records import Chunk, Header, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import Answered, AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.errors import OverdueError
from worker.in_flight import InFlight
from worker.outcomes import Kind, Outgoing, Unwritten
from worker.portions import InPortions, PacedSink, PacedTransactions, Timer

RECORDS = 40
VALUE = b"v" * 10_000


class Sink(FakeSink):
    """Fails after so many publications, as a broker that is gone does."""

    publications = 0
    publications_max = 10**9

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        self.publications += 1
        if self.publications > self.publications_max:
            raise OverdueError("no acknowledgement")
        return super().publish(outgoing)


class Transactions(FakeTransactionalSink):
    transactions = 0

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        self.transactions += 1
        return super().transact(outgoing, offsets, member)


class Books:
    """Whatever delivers, on one partition's window of 40 records of 10 kB."""

    def __init__(self, *, transactional: bool) -> None:
        policy = WindowPolicy(RECORDS, window_ms_target=1e9, wait_ms_max=0, value_bytes_max=10**6)
        self.in_flight = InFlight(policy, Marks(1000, 10**9), transactional=transactional)
        self.in_flight.assign([P0])
        self.pace = PublishPace(2.0)
        self.group, self.telemetry = FakeGroup(), FakeTelemetry()
        self.sink, self.transactions = Sink(), Transactions(self.group)
        outcomes = outcome_builder()
        self.throttles_s: list[float] = []
        timer = Timer(self.pace, lambda: self.throttles_s.pop(0) if self.throttles_s else 0.0)
        inner: Delivery
        if transactional:
            for_ever = TransactionPolicy(1e9, 10**6, 1e9, 1e9)
            sink = PacedTransactions(self.transactions, timer)
            member = self.group.generation
            inner = ExactlyOnce(for_ever, self.in_flight, sink, outcomes, self.telemetry, lambda: member)
        else:
            inner = AtLeastOnce(self.in_flight, PacedSink(self.sink, timer), outcomes, self.telemetry)
        self.delivery = InPortions(inner, self.in_flight, self.pace, timer)
        self.first = 0

    def answered(self, *, unsendable: frozenset[int] = frozenset(), headers: tuple[Header, ...] = ()) -> Answered:
        records = tuple(Record(P0, self.first + n, 0, b"k", VALUE, headers) for n in range(RECORDS))
        self.first += RECORDS
        self.in_flight.receive([Chunk(P0, records, self.first)])
        window = self.in_flight.take()
        assert window
        self.in_flight.scored(window.records, 0.001)
        target = Partition("out", 0)
        outgoing = [
            Outgoing(Kind.RESULT, record, target, record.value, [])
            for n, record in enumerate(records)
            if n not in unsendable
        ]
        return Answered(window, tuple(outgoing), tuple(records[n] for n in sorted(unsendable)))

    def due(self) -> int:
        return self.in_flight.due()[P0].position if self.in_flight.due() else 0


def test_what_was_acknowledged_is_settled_though_the_rest_of_the_window_is_not() -> None:
    """The broker is gone in the middle of a window: the positions stand after the last portion that it took."""
    books = Books(transactional=False)
    books.sink.publications_max = 2
    with pytest.raises(OverdueError):
        books.delivery.deliver(books.answered())

    assert 0 < books.due() < RECORDS
    assert books.due() == len(books.sink.written)


def test_transactions_hold_no_more_than_can_be_committed_in_time() -> None:
    """A window that is too much for one goes into several, each with the positions after its own records."""
    books = Books(transactional=True)
    books.pace.observe(50_000, 10)
    books.delivery.deliver(books.answered())
    in_time = books.transactions.transactions
    books.delivery.catch_up()

    assert in_time >= 4
    assert books.group.committed[P0].position == RECORDS
    assert [item.source.offset for item in books.transactions.written] == list(range(RECORDS))


@pytest.mark.parametrize("transactional", [False, True])
def test_portions_leave_nothing_out(transactional: bool) -> None:
    """Every record once and in order, those that can't be sent on too; and nothing stays in flight."""
    books = Books(transactional=transactional)
    odd = frozenset({0, 7, 8, RECORDS - 1})
    for _ in range(3):
        books.delivery.deliver(books.answered(unsendable=odd))
    books.delivery.catch_up()
    written = books.transactions.written if transactional else books.sink.written

    assert [item.source.offset for item in written] == [n for n in range(3 * RECORDS) if n % RECORDS not in odd]
    assert [record.offset % RECORDS for record in books.telemetry.unsent] == sorted(odd) * 3
    assert books.in_flight.wait_settled(0)
    assert (books.group.committed[P0].position if transactional else books.due()) == 3 * RECORDS


def test_headers_count_as_what_is_sent() -> None:
    """They are passed on, and may be most of a record."""
    small = Books(transactional=False)
    small.delivery.deliver(small.answered())
    large = Books(transactional=False)
    large.delivery.deliver(large.answered(headers=(("h", b"x" * 100_000),)))
    assert large.sink.publications > 2 * small.sink.publications


def test_a_quick_broker_gets_whole_windows_before_long() -> None:
    """Portions are for those that are slow: after a few, a window is published as one."""
    books = Books(transactional=False)
    for _ in range(10):
        books.delivery.deliver(books.answered())
    before = books.sink.publications
    books.delivery.deliver(books.answered())

    assert books.sink.publications == before + 1


def test_windows_shrink_with_the_portions() -> None:
    """What is taken next is no more than what is published in one go: a drain can wait for that."""
    books = Books(transactional=False)
    books.pace.observe(100_000, 10)
    books.delivery.deliver(books.answered())
    records = tuple(Record(P0, books.first + n, 0, b"k", VALUE) for n in range(RECORDS))
    books.in_flight.receive([Chunk(P0, records, books.first + RECORDS)])
    window = books.in_flight.take()

    assert window
    assert len(window) < RECORDS
    assert books.in_flight.held_partitions() == {P0}


@pytest.mark.parametrize("transactional", [False, True])
def test_what_the_brokers_hold_up_is_waited_for_outside_the_client(transactional: bool) -> None:
    """A portion is sent when it may be, and what it costs is the wait that it brings to the next one."""
    quick, held_up = Books(transactional=transactional), Books(transactional=transactional)
    held_up.throttles_s = [0.002, 0.001, *[0.0] * 4, 0.01, 0.0]
    for books in (quick, held_up):
        books.delivery.deliver(books.answered())
        books.delivery.catch_up()

    assert held_up.throttles_s == []
    assert quick.in_flight.wait_settled(0)
    assert held_up.in_flight.wait_settled(0)


def test_a_publication_costs_what_the_next_one_has_to_wait() -> None:
    """The broker takes a portion at once and holds up the next: that is the time to keep within limits."""
    pace = PublishPace(2.0)
    before = pace.limit_bytes
    sink = PacedSink(FakeSink(), Timer(pace, lambda: 20.0))
    record = Record(P0, 0, 0, b"k", VALUE)
    sink.publish([Outgoing(Kind.RESULT, record, Partition("out", 0), VALUE, [])])

    assert pace.limit_bytes < before / 5
