"""One check and what it found; all of them as a table for people, as a document for programs, as an exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contract.errors import ReviewSentimentError
from worker.errors import KafkaUnfitError


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """A worker runs, but less is promised than could be."""
    UNKNOWN = "unknown"
    """We may not, or can't, look."""
    FAILED = "failed"
    """A worker would end, or hold up."""


_SIGNS = {State.OK: "✓", State.WARNING: "!", State.UNKNOWN: "?", State.FAILED: "✗"}


@dataclass(frozen=True)
class Check:
    """What one check found."""

    subject: str
    """`bundle`, `brokers`, a topic's name, …"""
    name: str
    """What of it."""
    state: State
    found: str
    advice: str = ""
    """What to do, unless all is well."""
    exit_code: int = KafkaUnfitError.exit_code
    """With which `run` would end, where it failed."""

    def document(self) -> dict[str, str]:
        """Ready for JSON."""
        return {
            "subject": self.subject, "check": self.name, "state": self.state, "found": self.found,
            "advice": self.advice,
        }  # fmt: skip


class CheckFailedError(ReviewSentimentError):
    """Checks failed; ends with the exit code with which `run` would, by the first of them."""

    def __init__(self, failed: Sequence[Check]) -> None:
        super().__init__("; ".join(f"{it.subject}, {it.name}: {it.found}" for it in failed))
        self.exit_code = failed[0].exit_code


def table(checks: Sequence[Check]) -> str:
    """A line each, and what to do under each that is not ✓."""
    widths = [
        max(len(text) for text in column) for column in zip(*((it.subject, it.name) for it in checks), strict=True)
    ]
    lines = []
    for it in checks:
        lines.append(f"{_SIGNS[it.state]} {it.subject:{widths[0]}}  {it.name:{widths[1]}}  {it.found}")
        if it.advice and it.state is not State.OK:
            lines += [f"    → {line}" for line in it.advice.splitlines()]
    return "\n".join(lines)


def document(checks: Sequence[Check], *, strict: bool) -> dict[str, Any]:
    """The same for programs."""
    failed = failures(checks, strict=strict)
    return {
        "ok": not failed,
        "exit_code": failed[0].exit_code if failed else 0,
        "checks": [it.document() for it in checks],
    }


def failures(checks: Sequence[Check], *, strict: bool) -> list[Check]:
    """What is to end the command; with `strict`, warnings too."""
    wrong = (State.FAILED, State.WARNING) if strict else (State.FAILED,)
    failed = [it for it in checks if it.state in wrong]
    return sorted(failed, key=lambda it: it.state is State.WARNING)
