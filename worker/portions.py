"""Windows published in portions, where publishing is slow: what is acknowledged is settled.

Both deliveries handle whole windows. Where a window takes longer to publish than anybody waits for it (a broker's
quota, a slow link), it goes to them in parts, each a window of its own.
"""

import time
from collections.abc import Sequence

from worker.core.ledger import Commit
from worker.core.portions import PublishPace, cut
from worker.core.records import Partition, Record, Window
from worker.delivery import Answered, Delivery
from worker.in_flight import InFlight
from worker.outcomes import Outgoing
from worker.ports import Sink, TransactionalSink

_OVERHEAD_BYTES = 400  # headers, more or less


class InPortions:
    """A delivery that gives another one no more than can be published in time; see `worker.delivery.Delivery`."""

    def __init__(self, inner: Delivery, in_flight: InFlight, pace: PublishPace) -> None:
        self._inner, self._in_flight, self._pace = inner, in_flight, pace
        self._given_bytes = 0  # since what was put off was last finished

    def deliver(self, answered: Answered) -> None:
        """Publish and settle a window part by part."""
        self._in_flight.limit_windows(self._pace.window_bytes)
        rest: Answered | None = answered
        while rest is not None:
            part, rest = self._cut(rest)
            self._inner.deliver(part)
            self._given_bytes += _size_bytes(part.outgoing)
            if self._given_bytes >= self._pace.limit_bytes:
                self.catch_up()

    def due_in_s(self) -> float | None:
        """Seconds until `catch_up` has something to do; None for never."""
        return self._inner.due_in_s()

    def catch_up(self) -> None:
        """Finish what was put off."""
        self._inner.catch_up()
        self._given_bytes = 0

    def raise_if_overdue(self) -> None:
        """Raise OverdueError if delivering hangs."""
        self._inner.raise_if_overdue()

    def _cut(self, answered: Answered) -> tuple[Answered, Answered | None]:
        """As much of a window as may be published in one go, at least a record; and the rest, if there is any."""
        outcomes = {_position(item.source): item for item in answered.outgoing}
        total, count = 0, 0
        for record in answered.window.records:
            item = outcomes.get(_position(record))
            total += _size_bytes([item]) if item else 0
            if count and total > self._pace.limit_bytes:
                break
            count += 1
        if count == len(answered.window):
            return answered, None
        windows = cut(answered.window, [count, len(answered.window) - count])
        self._in_flight.replace(answered.window, windows)
        first = {_position(record) for record in windows[0].records}

        def part(window: Window, *, is_first: bool) -> Answered:
            return Answered(
                window,
                tuple(item for item in answered.outgoing if (_position(item.source) in first) is is_first),
                tuple(record for record in answered.unsendable if (_position(record) in first) is is_first),
            )

        return part(windows[0], is_first=True), part(windows[1], is_first=False)


class PacedSink:
    """A sink whose publications are timed; see `worker.ports.Sink`."""

    def __init__(self, inner: Sink, pace: PublishPace) -> None:
        self._inner, self._pace = inner, pace

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Publish, and learn how long that takes."""
        started_s = time.monotonic()
        refused = self._inner.publish(outgoing)
        self._pace.observe(_size_bytes(outgoing), time.monotonic() - started_s)
        return refused


class PacedTransactions:
    """The same for transactions; see `worker.ports.TransactionalSink`."""

    def __init__(self, inner: TransactionalSink, pace: PublishPace) -> None:
        self._inner, self._pace = inner, pace

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Outgoing]:
        """Run one transaction, and learn how long that takes."""
        started_s = time.monotonic()
        refused = self._inner.transact(outgoing, offsets, member)
        self._pace.observe(_size_bytes(outgoing), time.monotonic() - started_s)
        return refused


def _position(record: Record) -> tuple[Partition, int]:
    return record.partition, record.offset


def _size_bytes(outgoing: Sequence[Outgoing]) -> int:
    return sum(len(item.value or b"") + len(item.source.key or b"") + _OVERHEAD_BYTES for item in outgoing)
