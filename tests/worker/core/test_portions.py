"""Portions: all of a window in order, and a pace that finds what can be published in time."""

from hypothesis import given
from hypothesis import strategies as st

from worker.core.ledger import Ledger
from worker.core.portions import PublishPace, cut
from worker.core.records import Chunk, Partition, Record, Window

PARTITIONS = [Partition("in", number) for number in range(3)]


@given(st.lists(st.tuples(st.sampled_from(PARTITIONS), st.integers(1, 3)), min_size=1, max_size=30), st.data())
def test_parts_of_a_window_settle_what_the_window_would(
    steps: list[tuple[Partition, int]], data: st.DataObject
) -> None:
    """Each part moves the positions by its own records, never past the next one's; all of them, to the end."""
    ledger, ends, records = Ledger(), dict.fromkeys(PARTITIONS, 0), []
    ledger.assign(PARTITIONS)
    for partition, gap in steps:
        record = Record(partition, ends[partition] + gap - 1, 0, b"k", b"v")
        ends[partition] += gap
        records.append(record)
        ledger.receive(Chunk(partition, (record,), ends[partition]))
    window = Window(tuple(records), ledger.ranges(records))
    sizes: list[int] = []
    while (left := len(records) - sum(sizes)) > 0:
        sizes.append(data.draw(st.integers(1, left)))
    settled = 0
    for part, size in zip(cut(window, sizes), sizes, strict=True):
        assert part.records == window.records[settled : settled + size]
        settled += size
        ledger.settle(part)
        for partition, offset in ledger.due().items():
            left_offsets = [r.offset for r in records[settled:] if r.partition == partition]
            assert offset.position <= min(left_offsets, default=ends[partition])
    assert {p: offset.position for p, offset in ledger.due().items()} == {p: end for p, end in ends.items() if end}


def test_quick_publications_make_portions_larger_and_windows_have_no_limit() -> None:
    """Where publishing is quick, portions soon hold any window; one that was not full proves nothing."""
    pace = PublishPace(2.0)
    first = pace.limit_bytes
    pace.observe(int(first / 4), 0.01)
    assert pace.limit_bytes == first
    for _ in range(15):
        pace.observe(int(pace.limit_bytes), 0.01)
    grown = pace.limit_bytes
    assert grown > 400 * first
    assert pace.window_bytes == float("inf")
    pace.observe(int(grown), 1.5)
    assert pace.limit_bytes == pace.window_bytes == grown, "as long as it should take"


@given(st.floats(5_000, 5_000_000))
def test_under_a_quota_portions_find_its_pace(bytes_per_s: float) -> None:
    """Kafka's quota holds its average of ten seconds: no portion costs more, save the first under a tiny one."""
    pace, now_s, total, costs = PublishPace(2.0), 0.0, 0.0, []
    for _ in range(80):
        size = max(1, int(pace.limit_bytes))
        total += size
        now_s += 0.01
        throttle_s = max(0.0, total / bytes_per_s - 10 - now_s)
        costs.append(0.01 + throttle_s)
        pace.observe(size, costs[-1])
        now_s += throttle_s
    assert max(costs) < 10 or bytes_per_s < 10_000
    assert max(costs[60:]) < 3 * 2.0
    assert total / now_s > 0.3 * bytes_per_s, "nor does it publish much less than it may"
    assert pace.window_bytes == pace.limit_bytes


def test_a_portion_is_never_less_than_a_byte() -> None:
    """However slow it is, at least a record is tried."""
    pace = PublishPace(2.0)
    for _ in range(20):
        pace.observe(0, 1000)
    assert pace.limit_bytes == 1
