"""The part of encoding that is ours: which fields are read, and which tokens survive truncation."""

from collections.abc import Sequence
from typing import NamedTuple


class Fields(NamedTuple):
    """What the model may read of an event."""

    text: str
    title: str | None = None


class Encoded(NamedTuple):
    """Token ids with the special ones, and whether any token of the text was left out."""

    ids: list[int]
    truncated: bool


def apply_template(fields: Fields, template: str) -> str:
    """Join the fields that the template names; a missing or blank title leaves the text alone."""
    if template == "title+text" and fields.title and not fields.title.isspace():
        return f"{fields.title}\n{fields.text}"
    return fields.text


def truncate(ids: Sequence[int], tokens_max: int, truncation: str) -> list[int]:
    """At most `tokens_max` of `ids` (no special tokens): the head, or a quarter head and the rest tail."""
    if len(ids) <= tokens_max:
        return list(ids)
    if truncation == "head":
        return list(ids[:tokens_max])
    head = tokens_max // 4
    return [*ids[:head], *ids[len(ids) - (tokens_max - head) :]]
