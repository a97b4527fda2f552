"""Windows, batches, isolation, back-pressure and breaker: the pure decisions."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.encoding import truncate
from contract.scoring import Temperature, probabilities
from worker.core.backpressure import BackPressure, Marks
from worker.core.batching import plan_batches
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Partition, Record
from worker.core.retry import run_isolating
from worker.core.windows import Pace, WindowBuilder, WindowPolicy

PARTITION = Partition("reviews", 0)


def records(sizes_bytes: Sequence[int], partition: Partition = PARTITION) -> list[Record]:
    return [Record(partition, offset, 0, None, b"x" * size) for offset, size in enumerate(sizes_bytes)]


def builder(pace: Pace | None = None, *, records_max: int = 4, wait_ms_max: float = 0) -> WindowBuilder:
    policy = WindowPolicy(records_max, window_ms_target=100, wait_ms_max=wait_ms_max, value_bytes_max=1000)
    return WindowBuilder(policy, pace or Pace())


@given(st.lists(st.integers(1, 64), max_size=100), st.integers(1, 10), st.integers(64, 300))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], rows_max: int, tokens_max: int) -> None:
    """Every index stands in one batch; rows and padded tokens stay within their limits; long ones come first."""
    plan = plan_batches(lengths, rows_max=rows_max, tokens_max=tokens_max)

    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= rows_max
        assert len(batch) * max(lengths[index] for index in batch) <= tokens_max
    flat = [lengths[index] for batch in plan for index in batch]
    assert flat == sorted(flat, reverse=True)


def test_a_row_beyond_the_budget_is_a_mistake_of_the_settings() -> None:
    """A row that fits no batch is refused rather than waiting for ever."""
    with pytest.raises(ValueError, match="can't fit"):
        plan_batches([65], rows_max=1, tokens_max=64)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_only_the_rows_that_fail_alone_fail(bad: list[bool]) -> None:
    """Whatever mixture of rows a batch holds, good ones get their answer and bad ones their own exception."""

    def run(rows: Sequence[int]) -> list[int]:
        if any(bad[row] for row in rows):
            raise RuntimeError("poison")
        return [row * 10 for row in rows]

    answers = run_isolating(range(len(bad)), run)

    for row, answer in enumerate(answers):
        assert isinstance(answer, RuntimeError) if bad[row] else answer == row * 10


def test_a_passing_fault_costs_a_retry_and_nothing_else() -> None:
    """A batch that fails once and then works is not halved."""
    calls: list[int] = []

    def run(rows: Sequence[int]) -> list[int]:
        calls.append(len(rows))
        if len(calls) == 1:
            raise RuntimeError("hiccup")
        return list(rows)

    assert run_isolating([1, 2, 3], run) == [1, 2, 3]
    assert calls == [3, 3]


def test_fatal_errors_pass_and_large_batches_halve_at_once() -> None:
    """A lost device is nobody's poison; a batch too large is not tried again at its size."""
    sizes: list[int] = []

    def too_large(rows: Sequence[int]) -> list[int]:
        sizes.append(len(rows))
        if len(rows) > 1:
            raise MemoryError
        return list(rows)

    assert run_isolating([1, 2], too_large, too_large=(MemoryError,)) == [1, 2]
    assert sizes == [2, 1, 1]

    def lost(rows: Sequence[int]) -> list[int]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_isolating([1, 2], lost, fatal=(ConnectionError,))


def test_an_idle_device_never_waits_while_records_do() -> None:
    """With `wait_ms_max` 0 one record is enough for an idle device, and not for a busy one."""
    windows = builder()
    assert windows.closes_in_s(0, device_idle=True) is None

    windows.add(records([10]), now_s=0)

    assert windows.closes_in_s(0, device_idle=True) == 0
    assert windows.closes_in_s(0, device_idle=False) is None


def test_a_full_window_closes_for_a_busy_device_too() -> None:
    """`records_max` records close a window whatever the device does, so that it is prepared in advance."""
    windows = builder(records_max=2)
    windows.add(records([10, 10, 10]), now_s=0)

    assert windows.closes_in_s(0, device_idle=False) == 0
    assert [item.offset for item in windows.close()] == [0, 1]
    assert windows.closes_in_s(0, device_idle=False) is None


