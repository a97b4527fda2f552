"""What the matrix products of a graph are fed with."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from export.int8.activations import TEXTS_MAX, calibration_texts, observe


def test_watching_a_graph_leaves_it_as_it_was(exported: Path) -> None:
    """Calibration reads activations of a copy: the graph that is quantised gets no new outputs."""
    import onnx  # noqa: PLC0415 - one test needs it

    model = onnx.load(exported / "model.onnx")
    tensor = next(node for node in model.graph.node if node.op_type == "MatMul").input[0]
    observed = observe(model, [tensor], [[2, 7, 3], [2, 9, 9, 3]])[tensor]
    assert [output.name for output in model.graph.output] == ["logits"]
    assert observed.rows.shape[1] == observed.low.shape[0] == observed.high.shape[0] == 32
    assert (observed.low <= observed.rows).all()
    assert (observed.rows <= observed.high).all()


@given(st.integers(1, 5 * TEXTS_MAX))
def test_scales_are_chosen_on_texts_of_all_places(count: int) -> None:
    """At most `TEXTS_MAX`, evenly spread, the first among them; all where there are no more."""
    chosen = [row[0] for row in calibration_texts([[number] for number in range(count)])]
    steps = {later - earlier for earlier, later in pairwise(chosen)}
    assert chosen[0] == 0
    assert len(chosen) == count if count <= TEXTS_MAX else TEXTS_MAX / 2 < len(chosen) <= TEXTS_MAX
    assert len(steps) <= 1
    assert count - chosen[-1] <= max(steps, default=1)
