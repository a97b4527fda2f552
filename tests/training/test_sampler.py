"""The order in which a run sees its data."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from training.sampler import EpochSampler


@given(
    st.lists(st.integers(2, 512), min_size=1, max_size=500), st.integers(1, 9), st.integers(0, 9), st.booleans()
)
def test_each_epoch_sees_every_row_once_in_a_repeatable_order(
    lengths: list[int], batch_size: int, epoch: int, group: bool
) -> None:
    """An epoch's order depends on seed and epoch alone; it has each row once, and a few again to fill a step."""
    first = EpochSampler(lengths, batch_size, seed=7, group_by_length=group)
    again = EpochSampler(lengths, batch_size, seed=7, group_by_length=group)
    list(again)
    first.set_epoch(epoch)
    again.set_epoch(epoch)

    order = list(first)

    assert set(order) == set(range(len(lengths)))
    assert len(order) == len(first) == -(-len(lengths) // batch_size) * batch_size
    assert max(Counter(order).values()) <= -(-batch_size // len(lengths)) + 1
    assert order == list(again)


def test_epochs_differ() -> None:
    """Another epoch or another seed is another order."""
    orders = set()
    for seed, epoch in ((0, 0), (0, 1), (5, 0)):
        order = EpochSampler([3] * 100, 8, seed, group_by_length=True)
        order.set_epoch(epoch)
        orders.add(tuple(order))
    assert len(orders) == 3


def test_groups_save_padding_and_are_mixed() -> None:
    """Rows of a batch are of like length, each batch is full, and long batches come at any time."""
    lengths = [(7 * index) % 500 + 2 for index in range(1003)]

    def batches(group: bool) -> list[list[int]]:
        order = list(EpochSampler(lengths, 8, 1, group_by_length=group))
        return [[lengths[index] for index in order[start : start + 8]] for start in range(0, len(order), 8)]

    padded = {group: sum(len(batch) * max(batch) for batch in batches(group)) for group in (True, False)}
    longest = [max(batch) for batch in batches(group=True)]
    assert padded[True] < 1.1 * sum(lengths) < padded[False]
    assert longest != sorted(longest, reverse=True)
