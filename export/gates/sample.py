"""Texts as the worker's encoder sees them, and the proof that training saw the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import UsageError
from contract.fields import Fields
from export.checkpoint import Checkpoint
from export.errors import CheckpointRefusedError
from worker.adapters.encoder import TokenizersEncoder
from worker.ports import Encoder


@dataclass(frozen=True)
class Sample:
    """Texts and their token ids; the first `shareable` of them may be written into the bundle."""

    texts: tuple[Fields, ...]
    rows: list[list[int]]
    shareable: int


def load_encoder(checkpoint: Checkpoint) -> TokenizersEncoder:
    """The worker's encoder with the checkpoint's tokenizer.

    Raises:
        UsageError: If `tokenizer.json` is not one of a BERT.
    """
    try:
        return TokenizersEncoder(checkpoint.tokenizer_file, checkpoint.encoding)
    except Exception as error:  # all that `tokenizers` promises
        raise UsageError(f"{checkpoint.tokenizer_file} can't be used: {error}") from error


def check_encoding(checkpoint: Checkpoint, encoder: Encoder) -> None:
    """Hold the worker's encoder to every golden pair, id for id.

    Raises:
        CheckpointRefusedError: If one differs: the model would be served other tokens than it learnt from.
    """
    encoded = encoder.encode(checkpoint.golden_fields())
    pairs = zip(checkpoint.golden_pairs, encoded, strict=True)
    wrong = [(pair, ids) for pair, (ids, _) in pairs if ids != pair.ids]
    if not wrong:
        return
    pair, ids = wrong[0]
    place = next(
        (i for i, (a, b) in enumerate(zip(ids, pair.ids, strict=False)) if a != b), min(len(ids), len(pair.ids))
    )
    raise CheckpointRefusedError(
        f"the worker encodes {len(wrong)} of {len(checkpoint.golden_pairs)} golden pairs otherwise than training "
        f"did. The first is {pair.fields.text[:60]!r}: from token {place} on {ids[place : place + 4]}… instead of "
        f"{pair.ids[place : place + 4]}…. tokenizer.json, encoding.json and golden_pairs.json must come from one "
        "training run: train again, or restore the file that was changed."
    )


def encode_sample(
    encoder: Encoder, shareable: Sequence[Fields], private: Sequence[Fields], vocabulary: int
) -> Sample:
    """Encode all texts.

    Raises:
        UsageError: If the tokenizer knows more tokens than the model.
    """
    texts = (*shareable, *private)
    rows = [encoded.ids for encoded in encoder.encode(texts)]
    if (largest := max(map(max, rows))) >= vocabulary:
        raise UsageError(
            f"the tokenizer gives token {largest}, but the model knows {vocabulary}: tokenizer.json is of another "
            "model."
        )
    return Sample(texts, rows, len(shareable))
