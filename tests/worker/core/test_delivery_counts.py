"""Delivery counts, and the metadata that carries them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.delivery_counts import DELIVERIES_MAX, DeliveryCount

counts = st.builds(
    DeliveryCount, st.integers(0, 9), st.integers(0, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 1)
)


@given(counts)
def test_a_count_survives_the_metadata_of_a_commit(count: DeliveryCount) -> None:
    """What is written is read again; a count with nothing to say is no metadata at all."""
    assert DeliveryCount.parse(str(count)) == count
    assert str(DeliveryCount()) == ""


@pytest.mark.parametrize("metadata", [None, "", "not json", "[]", "3", '{"deaths": "x"}', '{"deaths": null}'])
def test_the_metadata_of_others_counts_as_nothing(metadata: str | None) -> None:
    """Other programs write there what they like."""
    assert DeliveryCount.parse(metadata) == DeliveryCount()


def test_counts_of_the_version_before_are_read() -> None:
    """A rolling upgrade must not forget who died where."""
    written = '{"deaths":2,"suspects_until":90,"singly_until":40,"trying":7,"condemned":1}'
    assert DeliveryCount.parse(written) == DeliveryCount(2, 90, 40, 7, 1)


@given(counts)
def test_beginning_and_leaving_in_good_order_changes_nothing(count: DeliveryCount) -> None:
    """A worker that comes and goes is no death; one that got further has disproved the deaths before it."""
    assert count.begun().left(progressed=False).count == count.count
    assert count.begun().left(progressed=True).count == 0
    assert not count.begun().in_trial, "only the mark of one record says that it was tried"
    assert count.begun().left(progressed=False).begun().poison == count.begun().poison, "a verdict stays"
    assert not count.begun().left(progressed=True).poison, "until its record is settled"


@given(counts, st.integers(0, 120), st.integers(1, 50))
def test_after_too_many_deaths_the_next_records_are_isolated_once(
    count: DeliveryCount, first_offset: int, offsets: int
) -> None:
    """So many from the position on, with deaths counted anew; where records are isolated already, they stay so."""
    isolating = count.isolating(first_offset, offsets)
    if count.count < DELIVERIES_MAX or count.isolated_until > first_offset:
        assert isolating == count
    else:
        assert (isolating.count, isolating.isolated_until) == (0, first_offset + offsets)
        assert (isolating.single_until, isolating.poison) == (count.single_until, count.poison)
    assert isolating.isolating(first_offset, offsets) == isolating
