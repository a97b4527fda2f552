"""How often does a threshold break the promise for which it was chosen?

A threshold is chosen on some texts of a simulated classifier whose true precision above every threshold is known.
The rule that export uses stands beside the plain one (the smallest threshold whose measured precision reaches what
was asked), in the same draws. Run it with `python -m benchmarks.abstention`; it takes some seconds.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from evaluation.abstention import choose_threshold

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]

_PRECISION, _ROUNDS, _CROWD = 0.95, 400, 400_000
_TEXTS = (300, 1000, 5000)


def _falling(randomly: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """Calibrated: three quarters of the texts are easy."""
    easy = randomly.random(rows) < 0.75  # noqa: PLR2004
    confidence = 1 / 3 + 2 / 3 * np.where(easy, randomly.beta(30, 1, rows), randomly.beta(3, 1.5, rows))
    return confidence, confidence


def _flat(randomly: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """The worst case: confidence tells nothing, and every threshold misses the precision by a hair."""
    return randomly.random(rows), np.full(rows, _PRECISION - 0.001)


def _plain(confidence: Floats, right: NDArray[np.bool_]) -> float | None:
    order = np.argsort(-confidence)
    reached = np.flatnonzero(right[order].cumsum() / np.arange(1, len(order) + 1) >= _PRECISION)
    return float(confidence[order[reached[-1]]]) if len(reached) else None


def _sure(confidence: Floats, right: NDArray[np.bool_]) -> float | None:
    return choose_threshold(confidence, right, _PRECISION)


def _measure(draw: Draw, rows: int) -> dict[str, tuple[float, float, float]]:
    """For each rule the share of broken promises, the mean loss of precision in these, and the mean coverage."""
    randomly = np.random.default_rng(2018)
    crowd, accuracy = draw(randomly, _CROWD)
    order = np.argsort(-crowd)
    descending, precision = -crowd[order], accuracy[order].cumsum() / np.arange(1, _CROWD + 1)
    losses: dict[str, list[float]] = {"plain": [], "export's": []}
    covered: dict[str, list[float]] = {"plain": [], "export's": []}
    for _ in range(_ROUNDS):
        confidence, chance = draw(randomly, rows)
        right = randomly.random(rows) < chance
        for name, rule in (("plain", _plain), ("export's", _sure)):
            below = rule(confidence, right)
            kept = 0 if below is None else int(np.searchsorted(descending, -below, side="right"))
            covered[name].append(kept / _CROWD)
            if kept and precision[kept - 1] < _PRECISION:
                losses[name].append(float(_PRECISION - precision[kept - 1]))
    return {
        name: (len(lost) / _ROUNDS, sum(lost) / max(1, len(lost)), sum(covered[name]) / _ROUNDS)
        for name, lost in losses.items()
    }


def main() -> None:
    """Print the table."""
    table = Table(
        "classifier", "texts", "rule", "promises broken", "by", "answered", title=f"precision {_PRECISION}"
    )
    for kind, draw in (("confidence tells", _falling), ("confidence tells nothing", _flat)):
        for rows in _TEXTS:
            for rule, (broken, loss, coverage) in _measure(draw, rows).items():
                table.add_row(kind, str(rows), rule, f"{broken:.1%}", f"{loss:.4f}", f"{coverage:.1%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
