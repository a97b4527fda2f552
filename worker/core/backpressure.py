"""When to stop reading, and when to go on: two marks apart, so that the worker does not flutter between."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Marks:
    """Reading pauses at the high mark of records or bytes held, and goes on at half of both."""

    records_high: int
    bytes_high: int


class BackPressure:
    """Whether reading is paused."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.paused = False

    def update(self, records: int, size_bytes: int) -> bool:
        """Decide again from what is held, read and not yet settled; returns `paused`."""
        if records >= self._marks.records_high or size_bytes >= self._marks.bytes_high:
            self.paused = True
        elif records * 2 <= self._marks.records_high and size_bytes * 2 <= self._marks.bytes_high:
            self.paused = False
        return self.paused
