"""Windows published in portions, where publishing is slow: what is acknowledged is settled.

Both deliveries handle whole windows. Where a window takes longer to publish than anybody waits for it (a broker's
quota, a slow link), it goes to them in parts, each a window of its own.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from worker.core.ledger import Commit
from worker.core.portions import PublishPace, cut
from worker.core.records import Partition, Record, Window
from worker.delivery import Answered, Delivery
from worker.in_flight import InFlight
from worker.outcomes import Outgoing, Unwritten
from worker.ports import Sink, TransactionalSink

_OVERHEAD_BYTES = 400  # our headers, more or less


class Timer:
    """Times publications, for the pace: what one costs is also the time for which brokers hold up the next."""

    def __init__(self, pace: PublishPace, throttle_left_s: Callable[[], float]) -> None:
        """Tell `pace`; `throttle_left_s` says for how long the brokers take nothing more from us."""
        self._pace, self._throttle_left_s = pace, throttle_left_s

    @contextmanager
    def publication(self, outgoing: Sequence[Outgoing]) -> Iterator[None]:
        """Around a publication; one that fails teaches nothing."""
        started_s = time.monotonic()
        yield
        self._pace.observe(_size_bytes(outgoing), time.monotonic() - started_s + self._throttle_left_s())

    def wait(self) -> None:
        """Wait until the brokers take more: what waits in the client instead expires there."""
        while (left_s := self._throttle_left_s()) > 0:
            time.sleep(left_s)


class InPortions:
    """A delivery that gives another one no more than can be published in time; see `worker.delivery.Delivery`."""

    def __init__(self, inner: Delivery, in_flight: InFlight, pace: PublishPace, timer: Timer) -> None:
        self._inner, self._in_flight, self._pace, self._timer = inner, in_flight, pace, timer
        self._given_bytes = 0  # since what was put off was last finished

    def deliver(self, answered: Answered) -> None:
        """Publish and settle a window part by part."""
        self._in_flight.limit_windows(self._pace.window_bytes)
        rest: Answered | None = answered
        while rest is not None:
            part, rest = self._cut(rest)
            self._timer.wait()
            self._inner.deliver(part)
            self._given_bytes += _size_bytes(part.outgoing)
            if self._given_bytes >= self._pace.limit_bytes:
                self.catch_up()

    def due_in_s(self) -> float | None:
        """Seconds until `catch_up` has something to do; None for never."""
        return self._inner.due_in_s()

    def catch_up(self) -> None:
        """Finish what was put off."""
        self._timer.wait()
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

    def __init__(self, inner: Sink, timer: Timer) -> None:
        self._inner, self._timer = inner, timer

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """Publish, and learn how long that takes."""
        with self._timer.publication(outgoing):
            return self._inner.publish(outgoing)


class PacedTransactions:
    """The same for transactions; see `worker.ports.TransactionalSink`."""

    def __init__(self, inner: TransactionalSink, timer: Timer) -> None:
        self._inner, self._timer = inner, timer

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        """Run one transaction, and learn how long that takes."""
        with self._timer.publication(outgoing):
            return self._inner.transact(outgoing, offsets, member)

    def rehearse(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """Run one transaction without effect: a search for what is refused, which tells nothing of the pace."""
        return self._inner.rehearse(outgoing)


def _position(record: Record) -> tuple[Partition, int]:
    return record.partition, record.offset


def _size_bytes(outgoing: Sequence[Outgoing]) -> int:
    """What is sent, more or less: the values, and of each source the key and the headers, which are passed on."""
    values = sum(len(item.value or b"") for item in outgoing)
    return values + sum(_passed_on_bytes(item.source) + _OVERHEAD_BYTES for item in outgoing)


def _passed_on_bytes(record: Record) -> int:
    return len(record.key or b"") + sum(len(name) + len(value or b"") for name, value in record.headers)
