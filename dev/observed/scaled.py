"""Alert rules for a run of minutes: every time in them is divided, so that an hour takes some minutes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?<![\w.])(\d+)(ms|[smhd])\b")
_QUOTED = re.compile(r'("[^"]*")')


def scaled_rules(
    rules: Iterable[Mapping[str, Any]], factor: float, thresholds_s: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The same rules with all their times divided.

    Args:
        rules: As they stand in alerts.yaml.
        factor: What times are divided by.
        thresholds_s: By alert, what its expression compares a number of seconds with.

    Raises:
        ValueError: If an alert does not compare with its threshold.
    """
    return [
        {
            **rule,
            "expr": _compared(scaled(rule["expr"], factor), factor, thresholds_s.get(rule["alert"])),
            "for": scaled(rule["for"], factor),
        }
        for rule in rules
    ]


def scaled(expression: str, factor: float) -> str:
    """An expression, or a duration, with every duration divided; what stands in quotes is left alone."""
    parts = _QUOTED.split(expression)
    parts[::2] = [_DURATION.sub(lambda found: _divided(found, factor), part) for part in parts[::2]]
    return "".join(parts)


def _divided(found: re.Match[str], factor: float) -> str:
    return f"{round(int(found[1]) * _UNITS_MS[found[2]] / factor)}ms"


def _compared(expression: str, factor: float, threshold_s: int | None) -> str:
    if threshold_s is None:
        return expression
    divided, times = re.subn(rf"> {threshold_s}\b", f"> {threshold_s / factor:g}", expression)
    if times != 1:
        raise ValueError(f"this is not compared with {threshold_s} once: {expression}")
    return divided
