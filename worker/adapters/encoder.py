"""The tokenizer of the bundle, run by Hugging Face's `tokenizers`."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from contract.encoding import Encoded, Encoding, apply_template, truncate
from contract.fields import Fields

_CHARACTERS_PER_TOKEN = 16
"""Past this many characters a token, only the beginning of a text is tokenised first: see `_beginning`."""


class TokenizersEncoder:
    """Encodes fields with the bundle's own tokenizer, template and truncation; never pads."""

    def __init__(self, tokenizer_file: Path, encoding: Encoding) -> None:
        """Load the tokenizer.

        Raises:
            ValueError: If the tokenizer does not frame a text with one token before and one after it.
            Exception: If the file is not a tokenizer (that is all that the library promises).
        """
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._encoding = encoding
        frame = self._tokenizer.encode("").ids
        if len(frame) != 2:  # noqa: PLR2004 - [CLS] and [SEP]
            raise ValueError(f"the tokenizer frames a text with {len(frame)} special tokens; BERT has two")
        self._before, self._after = frame
        self._text_tokens_max = encoding.tokens_max - len(frame)

    def encode(self, batch: Sequence[Fields]) -> list[Encoded]:
        """Token ids of each item with special tokens, at most `tokens_max` of them."""
        texts = [apply_template(fields, self._encoding) for fields in batch]
        beginnings = [self._beginning(text) for text in texts]
        tokenised = [item.ids for item in self._tokenizer.encode_batch_fast(beginnings, add_special_tokens=False)]
        for index, (text, beginning) in enumerate(zip(texts, beginnings, strict=True)):
            if len(beginning) < len(text) and len(tokenised[index]) <= self._text_tokens_max:
                tokenised[index] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [self._frame(ids) for ids in tokenised]

    def _beginning(self, text: str) -> str:
        """As much of a very long text as is sure to fill the model, cut at a space.

        WordPiece treats the parts around a space independently, so the tokens of the part are the first
        tokens of the whole. Where the part gives too few of them, `encode` goes back to the whole text.
        """
        limit = self._text_tokens_max * _CHARACTERS_PER_TOKEN
        if self._encoding.truncation != "head" or len(text) <= limit:
            return text
        return text[: text.rfind(" ", 0, limit)] if " " in text[:limit] else text

    def _frame(self, ids: list[int]) -> Encoded:
        kept = truncate(ids, self._text_tokens_max, self._encoding.truncation)
        return Encoded([self._before, *kept, self._after], truncated=len(kept) < len(ids))
