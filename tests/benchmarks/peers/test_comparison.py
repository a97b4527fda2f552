"""Which peer is the one to be compared with, and what a table tells."""

import pytest
from rich.console import Console

from benchmarks.peers.comparison import compare, table
from benchmarks.peers.contest import Found, Way

_OURS = Way("ours", "fp32", "2 x 1")
_RIGHT = [0, 1, 2] * 100


def found(**others: tuple[list[float], int]) -> Found:
    """Ours at 50 texts a second beside these: the speeds of their rounds, and how many labels they lose."""
    lost_one = {Way("lost"): "can't be installed"}
    result = Found({_OURS: [50.0]}, {_OURS: _RIGHT}, {_OURS: 100.0}, failed=lost_one)
    for name, (speeds, lost) in others.items():
        way = Way(name, "int8", "1 x 2")
        result.speeds[way], result.labels[way], result.mib[way] = speeds, [9] * lost + _RIGHT[lost:], 2_000.0
    return result


def test_the_best_peer_is_the_fastest_that_keeps_the_labels() -> None:
    """98.5 % of those of our fp32: one that is faster and keeps fewer is shown, and no standard."""
    rows = {row.way.peer: row for row in compare(found(a=([100.0], 4), b=([400.0], 5), c=([25.0], 0)), "ours")}
    assert {name: row.of_best_peer for name, row in rows.items()} == {"b": 4.0, "a": 1.0, "ours": 0.5, "c": 0.25}
    assert rows["a"].labels_kept == pytest.approx(296 / 300)
    assert list(rows) == ["b", "a", "ours", "c"]


def test_without_such_a_peer_nothing_is_compared() -> None:
    """Ours is never its own standard."""
    assert [row.of_best_peer for row in compare(found(b=([400.0], 5)), "ours")] == [None, None]


def test_a_layout_that_was_left_out_early_is_not_the_best_for_a_lucky_round() -> None:
    """Medians count, of the layouts that went on."""
    result = found(a=([90.0, 110.0, 100.0], 0))
    early = Way("a", "int8", "2 x 1")
    result.speeds[early], result.labels[early], result.mib[early] = [101.0], _RIGHT[:100], 50.0
    row = compare(result, "ours")[0]
    assert (row.way.layout, row.median, row.least, row.most, row.rounds) == ("1 x 2", 100.0, 90.0, 110.0, 3)


def test_without_our_fp32_there_is_nothing_to_compare_with() -> None:
    """And it says what became of it."""
    with pytest.raises(ValueError, match="no kernel"):
        compare(Found(failed={_OURS: "no kernel"}), "ours")


def test_the_table_names_what_failed() -> None:
    """With its reason, below what was measured."""
    console = Console(width=150)
    result = found(a=([90.0, 110.0, 100.0], 0))
    with console.capture() as shown:
        console.print(table(compare(result, "ours"), result.failed, "a machine"))
    assert "100.0 (90.0 to 110.0)" in shown.get()
    assert "2,000" in shown.get()
    assert "lost" in shown.get()
    assert "failed: can't be installed" in shown.get()
