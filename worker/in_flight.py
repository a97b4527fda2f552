"""The in-flight book: what is held between reading and settling, the pure books under one lock for all threads.

The poll thread hands records in, the pipeline's threads take windows out and settle them, and the client's IO
thread releases partitions in a rebalance. Nothing here blocks on the network.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from worker.core.backpressure import BackPressure, Marks
from worker.core.delivery_counts import DeliveryCount
from worker.core.ledger import Commit, Ledger, Offset
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import Pace, WindowBuilder, WindowPolicy


class InFlight:
    """Records waiting, windows in flight, positions settled."""

    def __init__(
        self,
        policy: WindowPolicy,
        marks: Marks,
        *,
        transactional: bool = False,
        callers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold nothing yet.

        Args:
            policy: When windows close.
            marks: How much is read ahead.
            transactional: Where positions are committed in transactions with the outcomes.
            callers: Forward passes at a time: a window may be with the device for each.
            clock: In seconds.
        """
        self._clock, self._callers = clock, callers
        self._pace = Pace()
        self._builder = WindowBuilder(policy, self._pace)
        self._ledger = Ledger(transactional=transactional)
        self._back_pressure = BackPressure(marks)
        self._in_flight: list[Window] = []
        self._unscored = 0  # windows taken that the device has not finished
        self._poison: set[tuple[Partition, int]] = set()
        self._drains: list[tuple[frozenset[Partition], Callable[[bool], None]]] = []
        self._stopped = False
        self._abandoned = False
        self._changed = threading.Condition()

    # The reader's side

    def assign(self, partitions: Iterable[Partition]) -> None:
        """These partitions are ours now."""
        with self._changed:
            self._ledger.assign(partitions)

    def receive(self, chunks: Iterable[Chunk]) -> None:
        """Take in what was read; what is of a partition no longer ours is dropped."""
        with self._changed:
            for chunk in chunks:
                if self._ledger.receive(chunk):
                    self._builder.add(chunk.records, self._clock())
            self._changed.notify_all()

    def pressure(self) -> tuple[int, int, bool]:
        """Records read and not yet settled, their bytes, and whether reading has to pause for now."""
        with self._changed:
            held = self._held()
            return *held, self._back_pressure.update(*held)

    def expect(self, size_bytes: int, elapsed_s: float) -> None:
        """So many bytes of values took the device so long, before there was any window."""
        with self._changed:
            self._pace.observe(size_bytes, elapsed_s * 1000)

    def unsettled(self) -> dict[Partition, int]:
        """Records read and not yet settled, of each partition."""
        with self._changed:
            return self._ledger.unsettled()

    def due(self) -> dict[Partition, Offset]:
        """The offsets that a commit would move forward."""
        with self._changed:
            return self._ledger.due()

    def committed(self, offsets: Commit) -> None:
        """The broker has stored these offsets."""
        with self._changed:
            self._ledger.committed(offsets)

    def begin(self, counts: Mapping[Partition, tuple[int, DeliveryCount]]) -> None:
        """The broker has stored these positions, and the delivery counts with which we go on from them."""
        with self._changed:
            self._ledger.begin(counts)

    def has_begun(self, partition: Partition) -> bool:
        """Whether this worker is in the delivery count of the partition, in its present assignment."""
        with self._changed:
            return self._ledger.has_begun(partition)

    def epoch(self, partition: Partition) -> int | None:
        """The number of the partition's assignment; None if it is not ours."""
        with self._changed:
            return self._ledger.epoch(partition)

    def mark_poison(self, record: Record) -> None:
        """A worker died on this record alone: it is not to be tried again."""
        self._poison.add((record.partition, record.offset))

    # The rebalance's side

    def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Where a commit would leave each of these partitions, as far as that is known."""
        with self._changed:
            return self._ledger.positions(partitions)

    def farewell(
        self, partitions: Iterable[Partition] | None = None, *, drained: bool = True, in_good_order: bool = True
    ) -> dict[Partition, Offset]:
        """The last commit for partitions that are given up, or for all; see `Ledger.farewell`."""
        with self._changed:
            given_up = self._ledger.partitions if partitions is None else partitions
            return self._ledger.farewell(given_up, drained=drained, in_good_order=in_good_order)

    def release(self, partitions: Iterable[Partition], done: Callable[[bool], None]) -> None:
        """Drop what waits of these partitions; call `done` once no window in flight holds any of them.

        It is told whether they were settled; False when what is in flight was abandoned.
        """
        gone = frozenset(partitions)
        with self._changed:
            for partition, records in self._builder.drop(gone).items():
                self._ledger.give_back(partition, records[0].offset, len(records))
            self._drains.append((gone, done))
            abandoned = self._abandoned
        self._finish_drains()
        if abandoned:
            self.abandon()

    def forget(self, partitions: Iterable[Partition] | None = None) -> None:
        """These partitions, or all, are no longer ours; windows in flight no longer count for them."""
        with self._changed:
            gone = frozenset(self._ledger.partitions if partitions is None else partitions)
            self._builder.drop(gone)
            self._ledger.forget(gone)

    # The pipeline's side

    def take(self) -> Window | None:
        """The next window, as soon as one may close; None when no more will come."""
        with self._changed:
            while not self._stopped:
                wait_s = self._builder.closes_in_s(self._clock(), device_free=self._unscored < self._callers)
                if wait_s == 0:
                    waited_s = self._builder.waited_s(self._clock())
                    records = self._builder.close()
                    window = Window(records, self._ledger.ranges(records), waited_s)
                    self._in_flight.append(window)
                    self._unscored += 1
                    return window
                self._changed.wait(wait_s)
            return None

    def scored(self, asked: Iterable[Record], elapsed_s: float) -> None:
        """The device has finished a window; these records of it kept it busy for so long."""
        with self._changed:
            self._unscored -= 1
            self._pace.observe(sum(map(self._builder.cost, asked)), elapsed_s * 1000)
            self._changed.notify_all()

    def is_poison(self, record: Record) -> bool:
        """Whether a worker died on this record alone."""
        return (record.partition, record.offset) in self._poison

    def due_after(self, windows: Sequence[Window]) -> tuple[dict[Partition, Offset], list[frozenset[Partition]]]:
        """Offsets that a commit would move forward once these windows are settled, and what is owned of each.

        Both at one moment: a partition lost between two looks would be committed without its outcomes.
        """
        with self._changed:
            return self._ledger.due_after(windows), [self._still_owned(window) for window in windows]

    def still_owned(self, window: Window) -> frozenset[Partition]:
        """The partitions of a window whose assignment still stands."""
        with self._changed:
            return self._still_owned(window)

    def replace(self, window: Window, parts: Sequence[Window]) -> None:
        """A window in flight is settled in these parts, in order."""
        with self._changed:
            place = self._in_flight.index(window)
            self._in_flight[place : place + 1] = parts

    def limit_windows(self, size_bytes: float) -> None:
        """The next windows hold no more bytes than that, but at least a record."""
        with self._changed:
            self._pace.limit_bytes = size_bytes

    def settled(self, window: Window) -> None:
        """The broker has acknowledged every outcome of a window."""
        with self._changed:
            self._in_flight.remove(window)
            self._ledger.settle(window)
            self._changed.notify_all()
        self._finish_drains()

    # The end

    def stop(self) -> None:
        """Give out no more windows; what waits is left to the next owner of its partition."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Stop, and wait for nothing any more: windows in flight will never be settled."""
        with self._changed:
            self._stopped = self._abandoned = True
            self._drains, drains = [], self._drains
            self._changed.notify_all()
        for _, done in drains:
            done(False)

    def held_partitions(self) -> set[Partition]:
        """The partitions of which records are held: they wait their turn."""
        with self._changed:
            return self._builder.partitions | {p for window in self._in_flight for p in window.ranges}

    def oldest_ms(self) -> dict[Partition, int]:
        """The timestamp of the first record held of each partition, where that has one."""
        with self._changed:
            oldest: dict[Partition, int] = {}
            for record in chain(*(window.records for window in self._in_flight), self._builder.records):
                oldest.setdefault(record.partition, record.timestamp_ms)
            return {partition: at_ms for partition, at_ms in oldest.items() if at_ms >= 0}

    def delivery_count_max(self) -> int:
        """The highest delivery count of the partitions owned; 0 before any has begun."""
        with self._changed:
            return self._ledger.delivery_count_max

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until no window is in flight; False if that took longer, or can't happen any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or not self._in_flight, timeout_s)
            return not self._in_flight

    def wait_empty(self, timeout_s: float) -> None:
        """Wait until all that was received is settled, or until that can't happen any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or self._held()[0] == 0, timeout_s)

    def _still_owned(self, window: Window) -> frozenset[Partition]:
        return frozenset(p for p, share in window.ranges.items() if self._ledger.owns(p, share.epoch))

    def _held(self) -> tuple[int, int]:
        records = len(self._builder) + sum(map(len, self._in_flight))
        size_bytes = self._builder.waiting_bytes + sum(window.size_bytes for window in self._in_flight)
        return records, size_bytes

    def _finish_drains(self) -> None:
        """Call back, outside the lock, for each release that has nothing left in flight."""
        with self._changed:
            busy = {partition for window in self._in_flight for partition in window.ranges}
            finished = [done for gone, done in self._drains if not gone & busy]
            self._drains = [(gone, done) for gone, done in self._drains if gone & busy]
        for done in finished:
            done(True)
