"""From a window to forward passes: neighbours of like length, so that little of a batch is padding."""

from collections.abc import Sequence
from typing import NamedTuple

from contract.variants import Device


class Layout(NamedTuple):
    """How a device's forward passes are laid out.

    Attributes:
        callers: Passes at a time.
        threads: CPU threads of each.
        rows: Of a pass at most.
        tokens: Of a pass at most, padding included.
    """

    callers: int
    threads: int
    rows: int
    tokens: int


def default_layout(device: Device, cores: int) -> Layout:
    """What each device takes best as a rule (docs/performance.md); `python -m worker tune` measures one machine.

    On a CPU a pass on each core, of few tokens: nothing waits for the slowest part of a matrix product, and what a
    pass works on stays in the core's caches. A GPU has its full speed only in batches that a CPU has no use for;
    on an H200 four times as many tokens again brought a tenth more (docs/experiments.md).
    """
    return Layout(1, 1, 1_024, 16_384) if device == "cuda" else Layout(cores, 1, 64, 512)


def plan_batches(lengths: Sequence[int], *, rows_max: int, tokens_max: int) -> list[list[int]]:
    """Group the indices of a window by length, longest first.

    A padded batch costs its longest row times its rows; that product stays within `tokens_max`.

    Args:
        lengths: Tokens of each row, none of them above `tokens_max`.
        rows_max: Rows of a batch at most.
        tokens_max: Tokens of a batch at most, padding included.

    Returns:
        Batches of indices into `lengths`; every index once. Longest first, because a device that has served
        the largest shape needs no more memory for the others.
    """
    if any(length > tokens_max for length in lengths):
        raise ValueError(f"a row of {max(lengths)} tokens can't fit into a batch of {tokens_max}")
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        batch = batches[-1] if batches else None
        if batch and len(batch) < rows_max and lengths[batch[0]] * (len(batch) + 1) <= tokens_max:
            batch.append(index)
        else:
            batches.append([index])
    return batches
