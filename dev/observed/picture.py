"""The series behind the board, as Prometheus has them after a run: a small plot for each panel."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from dev.observed.prometheus import Series

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter

_COLUMNS = 4
_LEGEND_MAX = 8
_UNITS = {"s": "s", "cps": "1/s", "percentunit": "share", "bytes": "bytes"}


def draw(
    panels: Sequence[Mapping[str, Any]],
    answers: Mapping[str, Sequence[Series]],
    faults: Sequence[Mapping[str, Any]],
    from_s: float,
    file: Path,
) -> None:
    """Draw the panels that show numbers over time.

    Args:
        panels: Of the board.
        answers: By query, as it stands on the board, what it gave over the run.
        faults: What was done, with `at_s` after the start; grey lines.
        from_s: The start, in seconds since 1970.
        file: An SVG.
    """
    drawn = [it for it in panels if it["type"] in {"timeseries", "stat"}]
    rows = -(-len(drawn) // _COLUMNS)
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(5 * _COLUMNS, 2.6 * rows), sharex=True)
    for axes in grid.flat[len(drawn) :]:
        axes.set_axis_off()
    for panel, axes in zip(drawn, grid.flat, strict=False):
        for fault in faults:
            axes.axvline(fault["at_s"], color="0.85", linewidth=0.6)
        for target in panel["targets"]:
            for series in answers[target["expr"]]:
                times = [at_s - from_s for at_s, _ in series.samples]
                label = legend(target["legendFormat"], series.labels) or None
                axes.plot(times, [value for _, value in series.samples], linewidth=1, label=label)
        unit = _UNITS.get(panel["fieldConfig"]["defaults"].get("unit", ""), "")
        axes.set_title(f"{panel['title']}{f', {unit}' if unit else ''}", fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.set_ylim(bottom=0)
        if unit == "bytes":
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        if 0 < len(axes.get_legend_handles_labels()[1]) <= _LEGEND_MAX:
            axes.legend(fontsize=6, frameon=False, loc="upper left")
    for axes in grid[-1]:
        axes.set_xlabel("seconds", fontsize=8)
    figure.suptitle("The board's panels over the run; grey lines: something was done to the workers")
    figure.tight_layout()
    figure.savefig(file)
    plt.close(figure)


def legend(template: str, labels: Mapping[str, str]) -> str:
    """The name of a series, as Grafana makes it."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), template)
