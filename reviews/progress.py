"""Progress of a run: a bar on a terminal; a line every ten seconds where there is none."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_LINE_EVERY_S = 10


class Progress:
    """What goes on, on stderr; to be used as a context, so that a terminal is left as it was found."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Bars(
            TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"), console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._what, self._total = "", 0
        self._said_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, markup=False, highlight=False)

    def begin(self, what: str, total: int, done: int = 0) -> None:
        """Show another activity."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._what, self._total = what, total
        self._task = self._bars.add_task(what, total=total, completed=done, note="")

    def reach(self, done: int, note: str = "") -> None:
        """Show how far the activity is."""
        if self._task is None:
            raise RuntimeError("begin first")
        self._bars.update(self._task, completed=done, note=note)
        if self._bars.disable and time.monotonic() - self._said_s > _LINE_EVERY_S:
            self._said_s = time.monotonic()
            self.say(f"{self._what} {done} of {self._total}  {note}".rstrip())

    def rate(self, done: str, count: int, things: str, elapsed_s: float) -> None:
        """Tell how fast an activity was, where it was long enough to be waited for."""
        if elapsed_s >= _LINE_EVERY_S:
            self.say(f"{done} {count:,} {things} in {elapsed_s:,.0f} s: {count / elapsed_s:,.0f}/s")

    def follow(self, what: str, batches: Sequence[list[Any]], total: int) -> Iterator[list[Any]]:
        """The batches, one after the other, shown as an activity of `total` items."""
        self.begin(what, total)
        done = 0
        for batch in batches:
            yield batch
            done += len(batch)
            self.reach(done)
