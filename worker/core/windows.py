"""When a window closes: early enough for the reader of its results, late enough to be worth a batch."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.core.records import Partition, Record


@dataclass(frozen=True)
class WindowPolicy:
    """When a window closes.

    It closes when it holds `records_max` records, `bytes_max` of them, or `window_ms_target` of device time, as
    far as the pace so far tells; and `wait_ms_max` after its first record when the device is free, so with 0 a
    free device never waits while records do.
    """

    records_max: int
    window_ms_target: float
    wait_ms_max: float
    value_bytes_max: int
    """The size beyond which a longer value costs the device no more, because it is truncated."""
    bytes_max: int = 8 * 2**20
    """Of keys, values and headers: what the host decodes and copies at once."""

    def __post_init__(self) -> None:
        limits = (self.records_max, self.value_bytes_max, self.bytes_max)
        if min(limits) < 1 or self.window_ms_target <= 0 or self.wait_ms_max < 0:
            raise ValueError(f"a window policy needs positive limits: {self}")


class Pace:
    """How many bytes of values the device takes in a millisecond, by moving averages over windows.

    Bytes stand for tokens, whose number is known only after tokenising; a token has about five bytes. Bytes and
    time are averaged apart: of two windows that the device worked on at a time, the later counts only what it took
    beyond the first, and one that took next to nothing would rule a mean of their ratios.
    """

    _WEIGHT = 0.2  # of the newest window

    def __init__(self) -> None:
        self._size_bytes = self._elapsed_ms = 0.0
        self.limit_bytes = float(
            "inf"
        )  # of a window: whatever the device takes, what comes after it takes no more

    def observe(self, size_bytes: int, elapsed_ms: float) -> None:
        """Learn from a window, `size_bytes` of which the device was asked about, that kept it busy for so long."""
        if size_bytes <= 0 or elapsed_ms < 0:
            return
        weight = self._WEIGHT if self._size_bytes else 1.0
        self._size_bytes += weight * (size_bytes - self._size_bytes)
        self._elapsed_ms += weight * (elapsed_ms - self._elapsed_ms)

    def bytes_in(self, duration_ms: float) -> float:
        """Bytes that the device takes in `duration_ms`; without limit before anything was observed."""
        return self._size_bytes / self._elapsed_ms * duration_ms if self._elapsed_ms else float("inf")


class WindowBuilder:
    """The records read and not yet in a window, in the order read."""

    def __init__(self, policy: WindowPolicy, pace: Pace) -> None:
        self._policy = policy
        self._pace = pace
        self._waiting: deque[tuple[Record, int, float]] = deque()  # with its size, and the second in which it came
        self.waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def records(self) -> Iterator[Record]:
        """The records that wait."""
        return (record for record, _, _ in self._waiting)

    @property
    def partitions(self) -> set[Partition]:
        """The partitions of which records wait."""
        return {record.partition for record in self.records}

    def cost(self, record: Record) -> int:
        """What a record costs the device, in bytes of its value."""
        return min(len(record.value or b""), self._policy.value_bytes_max)

    def add(self, records: Iterable[Record], now_s: float) -> None:
        """Append records that came now."""
        for record in records:
            size_bytes = record.size_bytes
            self._waiting.append((record, size_bytes, now_s))
            self.waiting_bytes += size_bytes

    def closes_in_s(self, now_s: float, *, device_free: bool) -> float | None:
        """Seconds until the next window may close: 0 for now, None for not before something changes."""
        if not self._waiting:
            return None
        if device_free:
            return (
                max(0.0, self._waiting[0][2] + self._policy.wait_ms_max / 1000 - now_s)
                if not self._full()
                else 0.0
            )
        return 0.0 if self._full() else None

    def waited_s(self, now_s: float) -> float:
        """For how long the first of the waiting records has waited."""
        return now_s - self._waiting[0][2]

    def close(self) -> tuple[Record, ...]:
        """Take the records of the next window: as many as fit, at least one."""
        taken = [self._waiting.popleft() for _ in range(self._fitting()[0])]
        self.waiting_bytes -= sum(size_bytes for _, size_bytes, _ in taken)
        return tuple(record for record, _, _ in taken)

    def drop(self, partitions: Iterable[Partition]) -> dict[Partition, list[Record]]:
        """Remove and return what waits of these partitions."""
        gone = set(partitions)
        dropped: dict[Partition, list[Record]] = {}
        for record, size_bytes, _ in self._waiting:
            if record.partition in gone:
                dropped.setdefault(record.partition, []).append(record)
                self.waiting_bytes -= size_bytes
        self._waiting = deque(item for item in self._waiting if item[0].partition not in gone)
        return dropped

    def _full(self) -> bool:
        count, limited = self._fitting()
        return limited or count == self._policy.records_max

    def _fitting(self) -> tuple[int, bool]:
        """How many waiting records the next window takes, and whether time or bytes limit it."""
        budget = self._pace.bytes_in(self._policy.window_ms_target)
        bytes_max = min(self._policy.bytes_max, self._pace.limit_bytes)
        count, cost, total_bytes = 0, 0, 0
        for record, size_bytes, _ in self._waiting:
            cost += self.cost(record)
            total_bytes += size_bytes
            if count and (cost > budget or total_bytes > bytes_max):
                return count, True
            count += 1
            if count == self._policy.records_max:
                break
        return count, False
