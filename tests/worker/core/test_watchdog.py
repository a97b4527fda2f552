"""The watchdog reports what stands still with work to do."""

from hypothesis import given
from hypothesis import strategies as st

from worker.core.records import Partition
from worker.core.watchdog import Watchdog

PARTITIONS = [Partition("reviews", number) for number in range(3)]


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_the_watchdog_reports_what_stands_still_with_work_to_do(steps: list[tuple[int, int, int]]) -> None:
    """A partition stalls when for 10 s it was behind its end and its settled position was the same."""
    watchdog, now_s, settled, end, since_s = Watchdog(10), 0.0, -1, 0, 0.0
    for wait_s, moves, comes in steps:
        before, now_s = settled, now_s + wait_s
        settled, end = min(end, max(settled, 0) + moves), end + comes
        if settled != before or settled >= end:
            since_s = now_s
        stalled = watchdog.observe(now_s, {PARTITIONS[0]: (settled, end)})
        assert (PARTITIONS[0] in stalled) == (settled < end and now_s - since_s >= 10)
    assert watchdog.observe(now_s + 100, {}) == set(), "what is no longer ours is forgotten"


def test_what_waits_for_its_turn_does_not_stall_while_another_moves() -> None:
    """Slow publishing holds up all partitions but the one whose turn it is; when nothing moves, all stall."""
    one, other, third = PARTITIONS
    watchdog, now_s = Watchdog(10), 0.0
    for settled in range(20):
        now_s += 4
        stalled = watchdog.observe(now_s, {one: (settled, 99), other: (0, 99), third: (0, 99)}, {other})
    assert stalled == {third}, "what nobody holds is not waiting for us"
    assert watchdog.observe(now_s + 10, {one: (19, 99), other: (0, 99)}, {other}) == {one, other}
