"""The rows of a run, and the order in which it sees them."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

_GROUPED_BATCHES = 50  # are sorted by length together: like lengths in a batch, yet another mix every epoch


class EncodedReviews(Dataset[dict[str, Any]]):
    """Token ids with what is to be learnt of each row, such as `labels`; a batch is padded to its longest."""

    def __init__(self, rows: Sequence[Sequence[int]], **targets: Sequence[Any]) -> None:
        self.rows, self._targets = rows, targets

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.rows[index]} | {name: of[index] for name, of in self._targets.items()}


class EpochOrder(Sampler[int]):
    """A random order that depends on seed and epoch alone, so that a resumed run sees what it had not seen yet.

    The Trainer's own length groups take the order from the global random state, which is another one after a
    restart. Each step is full: the last one of an epoch is filled up with the first rows, or its processes would
    not have equally many.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, *, group_by_length: bool) -> None:
        """Take the lengths of all rows in tokens, and the rows of a step over all processes."""
        self._lengths, self._batch_size, self._seed = lengths, batch_size, seed
        self._group_by_length = group_by_length
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """What the Trainer calls before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._lengths) // self._batch_size) * self._batch_size

    def __iter__(self) -> Iterator[int]:
        randomly = torch.Generator().manual_seed(self._seed + self._epoch)
        order = torch.randperm(len(self._lengths), generator=randomly).tolist()
        order += [order[index % len(order)] for index in range(len(self) - len(order))]
        if not self._group_by_length:
            return iter(order)
        size = self._batch_size * _GROUPED_BATCHES
        groups = (order[start : start + size] for start in range(0, len(order), size))
        batches = [batch for group in groups for batch in self._batches(group)]
        return iter(
            [row for at in torch.randperm(len(batches), generator=randomly).tolist() for row in batches[at]]
        )

    def _batches(self, group: list[int]) -> list[list[int]]:
        by_length = sorted(group, key=lambda index: self._lengths[index], reverse=True)
        return [
            by_length[start : start + self._batch_size] for start in range(0, len(by_length), self._batch_size)
        ]
