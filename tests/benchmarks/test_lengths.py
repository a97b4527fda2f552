"""What texts of one length are, and what they cost."""

import numpy as np
import pytest

from benchmarks.flops import flops
from benchmarks.lengths import Figures, drawn, rows_of


@pytest.mark.parametrize("length", [3, 8, 500])
def test_texts_of_one_length_are_cut_out_of_the_stream(length: int) -> None:
    """Each begins and ends as the model expects, and all ids between are the stream's, in its order."""
    stream = list(range(1000, 1700))
    rows = rows_of(length, stream, 1_500, 101, 102)
    assert {len(row) for row in rows} == {length}
    assert len(rows) == 1_500 // length
    assert {(row[0], row[-1]) for row in rows} == {(101, 102)}
    inner = [token for row in rows for token in row[1:-1]]
    assert inner == [stream[place % len(stream)] for place in range(len(inner))]


def test_operations_are_those_of_the_products_as_they_are_written_down() -> None:
    """Four products of the attention's width, two of the feed-forward layer's, and two of each pair of tokens."""
    config = {"hidden_size": 3, "intermediate_size": 5, "num_hidden_layers": 7}
    counted = 0
    for length in (2, 4):
        projections = 4 * _product(length, 3, 3)
        forward = _product(length, 3, 5) + _product(length, 5, 3)
        attention = _product(length, 3, length) + _product(length, length, 3)
        counted += 7 * (projections + forward + attention)
    assert flops([2, 4], config) == counted


def _product(rows: int, inner: int, columns: int) -> int:
    return sum(2 for _ in np.ndindex(rows, inner, columns))


def test_the_picture_has_a_line_a_graph_and_one_for_its_limit() -> None:
    """And a mark for texts of lengths as they come, at their mean."""
    found = [
        Figures(graph, texts, tokens, 1, speed, 0.5)
        for graph, speed in (("a", 10), ("b", 20))
        for texts, tokens in (("8", 8), ("16", 16), ("as they come", 11))
    ]
    lines = drawn(found).axes[0].get_lines()
    assert [
        (line.get_label(), np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in lines
    ] == [
        ("a", [8, 16], [10, 10]),
        ("a, its limit", [8, 16], [20, 20]),
        ("a, as they come", [11], [10]),
        ("b", [8, 16], [20, 20]),
        ("b, its limit", [8, 16], [40, 40]),
        ("b, as they come", [11], [20]),
    ]
