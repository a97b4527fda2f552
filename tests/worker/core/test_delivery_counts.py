"""Delivery counts, and the metadata that carries them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.delivery_counts import DELIVERIES_MAX, DeliveryCount

counts = st.builds(
    DeliveryCount, st.integers(0, 9), st.integers(0, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 1),
    st.integers(0, 99),
)  # fmt: skip
offsets = st.integers(0, 120)


@given(counts)
def test_a_count_survives_the_metadata_of_a_commit(count: DeliveryCount) -> None:
    """What is written is read again; a count with nothing to say is no metadata at all."""
    assert DeliveryCount.parse(str(count)) == count
    assert str(DeliveryCount()) == ""


@pytest.mark.parametrize(
    "metadata",
    [None, "", "not json", "[]", "3", '{"deaths": "x"}', '{"deaths": null}', '{"count":1e999}', "[" * 4000],
)
def test_the_metadata_of_others_counts_as_nothing(metadata: str | None) -> None:
    """Other programs write there what they like."""
    assert DeliveryCount.parse(metadata) == DeliveryCount()


def test_counts_of_the_version_before_are_read() -> None:
    """A rolling upgrade must not forget who died where."""
    written = '{"deaths":2,"suspects_until":90,"singly_until":40,"trying":7,"condemned":1}'
    assert DeliveryCount.parse(written) == DeliveryCount(2, 90, 40, 7, 1)


@given(counts, offsets, offsets)
def test_beginning_and_leaving_in_good_order_changes_nothing(count: DeliveryCount, read: int, end: int) -> None:
    """A worker that comes and goes is no death; one that settled what the dead had read has disproved them."""
    begun = count.begun(read)
    for progressed in (False, True):
        left = begun.left(end, progressed=progressed)
        assert left.count == (0 if progressed and end >= begun.read_until else count.count)
        assert left.read_until == (begun.read_until if left.count else 0)
    assert not begun.in_trial, "only the mark of one record says that it was tried"
    assert begun.left(end, progressed=False).begun(read).poison == begun.poison, "a verdict stays"
    assert not begun.left(end, progressed=True).poison, "until its record is settled"


@given(counts, offsets, offsets, offsets)
def test_a_death_is_disproved_by_settling_all_that_the_dead_had_read(
    found: DeliveryCount, read: int, position: int, read_by_now: int
) -> None:
    """A commit before that keeps the count, however far it moved; one beyond says what its own worker has read."""
    begun = found.begun(read)
    assert begun.read_until == max(found.read_until, read)
    moved = begun.moved(position, read_by_now)
    if position < begun.read_until:
        assert (moved.count, moved.read_until) == (found.count + 1, begun.read_until)
    else:
        assert (moved.count, moved.read_until) == (1, read_by_now)


@given(counts, st.integers(0, 120), st.integers(1, 50))
def test_after_too_many_deaths_the_next_records_are_isolated_once(
    count: DeliveryCount, first_offset: int, offsets: int
) -> None:
    """So many from the position on, with deaths counted again; what is isolated already stays so."""
    isolating = count.isolating(first_offset, offsets)
    if count.count < DELIVERIES_MAX or count.isolated_until > first_offset:
        assert isolating == count
    else:
        assert (isolating.count, isolating.isolated_until) == (0, first_offset + offsets)
        assert not isolating.read_until
        assert (isolating.single_until, isolating.poison) == (count.single_until, count.poison)
    assert isolating.isolating(first_offset, offsets) == isolating
