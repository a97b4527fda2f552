"""Peers beside each other: their best layouts, the labels that they keep, and how far the fastest is ahead."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

from rich.table import Table

from benchmarks.peers.contest import Found, Way

LABELS_KEPT_MIN = 0.985
"""Of the reference's: what keeps fewer answers another question, and is no peer to be compared with."""


class Row(NamedTuple):
    """A peer in a precision, in its best layout.

    Attributes:
        way: Which.
        median: Texts a second, of the rounds.
        least: Of the rounds.
        most: Of the rounds.
        rounds: How many.
        labels_kept: The share of the texts whose class is the reference's.
        mib: By how much its process has grown, in MiB.
        of_best_peer: The median, as a share of that of the fastest peer that keeps enough labels; None for none.
    """

    way: Way
    median: float
    least: float
    most: float
    rounds: int
    labels_kept: float
    mib: float
    of_best_peer: float | None


def compare(found: Found, ours: str) -> list[Row]:
    """A row for each peer and precision, the fastest first.

    Args:
        found: What was measured.
        ours: Its name; its fp32 is the reference.

    Raises:
        ValueError: If there is no reference.
    """
    reference = next((labels for way, labels in found.labels.items() if way[:2] == (ours, "fp32")), None)
    if reference is None:
        raise ValueError(f"{ours} did not score in fp32: {found.failed}")
    rows = [_row(way, found, reference) for way in _best_layouts(found.speeds)]
    peers = [it.median for it in rows if it.way.peer != ours and it.labels_kept >= LABELS_KEPT_MIN]
    if peers:
        rows = [row._replace(of_best_peer=row.median / max(peers)) for row in rows]
    return sorted(rows, key=lambda row: -row.median)


def table(rows: Sequence[Row], failed: dict[Way, str], title: str) -> Table:
    """For a terminal; what failed stands below, with its reason."""
    result = Table(title=title)
    for column in ("", "precision", "layout", "reviews/s", "of the best peer", "labels of fp32", "MiB"):
        result.add_column(column, justify="left" if column in ("", "precision", "layout") else "right")
    for way, middle, least, most, _, kept, mib, of_best in rows:
        ratio = "" if of_best is None else f"{of_best:.2f}"
        result.add_row(*way, f"{middle:.1f} ({least:.1f} to {most:.1f})", ratio, f"{kept:.1%}", f"{mib:,.0f}")
    for way, reason in failed.items():
        result.add_row(way.peer, way.precision, f"{way.layout} failed: {reason}".strip())
    return result


def _best_layouts(speeds: dict[Way, list[float]]) -> list[Way]:
    """Of each peer and precision the fastest of the layouts that were measured most often."""
    best: dict[tuple[str, str], Way] = {}
    for way, each in speeds.items():
        held = best.setdefault(way[:2], way)
        if (len(each), median(each)) > (len(speeds[held]), median(speeds[held])):
            best[way[:2]] = way
    return list(best.values())


def _row(way: Way, found: Found, reference: Sequence[int]) -> Row:
    speeds = found.speeds[way]
    # One that was left out early has answered the first of the texts.
    kept = fmean(one == other for one, other in zip(found.labels[way], reference, strict=False))
    return Row(way, median(speeds), min(speeds), max(speeds), len(speeds), kept, found.mib[way], None)
