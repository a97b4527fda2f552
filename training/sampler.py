"""The rows of a run, and the order in which it sees them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.utils.data import Dataset, Sampler

from training.tokens import Rows

_GROUPED_BATCHES = 50  # are sorted by length together: like lengths in a batch, yet another mix every epoch


class EncodedReviews(Dataset[dict[str, Any]]):
    """Token ids with what is to be learnt of each row, such as `labels`; a batch is padded to its longest."""

    def __init__(self, rows: Sequence[Sequence[int]], **targets: ArrayLike) -> None:
        """Take the rows, and targets whose first axis is the rows'."""
        self.rows = rows
        self._targets = {name: np.asarray(of) for name, of in targets.items()}

    @property
    def lengths(self) -> ArrayLike:
        """Tokens of each row, shape (rows,)."""
        return self.rows.lengths if isinstance(self.rows, Rows) else [len(row) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.rows[index]} | {name: of[index].tolist() for name, of in self._targets.items()}


class EpochSampler(Sampler[int]):
    """A random order that depends on seed and epoch alone, so that a resumed run sees what it had not seen yet.

    The Trainer's own length groups take the order from the global random state, which is another one after a
    restart. Each step is full: the last one of an epoch is filled up with the first rows, or its processes would
    not have equally many.
    """

    def __init__(self, lengths: ArrayLike, batch_size: int, seed: int, *, group_by_length: bool) -> None:
        """Take the lengths of all rows in tokens, and the rows of a step over all processes."""
        self._lengths, self._batch_size, self._seed = np.asarray(lengths), batch_size, seed
        self._group_by_length = group_by_length
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """What the Trainer calls before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._lengths) // self._batch_size) * self._batch_size

    def __iter__(self) -> Iterator[int]:
        randomly = torch.Generator().manual_seed(self._seed + self._epoch)
        order = np.resize(torch.randperm(len(self._lengths), generator=randomly).numpy(), len(self))
        if self._group_by_length:
            group = np.arange(len(order)) // (self._batch_size * _GROUPED_BATCHES)
            batches = order[np.lexsort((-self._lengths[order], group))].reshape(-1, self._batch_size)
            order = batches[torch.randperm(len(batches), generator=randomly).numpy()].ravel()
        return map(int, order)
