"""What an observed run came to: a pure function of what Prometheus answered."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from dev.observed.counts import Tally
from dev.observed.prometheus import Series


def moved(series: Iterable[Series]) -> bool:
    """Whether a metric has taken more than one value, in one series or in several."""
    return len({value for it in series for _, value in it.samples}) > 1


def has_data(series: Iterable[Series]) -> bool:
    """Whether a query gave any number; a share of nothing is none."""
    return any(not math.isnan(value) for it in series for _, value in it.samples)


def judge(
    *,
    metrics: Mapping[str, Sequence[Series]],
    still: Collection[str],
    answers: Mapping[str, Sequence[Series]],
    fired: Collection[str],
    must_fire: Collection[str],
    may_fire: Collection[str],
    tally: Tally,
) -> list[str]:
    """What is wrong, each in words.

    Args:
        metrics: By name of the table, the samples of the whole run.
        still: The metrics that need not move.
        answers: By query of the board, what it gave over the run.
        fired: The alerts that fired.
        must_fire: The alerts that have to.
        may_fire: The alerts of which either is right.
        tally: The comparison with what the harness counted.
    """
    moving = {name for name, series in metrics.items() if moved(series)}
    return [
        *(f"metric {name}: never seen" for name, series in metrics.items() if not series),
        *(
            f"metric {name}: does not move"
            for name, series in metrics.items()
            if series and name not in {*moving, *still}
        ),
        *(f"query {query}: gives no data" for query, series in answers.items() if not has_data(series)),
        *(f"alert {name}: did not fire" for name in must_fire if name not in fired),
        *(f"alert {name}: fired, and should not" for name in fired if name not in {*must_fire, *may_fire}),
        *tally.problems,
    ]
