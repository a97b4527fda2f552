"""What a person sees of an export: a line a step on stderr, and a table at the end."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract.variants import REFERENCE
from export.gates.limits import Result


class Progress:
    """Steps and warnings on one console."""

    def __init__(self, console: Console) -> None:
        """Write to `console`, which is stderr's outside of tests."""
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[int], None]]:
        """Show that a step goes on, and how long it took; what it gives may be told how much is done."""
        start, title = time.perf_counter(), escape(title)
        with self._console.status(f"{title} …") as status:
            yield lambda count: status.update(f"{title} … {count}")
        self._console.print(f"[green]✓[/] {title} [dim]{time.perf_counter() - start:.1f} s[/]", highlight=False)

    def say(self, message: str) -> None:
        """Say what was found."""
        self._console.print(f"  {escape(message)}", highlight=False)

    def warn(self, message: str) -> None:
        """Say what did not go as asked, without ending."""
        self._console.print(f"[bold yellow]![/] {escape(message)}", highlight=False)

    def table(self, results: Sequence[Result], folder: str) -> None:
        """The figures of every variant that was tried."""
        table = Table(
            title=folder,
            box=SIMPLE_HEAD,
            caption=f"speed against {REFERENCE.name} on the same device, a CPU with one thread; for information",
        )
        table.add_column("variant", no_wrap=True)
        for title in ("MB", "max Δp", "labels kept", "flip rate", "golden Δp", "speed"):
            table.add_column(title, justify="right", no_wrap=True)
        for result in results:
            table.add_row(*_row(result))
        self._console.print(table)


def _row(result: Result) -> tuple[str, ...]:
    name = result.name if result.refusal is None else f"{result.name}: refused"
    size = f"{result.size_bytes / 1e6:.1f}"
    if isinstance(result.trial, str):
        return f"{name}: not run here", size, "", "", "", "", ""
    deviation = result.trial.deviation
    return (
        name,
        size,
        f"{deviation.probability_delta_max:.1g}",
        f"{deviation.label_agreement:.2%}",
        f"{deviation.flip_rate:.3%}",
        f"{result.trial.golden_delta:.1g}",
        f"{result.trial.speed_ratio:.2f}x",
    )
