"""The inputs of a graph: rows of token ids, padded to the longest, or packed one after the other."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

PADDED_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""Those of a Hugging Face BERT, int64 of shape (rows, longest)."""

PACKED_INPUTS: dict[str, tuple[str, ...]] = {
    "input_ids": ("tokens",),
    "position_ids": ("tokens",),
    "token_offset": ("rows", "longest"),
    "cumulative_sequence_length": ("rows_and_one",),
}
"""Names and axes, all of them int32; the last two are as ONNX Runtime's PackedAttention has them."""


def pad_rows(rows: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    """The inputs of a padded graph; padding is token 0 with mask 0, and every token is of the first segment.

    Args:
        rows: Token ids of each row, not all of them empty.
    """
    is_token = _is_token(_lengths(rows))
    ids = np.zeros(is_token.shape, dtype=np.int64)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    return {
        "input_ids": ids,
        "attention_mask": is_token.astype(np.int64),
        "token_type_ids": np.zeros_like(ids),
    }


def pack_rows(rows: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int32]]:
    """The inputs of a packed graph.

    Args:
        rows: Token ids of each row, none of them empty.

    Returns:
        `input_ids` and `position_ids` of shape (tokens,), row after row; `token_offset` of shape (rows, longest),
        the places of all tokens in the padded batch, then those of the padding; `cumulative_sequence_length` of
        shape (rows + 1,), where each row begins, and where the last one ends.
    """
    lengths = _lengths(rows)
    is_token = _is_token(lengths)
    offsets = np.arange(is_token.size, dtype=np.int32).reshape(is_token.shape)
    positions = np.broadcast_to(np.arange(is_token.shape[1], dtype=np.int32), is_token.shape)
    return {
        "input_ids": np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=int(lengths.sum())),
        "position_ids": positions[is_token],
        "token_offset": np.concatenate([offsets[is_token], offsets[~is_token]]).reshape(is_token.shape),
        "cumulative_sequence_length": np.concatenate([[0], lengths.cumsum()]).astype(np.int32),
    }


def _lengths(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))


def _is_token(lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each place in the padded batch, shape (rows, longest)."""
    result: NDArray[np.bool_] = np.arange(int(lengths.max())) < lengths[:, None]
    return result
