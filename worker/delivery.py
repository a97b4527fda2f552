"""From answers to settled windows: at least once, or exactly once in transactions of whole windows."""

import random
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from worker.core.decoding import Rejection
from worker.core.records import Partition, Record, Window
from worker.errors import OverdueError
from worker.in_flight import InFlight
from worker.outcomes import OutcomeBuilder, Outgoing, Unwritten
from worker.ports import Sink, Telemetry, TransactionAbortedError, TransactionalSink

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answered:
    """A window with what became of its records, in the order read."""

    window: Window
    outgoing: tuple[Outgoing, ...]
    unsendable: tuple[Record, ...] = ()
    """Records with neither key nor value, which no client can send on."""


class Delivery(Protocol):
    """Publishes and settles windows, in order. One thread delivers; `raise_if_overdue` is for any other."""

    def deliver(self, answered: Answered) -> None:
        """Publish and settle a window, now or by the time that `due_in_s` says.

        Raises:
            ReviewSentimentError: If that can't be done; then nothing of it counts as settled.
        """
        ...

    def due_in_s(self) -> float | None:
        """Seconds until `catch_up` has something to do; None for never."""
        ...

    def catch_up(self) -> None:
        """Finish what was put off."""
        ...

    def raise_if_overdue(self) -> None:
        """Raise OverdueError if delivering hangs."""
        ...


