"""The live picture of the demo."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dev.account import Outcome

COLOURS = {"positive": "green", "neutral": "yellow", "negative": "red"}
_SPARKS = " ▁▂▃▄▅▆▇█"
_WIDTH = 58
_BAR_WIDTH = 32


@dataclass
class View:
    """What is shown; `saw` feeds it, `live` shows it."""

    console: Console
    phase: str = ""
    records_in: int = 0
    silent: int = 0  # of them, records that come to nothing by contract
    kinds: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    _recent: deque[tuple[str, float, str]] = field(default_factory=lambda: deque(maxlen=6))
    _per_second: deque[int] = field(default_factory=lambda: deque([0], maxlen=_WIDTH))
    _second: int = 0
    _spoken_s: float = 0.0

    def live(self) -> Live:
        """A context in which the picture is shown; `refresh` draws it again."""
        self.console.print()
        return Live(self, console=self.console, auto_refresh=False, transient=False)

    def saw(self, outcomes: list[Outcome]) -> None:
        """Take in outcomes."""
        second = int(time.monotonic())
        if second != self._second:
            self._per_second.append(0)
            self._second = second
        self._per_second[-1] += len(outcomes)
        for outcome in outcomes:
            self.kinds[outcome.kind] += 1
            if outcome.kind == "result":
                event = outcome.event
                sentiment = event["sentiment"]
                self.labels[sentiment["label"]] += 1
                self._recent.append(
                    (sentiment["label"], sentiment["confidence"], str(event.get("reviewText", "")))
                )

    def refresh(self, live: Live, records_in: int) -> None:
        """Draw, or without a terminal say a line every five seconds."""
        self.records_in = records_in
        if self.console.is_terminal:
            live.refresh()
        elif time.monotonic() - self._spoken_s > 5:  # noqa: PLR2004 - seconds
            self._spoken_s = time.monotonic()
            self.console.print(f"{self.phase}: {records_in} in, {sum(self.kinds.values())} out")

    def __rich__(self) -> RenderableType:
        out = sum(self.kinds.values())
        table = Table.grid(padding=(0, 2))
        table.add_row("in", f"{self.records_in:,}", "results", f"{self.kinds['result']:,}")
        dead = out - self.kinds["result"] - self.kinds["forwarded"]
        table.add_row("waiting", f"{max(0, self.records_in - out - self.silent):,}", "dead letters", f"{dead:,}")
        highest = max(*self._per_second, 1)
        sparks = "".join(_SPARKS[-(-count * (len(_SPARKS) - 1) // highest)] for count in self._per_second)
        rate = Text.assemble(("outcomes a second, up to ", "dim"), f"{highest:,}\n", (sparks, "cyan"))
        recent = Table.grid(padding=(0, 1))
        for label, confidence, text in self._recent:
            words = Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis")
            recent.add_row(Text(f"{label:9}{confidence:.2f}", style=COLOURS[label]), words)
        return Panel(Group(table, Text(), rate, mix_bar(self.labels), Text(), recent), title=self.phase)


def mix_bar(labels: Counter[str]) -> Text:
    """The shares of the labels as a bar."""
    total = max(1, sum(labels.values()))
    bar = Text()
    for label, colour in COLOURS.items():
        bar.append("█" * round(_BAR_WIDTH * labels[label] / total), style=colour)
    for label, colour in COLOURS.items():
        bar.append(f"  {label} {labels[label] / total:.0%}", style=colour)
    return bar
