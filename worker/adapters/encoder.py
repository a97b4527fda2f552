"""The tokenizer of the bundle, run by Hugging Face's `tokenizers`."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from contract.encoding import Encoded, Encoding, apply_template, ends_kept, truncate
from contract.fields import Fields

_CHARACTERS_PER_TOKEN = 16
"""Past this many characters a token, a text's ends are tokenised first, and its middle if they are not enough."""
_AT_ONCE = 2**20
"""So many characters are tokenised at once: each may be a token, of about a hundred bytes until it is cut off."""
_MARGIN = 8
"""Tokens at a cut that are not kept: a literal such as "[SEP]", which is one token, may lie across it."""


_NEAR = 200  # characters
_PUNCTUATION = "".join(chr(c) for c in range(128, 0x10000) if unicodedata.category(chr(c)).startswith("P"))
# BERT calls every ASCII sign punctuation; a control character is taken out, and what stands around it joins.
_SPLITS = re.compile(rf"[ -/:-@\[-`{{-~\u4e00-\u9fff{re.escape(_PUNCTUATION)}]")
"""What is a token of its own, or separates two, whatever stands around it: space, punctuation, an ideograph."""


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
        self._long = self._text_tokens_max * _CHARACTERS_PER_TOKEN
        self._head, self._tail = ends_kept(self._text_tokens_max, encoding.truncation)

    def encode(self, batch: Sequence[Fields]) -> list[Encoded]:
        """Token ids of each item with special tokens, at most `tokens_max` of them."""
        encoded: list[Encoded] = []
        for texts in self._parts(batch):
            short = [text for text in texts if len(text) <= self._long]
            tokenised = iter(self._tokenizer.encode_batch_fast(short, add_special_tokens=False))
            encoded += [
                self._frame(next(tokenised).ids if len(text) <= self._long else self._ids_of_ends(text))
                for text in texts
            ]
        return encoded

    def _parts(self, batch: Sequence[Fields]) -> Iterator[list[str]]:
        """The texts in their order, in parts of about `_AT_ONCE` characters."""
        texts: list[str] = []
        characters = 0
        for fields in batch:
            text = apply_template(fields, self._encoding)
            if texts and characters + len(text) > _AT_ONCE:
                yield texts
                texts, characters = [], 0
            texts.append(text)
            characters += len(text)
        if texts:
            yield texts

    def _ids_of_ends(self, text: str) -> list[int]:
        """Token ids of a very long text, or of so much of its ends that what is kept of them is the same.

        A megabyte of punctuation is a million tokens, of which a few hundred are kept. BERT's tokenizers split at
        white space, punctuation and ideographs, whatever stands around them, so the tokens of a part that ends
        there are those of the whole. Where the ends give too few tokens, more of the text is taken.
        """
        size = self._long
        while size < len(text) and (until := _boundary(text, size)) < len(text):
            begin = self._ids(text[:until])
            if not self._tail:
                if len(begin) >= self._head + _MARGIN:
                    return begin
            elif (since := _boundary(text, len(text) - size)) > until:
                end = self._ids(text[since:])
                if len(begin) >= self._head + _MARGIN and len(end) >= self._tail + _MARGIN:
                    return [*begin, *end]
            size *= 2
        return self._ids(text)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return ids

    def _frame(self, ids: list[int]) -> Encoded:
        kept = truncate(ids, self._text_tokens_max, self._encoding.truncation)
        return Encoded([self._before, *kept, self._after], truncated=len(kept) < len(ids))


def _boundary(text: str, wanted: int) -> int:
    """A place a little before `wanted`, or else the next one, where BERT's tokenizers split; the end for none."""
    before = list(_SPLITS.finditer(text, max(0, wanted - _NEAR), wanted))
    found = before[-1] if before else _SPLITS.search(text, wanted)
    return found.end() if found else len(text)
