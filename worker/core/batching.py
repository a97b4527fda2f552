"""From a window to forward passes: neighbours of like length, so that little of a batch is padding."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from contract.variants import Device


class Layout(NamedTuple):
    """How a device's forward passes are laid out.

    Attributes:
        callers: Passes at a time.
        threads: CPU threads of each.
        rows: Of a pass at most.
        tokens: Of a pass at most, padding included.
        pass_tokens: See `plan_batches`.
    """

    callers: int
    threads: int
    rows: int
    tokens: int
    pass_tokens: int | None = None


PASS_TOKENS: dict[Device, int | None] = {"cpu": 8, "cuda": None}
"""On a CPU a pass costs little beside its tokens. A GPU's best graph has no padding, and its host no time."""


def default_layout(device: Device, cores: int) -> Layout:
    """What each device takes best as a rule (docs/performance.md); `python -m worker tune` measures one machine.

    On a CPU a pass on each core, of few tokens: nothing waits for the slowest part of a matrix product, and what a
    pass works on stays in the core's caches. A GPU has its full speed only in batches that a CPU has no use for;
    on an H200 four times as many tokens again brought a tenth more (docs/experiments.md).
    """
    cuda = device == "cuda"
    callers, rows, tokens = (1, 1_024, 16_384) if cuda else (cores, 64, 512)
    return Layout(callers, 1, rows, tokens, PASS_TOKENS[device])


def plan_batches(
    lengths: Sequence[int], *, rows_max: int, tokens_max: int, pass_tokens: int | None = None, callers: int = 1
) -> list[list[int]]:
    """Group the indices of a window by length, longest first.

    A padded batch costs its longest row times its rows; that product stays within `tokens_max`.

    Args:
        lengths: Tokens of each row, none of them above `tokens_max`.
        rows_max: Rows of a batch at most.
        tokens_max: Tokens of a batch at most, padding included.
        pass_tokens: What a pass costs beside its tokens, in tokens; then all of them cost the least that they can.
            None fills each batch before the next, which leaves more padding and takes the host less time.
        callers: Batches that run at a time. What could fill fewer is shared out among as many.

    Returns:
        Batches of indices into `lengths`; every index once. Longest first, because a device that has served
        the largest shape needs no more memory for the others.
    """
    if any(length > tokens_max for length in lengths):
        raise ValueError(f"a row of {max(lengths)} tokens can't fit into a batch of {tokens_max}")
    if callers > 1 and lengths:
        tokens_max = min(tokens_max, max(*lengths, math.ceil(sum(lengths) / callers)))
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    sizes = [lengths[i] for i in order]
    cut = _filled if pass_tokens is None else partial(_cheapest, pass_tokens=pass_tokens)
    starts = cut(sizes, rows_max, tokens_max)
    return [order[start:end] for start, end in pairwise([*starts, len(order)])]


def _filled(sizes: Sequence[int], rows_max: int, tokens_max: int) -> list[int]:
    """Where each batch of rows that get shorter begins."""
    starts: list[int] = []
    for place in range(len(sizes)):
        rows = place - starts[-1] if starts else rows_max
        if rows == rows_max or sizes[starts[-1]] * (rows + 1) > tokens_max:
            starts.append(place)
    return starts


def _cheapest(sizes: Sequence[int], rows_max: int, tokens_max: int, pass_tokens: int) -> list[int]:
    """Likewise, at the least cost: of the rows up to each place, by where the last of their batches begins."""
    costs, begins = [0], [0]
    for end in range(1, len(sizes) + 1):
        least, begin = -1, end
        for start in range(end - 1, max(-1, end - 1 - rows_max), -1):
            padded = sizes[start] * (end - start)
            if padded > tokens_max:
                break
            cost = costs[start] + padded + pass_tokens
            if least < 0 or cost < least:
                least, begin = cost, start
        costs.append(least)
        begins.append(begin)
    starts, end = [], len(sizes)
    while end:
        end = begins[end]
        starts.append(end)
    return starts[::-1]