class AtLeastOnce:
    """Every window is published and settled at once; its positions are committed some time later."""

    def __init__(self, in_flight: InFlight, sink: Sink, outcomes: OutcomeBuilder, telemetry: Telemetry) -> None:
        self._in_flight, self._sink, self._outcomes, self._telemetry = in_flight, sink, outcomes, telemetry
        self._again = 0
        """How often records were published again, after what the broker refuses of them or of others."""

    def deliver(self, answered: Answered) -> None:
        """Publish and settle a window; see `Delivery`."""
        groups = [_of(answered, self._in_flight.still_owned(answered.window))]
        while groups:
            group = groups.pop()
            unwritten = self._sink.publish(group)
            missing = {id(item.outgoing) for item in unwritten}
            self._telemetry.outcomes([item for item in group if id(item) not in missing])
            if unwritten:
                groups += reversed(self._next(unwritten, known=len(group)))
        _settle(answered, self._in_flight, self._telemetry)

    def _next(self, unwritten: Sequence[Unwritten], known: int) -> list[list[Outgoing]]:
        """What to publish next, in order: all that is missing, or its halves where that taught us nothing."""
        self._again += 1
        again = [
            (self._outcomes.instead(it.outgoing, it.refusal) if it.refusal else it.outgoing).again(self._again)
            for it in unwritten
        ]
        if len(again) < known or any(it.refusal for it in unwritten):
            return [again]
        return [again[: known // 2], again[known // 2 :]]

    def due_in_s(self) -> None:
        """Nothing is ever put off."""

    def catch_up(self) -> None:
        """Nothing is ever put off."""

    def raise_if_overdue(self) -> None:
        """The client's own time limit does that."""


@dataclass(frozen=True)
class TransactionPolicy:
    """A transaction ends when its first window has waited `wait_ms_max`, or with `records_max` records.

    Positions that no window moves, past the markers of upstream's transactions, are committed every `idle_ms`.
    """

    wait_ms_max: float
    records_max: int
    retry_s_max: float
    overdue_s: float
    idle_ms: float = 1000
    pause_s_min: float = 0.05
    """Before an aborted transaction is tried again; doubled each time, and jitter takes a part of it."""
    pause_s_max: float = 1.0


class ExactlyOnce:
    """Windows, their outcomes and their positions in one transaction, or none of them.

    All of a transaction is in memory until it is committed, so that an aborted one is simply run again: with the
    membership as it then is, and without the windows of partitions that were lost meanwhile.
    """

    def __init__(
        self,
        policy: TransactionPolicy,
        in_flight: InFlight,
        sink: TransactionalSink,
        outcomes: OutcomeBuilder,
        telemetry: Telemetry,
        membership: Callable[[], object | None],
    ) -> None:
        """Deliver through `sink`; `membership` is a snapshot of ours in the group, None while there is none."""
        self._policy, self._in_flight, self._sink = policy, in_flight, sink
        self._outcomes, self._telemetry, self._membership = outcomes, telemetry, membership
        self._windows: list[Answered] = []
        self._due_s = time.monotonic() + policy.idle_ms / 1000
        self._began_s: float | None = None

    def deliver(self, answered: Answered) -> None:
        """Add a window to the transaction, and commit that if it is large enough; see `Delivery`."""
        if not self._windows:
            self._due_s = time.monotonic() + self._policy.wait_ms_max / 1000
        self._windows.append(answered)
        records = sum(len(item.window) for item in self._windows)
        if records >= self._policy.records_max or self.due_in_s() == 0:
            self.catch_up()

    def due_in_s(self) -> float:
        """Seconds until the transaction has to end, or until quiet positions are looked at."""
        return max(0.0, self._due_s - time.monotonic())

    def catch_up(self) -> None:
        """Commit the windows so far, and whatever positions may be committed besides."""
        windows, self._windows = self._windows, []
        if windows or self._in_flight.due():
            self._commit(windows)
        self._due_s = time.monotonic() + self._policy.idle_ms / 1000

    def raise_if_overdue(self) -> None:
        """Raise OverdueError if a transaction hangs: the client would wait for ever."""
        began_s = self._began_s
        if began_s is not None and time.monotonic() - began_s > self._policy.overdue_s:
            raise OverdueError("a transaction could neither be committed nor aborted in time: look at the brokers")

    def _commit(self, windows: Sequence[Answered]) -> None:
        retry_until_s = time.monotonic() + self._policy.retry_s_max
        replaced: dict[int, Outgoing] = {}
        pause_s = self._policy.pause_s_min
        while True:
            try:
                if self._attempt(windows, replaced):
                    break
            except TransactionAbortedError as error:
                if time.monotonic() > retry_until_s:
                    raise OverdueError(f"a transaction was aborted again and again: {error}") from error
                log.warning("transaction_aborted", error=str(error), windows=len(windows))
                self._telemetry.transaction_aborted()
                time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
                pause_s = min(2 * pause_s, self._policy.pause_s_max)
        for answered in windows:
            _settle(answered, self._in_flight, self._telemetry)

    def _attempt(self, windows: Sequence[Answered], replaced: dict[int, Outgoing]) -> bool:
        """Run the transaction once; False if something was refused: its substitute is in `replaced`."""
        # The membership is taken before the books are asked: if it changes after that, the broker refuses.
        member = self._membership()
        offsets, ours = self._in_flight.due_after([answered.window for answered in windows])
        owned = [item for answered, kept in zip(windows, ours, strict=True) for item in _of(answered, kept)]
        outgoing = [replaced.get(id(item), item) for item in owned]
        if not offsets and not outgoing:
            return True  # all of it was lost to other members
        if member is None:
            raise TransactionAbortedError("not a member of the group at the moment")
        if unwritten := self._watched(lambda: self._sink.transact(outgoing, offsets, member)):
            self._replace(unwritten, dict(zip(map(id, outgoing), map(id, owned), strict=True)), replaced)
            return False
        self._in_flight.committed(offsets)
        self._telemetry.outcomes(outgoing)
        return True

    def _replace(
        self, unwritten: Sequence[Unwritten], originals: Mapping[int, int], replaced: dict[int, Outgoing]
    ) -> None:
        named = self._named(unwritten)
        if not named:
            raise TransactionAbortedError("the broker refused records, and none of them when asked again")
        for outgoing, refusal in named:
            replaced[originals[id(outgoing)]] = self._outcomes.instead(outgoing, refusal)

    def _named(self, unwritten: Sequence[Unwritten]) -> list[tuple[Outgoing, Rejection]]:
        """Those with which something is wrong; where the broker names none, halves are tried without effect."""
        named = [(it.outgoing, it.refusal) for it in unwritten if it.refusal]
        if named or not unwritten:
            return named
        items, middle = [it.outgoing for it in unwritten], len(unwritten) // 2
        halves = (items[:middle], items[middle:])
        return [
            found for half in halves for found in self._named(self._watched(partial(self._sink.rehearse, half)))
        ]

    def _watched(self, transaction: Callable[[], list[Unwritten]]) -> list[Unwritten]:
        self._began_s = started_s = time.monotonic()
        try:
            return transaction()
        finally:
            self._began_s = None
            self._telemetry.stage("transaction", time.monotonic() - started_s)


def _of(answered: Answered, owned: Container[Partition]) -> list[Outgoing]:
    """The outcomes that are still ours to publish: the next owner of a lost partition answers its records."""
    return [item for item in answered.outgoing if item.source.partition in owned]


def _settle(answered: Answered, in_flight: InFlight, telemetry: Telemetry) -> None:
    for record in answered.unsendable:
        telemetry.unsendable(record)
    in_flight.settled(answered.window)
