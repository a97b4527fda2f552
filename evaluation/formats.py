"""How figures are written for people; what is not there is a dash."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from contract.labels import LABELS, ORDER

_NONE = "\u2013"


def figure(value: float | None) -> str:
    """A score between 0 and 1, or a loss in nats: `0.812`."""
    return f"{value:.3f}" if _is_number(value) else _NONE


def percent(value: float | None) -> str:
    """A share between 0 and 1: `81.2 %`."""
    return f"{value:.1%}".replace("%", "\u202f%") if _is_number(value) else _NONE


def count(value: float | None) -> str:
    """A whole number: `12,345`."""
    return f"{value:,.0f}" if _is_number(value) else _NONE


def interval(bounds: Sequence[float] | None) -> str:
    """The 95 % interval of a score, `[low, high]`: 0.790 to 0.833."""
    return f"{bounds[0]:.3f}\u2013{bounds[1]:.3f}" if bounds else ""


def duration(seconds: float | None) -> str:
    """A time in seconds: `42 s`, `12 min`, `3 h 5 min`."""
    if not _is_number(seconds):
        return _NONE
    minutes = round(seconds / 60)
    if minutes < 2:  # noqa: PLR2004 - below, seconds say more
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def date(written: str) -> str:
    """A time as the record has it, in ISO 8601 and UTC: `2026-11-23 10:00 UTC`."""
    return written.replace("T", " ")[:16] + " UTC" if written.endswith("+00:00") else written


def group(key: str) -> str:
    """The key of a breakdown; of lengths, the last has no end: `401-` is `401 or more`."""
    return f"{key[:-1]} or more" if key.endswith("-") and key[:-1].isdigit() else key


def listed(names: Iterable[str]) -> str:
    """A phrase: `one`, `one and two`, `one, two and three`."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def temperatures(fitted: Iterable[Mapping[str, float]]) -> str:
    """Of each label, where they differ: `1.13`, or `1.48 for negative, 1.02 for neutral and 1.16 for positive`."""
    return ", or ".join(_temperature(each) for each in fitted)


def _temperature(each: Mapping[str, float]) -> str:
    written = {name: f"{each[name]:.2f}" for name in (LABELS[label] for label in ORDER)}
    if len(set(written.values())) == 1:
        return written["neutral"]
    return listed(f"{value} for {name}" for name, value in written.items())


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float)


_ALL = (figure, percent, count, interval, duration, date, group, temperatures)
FILTERS = {written.__name__: written for written in _ALL}
"""By name, for templates."""
