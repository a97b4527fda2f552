"""How the fields of a review become token ids: the template, and which tokens survive truncation."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from contract.fields import Fields, gives_stars_away, is_blank

ENCODING_FILE = "encoding.json"
TOKENIZER_FILE = "tokenizer.json"


class Encoding(BaseModel):
    """How the fields of a review become token ids; `encoding.json` of a checkpoint and of a bundle.

    `template` is `text`, or `title+text`: the title on a line of its own before the text, where there is one.
    `star_titles` says what becomes of titles such as "Five Stars" (`contract.fields.gives_stars_away`): they are
    `read`, as encodings that say nothing of them do, or `masked`, treated as no title.
    `tokens_max` counts the special tokens too. `head` keeps the first tokens; `head+tail` keeps a quarter
    from the beginning and three quarters from the end (Sun et al. 2019, arXiv 1905.05583).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    template: Literal["text", "title+text"] = "text"
    star_titles: Literal["read", "masked"] = "read"
    truncation: Literal["head", "head+tail"] = "head"
    tokens_max: int = Field(512, ge=3)


class Encoded(NamedTuple):
    """Token ids with the special ones, and whether any token of the text was left out."""

    ids: list[int]
    truncated: bool


def fields_read(fields: Fields, encoding: Encoding) -> Fields:
    """What an encoding reads of a review: a title that is missing, blank, masked or not asked for is None."""
    title = fields.title
    if encoding.template == "text" or not title or is_blank(title):
        return Fields(fields.text)
    return Fields(fields.text) if encoding.star_titles == "masked" and gives_stars_away(title) else fields


def apply_template(fields: Fields, encoding: Encoding) -> str:
    """Join the fields that the encoding reads, the title on a line of its own."""
    text, title = fields_read(fields, encoding)
    return text if title is None else f"{title}\n{text}"


def ends_kept(tokens_max: int, truncation: str) -> tuple[int, int]:
    """How many tokens are kept from the beginning of a text that is too long, and how many from its end."""
    head = tokens_max if truncation == "head" else tokens_max // 4
    return head, tokens_max - head


def truncate(ids: Sequence[int], tokens_max: int, truncation: str) -> list[int]:
    """At most `tokens_max` of `ids` (no special tokens): the head, or a quarter head and the rest tail."""
    if len(ids) <= tokens_max:
        return list(ids)
    head, tail = ends_kept(tokens_max, truncation)
    return [*ids[:head], *ids[len(ids) - tail :]]
