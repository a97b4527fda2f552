"""What the worker remembers of the last minutes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.core.history import History, Rates, Sample, Totals, rates, stage_seconds
from worker.core.records import Partition

_P0 = Partition("in", 0)


def sample(at_s: float, read: int = 0, **labels: int) -> Sample:
    return Sample(at_s, Totals(read, labels, dead_letters=read // 10), {_P0: 7})


@given(st.lists(st.floats(0.01, 20), max_size=60))
def test_samples_are_few_and_apart(pauses_s: list[float]) -> None:
    """Of any number of moments: never more than the limit, the newest ones, none sooner than is due."""
    history, now_s = History(every_s=5, samples_max=4), 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        if history.is_due(now_s):
            history.add(sample(now_s))

    kept = [it.at_s for it in history.samples()]
    assert len(kept) <= 4
    assert bool(kept) == bool(pauses_s)
    assert all(after - before >= 5 for before, after in pairwise(kept))
    assert not kept or now_s - kept[-1] < 5


def test_rates_are_between_neighbours() -> None:
    """Of what was read, answered and put aside, a second; one sample has none."""
    assert rates([sample(1)]) == []
    found = rates([sample(0, 0), sample(10, 100, positive=60, negative=30), sample(15, 100, positive=100)])
    assert found == [Rates(10, 10, 9, 1), Rates(15, 0, 2, 0)]


def test_stages_are_those_of_the_time_looked_at() -> None:
    """A mean over the samples, not since the start; a stage that was not passed has none."""
    before = Sample(0, Totals(stages={"infer": (10, 100.0), "commit": (3, 1.0)}), {})
    after = Sample(9, Totals(stages={"infer": (12, 101.0), "commit": (3, 1.0), "publish": (2, 1.0)}), {})
    assert stage_seconds([before, after]) == {"infer": (2, 0.5), "publish": (2, 0.5)}
    assert stage_seconds([]) == {}