def test_waiting_is_counted_from_the_first_record() -> None:
    """`wait_ms_max` runs from the oldest record that waits."""
    windows = builder(wait_ms_max=50)
    windows.add(records([10]), now_s=1.0)

    assert windows.closes_in_s(1.02, device_idle=True) == pytest.approx(0.03)
    assert windows.closes_in_s(1.06, device_idle=True) == 0


def test_the_pace_of_the_device_bounds_a_window() -> None:
    """At 1 byte a millisecond and 100 ms, a window takes 100 bytes; a longer value counts as truncated."""
    pace = Pace()
    pace.observe(size_bytes=1000, elapsed_ms=1000)
    windows = builder(pace)
    windows.add(records([60, 60, 5000]), now_s=0)

    assert len(windows.close()) == 1
    assert windows.cost(records([5000])[0]) == 1000
    assert len(windows.close()) == 1, "at least one record, however long"


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 50)), max_size=30))
def test_dropping_a_partition_leaves_the_others_in_order(items: list[tuple[int, int]]) -> None:
    """What is dropped is exactly the partition's, and the bytes waiting are those of the rest."""
    windows = builder(records_max=1000)
    for offset, (number, size) in enumerate(items):
        windows.add([Record(Partition("t", number), offset, 0, None, b"x" * size)], now_s=0)

    dropped = windows.drop([Partition("t", 0)])

    kept = [offset for offset, (number, _) in enumerate(items) if number == 1]
    assert [r.offset for rs in dropped.values() for r in rs] == [o for o, (n, _) in enumerate(items) if n == 0]
    assert windows.waiting_bytes == sum(items[offset][1] for offset in kept)
    assert len(windows) == len(kept)
    if kept:
        assert [record.offset for record in windows.close()] == kept


def test_back_pressure_has_two_marks() -> None:
    """Reading pauses at the high mark of either measure and goes on at half of both."""
    pressure = BackPressure(Marks(records_high=100, bytes_high=1000))

    assert [pressure.update(*held) for held in [(99, 0), (100, 0), (51, 0), (50, 501), (50, 500), (0, 1000)]] == [
        False, True, True, True, False, True,
    ]  # fmt: skip


def test_the_breaker_counts_by_partition_over_its_window() -> None:
    """It trips above the ratio, only once the window is full, and names the partition."""
    breaker = Breaker(BreakerPolicy(ratio_max=0.5, records_min=4))
    other = Partition("reviews", 1)
    for _ in range(10):
        breaker.observe(other, model_failed=False)
    for failed in (True, True, True):
        breaker.observe(PARTITION, model_failed=failed)
    assert breaker.tripped() is None

    breaker.observe(PARTITION, model_failed=False)

    assert breaker.tripped() == PARTITION


@given(st.lists(st.integers(), max_size=40), st.integers(1, 20))
def test_truncation_keeps_the_ends_it_promises(ids: list[int], tokens_max: int) -> None:
    """`head` keeps a prefix; `head+tail` a quarter of the budget from the front and the rest from the back."""
    head = truncate(ids, tokens_max, "head")
    both = truncate(ids, tokens_max, "head+tail")

    assert head == ids[:tokens_max]
    assert len(both) == min(len(ids), tokens_max)
    if len(ids) > tokens_max:
        assert both == ids[: tokens_max // 4] + ids[-(tokens_max - tokens_max // 4) :]


_a_temperature = st.floats(0.1, 10)


@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.one_of(_a_temperature, st.tuples(_a_temperature, _a_temperature, _a_temperature)),
)
def test_temperature_moves_probabilities_and_never_the_label(
    logits: list[float], temperature: Temperature
) -> None:
    """Each row sums to 1 and its largest stays where it was."""
    row = np.array([logits], dtype=np.float32)
    scaled = probabilities(row, temperature)[0]
    its_own = temperature[row[0].argmax()] if isinstance(temperature, tuple) else temperature

    assert np.array_equal(scaled, probabilities(row, its_own)[0])
    assert scaled.sum() == pytest.approx(1)
    assert scaled[row[0].argmax()] == scaled.max()
