"""At least once, a window at a time; exactly once, whole windows run again from memory, and none forgotten."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from tests.faked_pipeline import P0, P1, outcome_builder
from tests.fakes import FakeGroup, FakeSink, FakeTelemetry, FakeTransactionalSink
from worker.core.backpressure import Marks
from worker.core.ledger import Commit
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import Answered, AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.errors import OverdueError
from worker.in_flight import InFlight
from worker.outcomes import Kind, Outgoing, Unwritten

_LIMIT_BYTES = 20
_WINDOW = WindowPolicy(2, window_ms_target=1e9, wait_ms_max=0, value_bytes_max=10**6)


class _HangingSink(FakeTransactionalSink):
    """Asks a question while a transaction is on."""

    def __init__(self, group: FakeGroup, ask: Callable[[], None]) -> None:
        super().__init__(group)
        self._ask = ask

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        self._ask()
        return super().transact(outgoing, offsets, member)


def answered(in_flight: InFlight, values: Iterable[bytes], first: int = 0) -> Answered:
    """A window of these records, each with a result of its value."""
    records = tuple(Record(P0, first + n, 0, b"k", value) for n, value in enumerate(values))
    in_flight.receive([Chunk(P0, records, first + len(records))])
    window = in_flight.take()
    assert window
    in_flight.scored(window.records, 0.001)
    outgoing = [
        Outgoing(Kind.RESULT, record, Partition("out", 0), record.value, [("x-worker-session", b"session")])
        for record in window.records
    ]
    return Answered(window, tuple(outgoing))


class Transactions:
    """Exactly once on a group in memory."""

    def __init__(self, *, records_max: int = 100, retry_s_max: float = 1e9, overdue_s: float = 1e9) -> None:
        self.group = FakeGroup()
        self.sink = FakeTransactionalSink(self.group, _LIMIT_BYTES)
        self.telemetry = FakeTelemetry()
        self.in_flight = InFlight(_WINDOW, Marks(1000, 10**6), transactional=True)
        self.in_flight.assign([P0, P1])
        self.member: int | None = self.group.generation
        self.policy = TransactionPolicy(1e9, records_max, retry_s_max, overdue_s, pause_s_min=0)
        self.delivery = self.on(self.sink)

    def on(self, sink: FakeTransactionalSink) -> ExactlyOnce:
        telemetry, outcomes = self.telemetry, outcome_builder()
        return ExactlyOnce(self.policy, self.in_flight, sink, outcomes, telemetry, lambda: self.member)

    def answered(self, values: Iterable[bytes], first: int = 0) -> Answered:
        return answered(self.in_flight, values, first)

    def values(self) -> list[bytes | None]:
        return [item.value for item in self.sink.written]


def test_windows_are_put_off_until_a_transaction_is_full() -> None:
    """What is put off is neither seen nor settled; then all of it is, with its offset."""
    transactions = Transactions(records_max=3)
    transactions.delivery.deliver(transactions.answered([b"a", b"b"]))
    assert (transactions.values(), transactions.group.committed) == ([], {})

    transactions.delivery.deliver(transactions.answered([b"c"], first=2))
    assert transactions.values() == [b"a", b"b", b"c"]
    assert transactions.group.committed[P0].position == 3
    assert transactions.in_flight.pressure()[0] == 0


def test_an_aborted_transaction_is_run_again_from_memory() -> None:
    """Its records come once, and each abort is counted."""
    transactions = Transactions()
    transactions.sink.aborts = 2
    transactions.delivery.deliver(transactions.answered([b"a"]))
    transactions.delivery.catch_up()
    assert (transactions.values(), transactions.telemetry.aborted) == ([b"a"], 2)


def test_a_transaction_that_is_aborted_for_too_long_ends_the_worker() -> None:
    """Nothing of it counts as settled; the next owner answers it."""
    transactions = Transactions(retry_s_max=-1)
    transactions.sink.aborts = 1
    transactions.delivery.deliver(transactions.answered([b"a"]))
    with pytest.raises(OverdueError, match="again and again"):
        transactions.delivery.catch_up()
    assert transactions.in_flight.pressure()[0] == 1


def test_without_a_membership_nothing_is_committed() -> None:
    """A transaction whose offsets nobody may commit would be answered twice."""
    transactions = Transactions(retry_s_max=-1)
    transactions.member = None
    transactions.delivery.deliver(transactions.answered([b"a"]))
    with pytest.raises(OverdueError, match="not a member"):
        transactions.delivery.catch_up()
    assert transactions.values() == []


def test_what_was_lost_meanwhile_is_left_to_its_new_owner() -> None:
    """A transaction of nothing is none; the window is out of the way all the same."""
    transactions = Transactions()
    transactions.delivery.deliver(transactions.answered([b"a"]))
    transactions.in_flight.forget([P0, P1])
    transactions.delivery.catch_up()
    assert (transactions.values(), transactions.group.committed) == ([], {})
    assert transactions.in_flight.pressure()[0] == 0


def test_what_is_too_large_is_replaced_and_the_rest_comes_with_it() -> None:
    """One transaction has the dead letter in the place of the result."""
    transactions = Transactions()
    transactions.delivery.deliver(transactions.answered([b"small", b"x" * (_LIMIT_BYTES + 1)]))
    transactions.delivery.catch_up()
    assert [(item.kind, item.value) for item in transactions.sink.written] == [
        (Kind.RESULT, b"small"),
        (Kind.DEAD_LETTER, b""),
    ]
    assert transactions.group.committed[P0].position == 2


def bad(outgoing: Outgoing) -> bool:
    """Whether the topic of results refuses it."""
    return outgoing.kind is Kind.RESULT and (outgoing.value or b"").startswith(b"bad")


@pytest.mark.parametrize("names", [True, False])
def test_a_refused_record_is_replaced_in_its_place(names: bool) -> None:
    """In one transaction with its neighbours, also where the broker does not say which of them it refuses."""
    transactions = Transactions()
    transactions.sink.broker.refuses, transactions.sink.broker.names = bad, names
    for first in range(0, 6, 2):
        transactions.delivery.deliver(transactions.answered([b"good", b"bad"], first=first))
    transactions.delivery.catch_up()
    assert [(item.source.offset, item.detail) for item in transactions.sink.written] == [
        (0, ""), (1, "output_refused"), (2, ""), (3, "output_refused"), (4, ""), (5, "output_refused")
    ]  # fmt: skip
    assert transactions.group.committed[P0].position == 6


def test_a_refusal_that_nobody_repeats_is_an_aborted_transaction() -> None:
    """It is tried again, for as long as any other."""
    transactions = Transactions(retry_s_max=-1)
    transactions.sink.broker.names = False
    asked = iter([True])
    transactions.sink.broker.refuses = lambda _: next(asked, False)
    transactions.delivery.deliver(transactions.answered([b"a", b"b"]))
    with pytest.raises(OverdueError, match="none of them when asked again"):
        transactions.delivery.catch_up()


def test_a_transaction_that_hangs_is_told_to_the_poll_loop() -> None:
    """The client has no time limit of its own; between transactions nothing hangs."""
    transactions = Transactions(overdue_s=-1)
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.monotonic())
        with pytest.raises(OverdueError, match="neither be committed nor aborted"):
            delivery.raise_if_overdue()

    delivery = transactions.on(_HangingSink(transactions.group, ask))
    delivery.raise_if_overdue()
    delivery.deliver(transactions.answered([b"a"]))
    delivery.catch_up()
    delivery.raise_if_overdue()
    assert asked


def test_nothing_due_is_no_transaction() -> None:
    """An idle worker asks nothing of the broker, and looks again in a while."""
    transactions = Transactions()
    delivery = transactions.on(_HangingSink(transactions.group, lambda: pytest.fail("a transaction of nothing")))
    delivery.catch_up()
    assert delivery.due_in_s() > 0


class AtOnce:
    """At least once on a broker in memory."""

    def __init__(self) -> None:
        self.sink, self.telemetry = FakeSink(_LIMIT_BYTES), FakeTelemetry()
        self.in_flight = InFlight(_WINDOW, Marks(1000, 10**6))
        self.in_flight.assign([P0, P1])
        self.delivery: Delivery = AtLeastOnce(self.in_flight, self.sink, outcome_builder(), self.telemetry)


def test_at_least_once_settles_each_window_as_soon_as_it_is_published() -> None:
    """Nothing is put off, so nothing ever hangs or has to be caught up with."""
    once = AtOnce()
    once.delivery.deliver(answered(once.in_flight, [b"a", b"b"]))
    assert [item.value for item in once.sink.written] == [b"a", b"b"]
    assert once.in_flight.due()[P0].position == 2
    assert once.telemetry.acknowledged == once.sink.written
    assert once.delivery.due_in_s() is None
    once.delivery.catch_up()
    once.delivery.raise_if_overdue()
    assert len(once.sink.written) == 2


def test_at_least_once_replaces_what_is_too_large_after_the_rest() -> None:
    """The dead letter is published before the window counts as settled; each record has one outcome."""
    once = AtOnce()
    once.delivery.deliver(answered(once.in_flight, [b"x" * (_LIMIT_BYTES + 1), b"small"]))
    assert [(item.source.offset, item.kind, item.value) for item in once.sink.written] == [
        (1, Kind.RESULT, b"small"),
        (0, Kind.DEAD_LETTER, b""),
    ]
    assert once.telemetry.acknowledged == once.sink.written
    assert once.in_flight.due()[P0].position == 2


@pytest.mark.parametrize("names", [True, False])
def test_at_least_once_publishes_the_neighbours_of_a_refused_record_once(names: bool) -> None:
    """Each record has one outcome, and within each session they are in order."""
    once = AtOnce()
    once.sink.broker.refuses, once.sink.broker.names = bad, names
    for first in range(0, 6, 2):
        once.delivery.deliver(answered(once.in_flight, [b"good", b"bad"], first=first))
    assert sorted((item.source.offset, item.detail) for item in once.sink.written) == [
        (0, ""), (1, "output_refused"), (2, ""), (3, "output_refused"), (4, ""), (5, "output_refused")
    ]  # fmt: skip
    assert once.telemetry.acknowledged == once.sink.written
    by_session: dict[tuple[str, bytes], list[int]] = {}
    for item in once.sink.written:
        by_session.setdefault((item.target.topic, dict(item.headers)["x-worker-session"]), []).append(
            item.source.offset
        )
    assert all(offsets == sorted(offsets) for offsets in by_session.values())
    assert {session for _, session in by_session} > {b"session+1", b"session+2"}
    assert once.in_flight.due()[P0].position == 6


def test_at_least_once_leaves_a_lost_partition_to_its_new_owner() -> None:
    """Neither published nor settled; what no client can send is counted all the same."""
    once = AtOnce()
    lost = answered(once.in_flight, [b"a"])
    once.in_flight.forget([P0])
    once.delivery.deliver(replace(lost, unsendable=lost.window.records))
    assert (once.sink.written, once.in_flight.due()) == ([], {})
    assert once.telemetry.unsent == list(lost.window.records)


def test_what_the_broker_refuses_is_not_settled() -> None:
    """The failure ends the worker, and the next one answers again."""
    once = AtOnce()
    once.sink.failure = RuntimeError("disk full")
    with pytest.raises(RuntimeError, match="disk full"):
        once.delivery.deliver(answered(once.in_flight, [b"a"]))
    assert once.in_flight.due() == {}
