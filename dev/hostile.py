"""Records as bad as upstream can send them: every row of the contract's input table that data alone can cause."""

import json
from dataclasses import dataclass

from contract.events import Reason

POISON = "xyzzy plugh xyzzy"
"""A text on which `dev.faulty_worker` lets the model fail, as no healthy model does."""

FATAL = "frobozz hello sailor"
"""A text on which `dev.faulty_worker` dies at once, as by a crash in native code."""


@dataclass(frozen=True)
class Hostile:
    """A record and what has to become of it: `result`, `forwarded`, `unsendable` or a dead letter's reason."""

    name: str
    value: bytes | None
    expected: str
    key: bytes | None = b"hostile"
    headers: tuple[tuple[str, bytes | None], ...] = ()


def hostile_records(*, output_bytes_max: int = 500_000, input_bytes_max: int = 1_000_000) -> list[Hostile]:
    """The records, for topics of these limits."""
    deep = b"[" * 64 + b"]" * 64
    long_text = "so good " * (output_bytes_max // 8)
    return [
        Hostile("truncated JSON", b'{"reviewText":"Great', Reason.INVALID_JSON),
        Hostile("empty value", b"", Reason.INVALID_JSON),
        Hostile("Latin-1", b'{"reviewText":"caf\xe9"}', Reason.INVALID_JSON),
        Hostile("byte order mark", b'\xef\xbb\xbf{"reviewText":"Great"}', Reason.INVALID_JSON),
        Hostile("NaN", b'{"reviewText":"Great","overall":NaN}', Reason.INVALID_JSON),
        Hostile("lone surrogate", b'{"reviewText":"\\ud800"}', Reason.INVALID_JSON),
        Hostile("too deep", b'{"reviewText":"Great","x":' + deep + b"}", Reason.INVALID_JSON),
        Hostile("array", b'["Great"]', Reason.NOT_AN_OBJECT),
        Hostile("number", b"5", Reason.NOT_AN_OBJECT),
        Hostile("no text", b'{"overall":5.0}', Reason.MISSING_TEXT),
        Hostile("text is a number", b'{"reviewText":5}', Reason.TEXT_NOT_STRING),
        Hostile("blank text", b'{"reviewText":" \\n\\u200b"}', Reason.BLANK_TEXT),
        Hostile("scored before", b'{"reviewText":"Great","sentiment":{}}', Reason.SENTIMENT_PRESENT),
        Hostile("scored, escaped", b'{"reviewText":"Great","s\\u0065ntiment":1}', Reason.SENTIMENT_PRESENT),
        Hostile("too large", b'{"reviewText":"' + b"a" * input_bytes_max + b'"}', Reason.TOO_LARGE),
        Hostile("result too large", json.dumps({"reviewText": long_text}).encode(), Reason.OUTPUT_TOO_LARGE),
        Hostile("model fails", json.dumps({"reviewText": f"It is {POISON}!"}).encode(), Reason.MODEL_ERROR),
        Hostile("duplicate keys", b'{"reviewText":"","reviewText":"Great"}', "result"),
        Hostile("first field blank", b'{"text":"","reviewText":"Great"}', "result"),
        Hostile("white space around", b' \n{"reviewText" : "Great"}\r\n ', "result"),
        Hostile("huge number", b'{"reviewText":"Great","n":' + b"9" * 5000 + b"}", "result"),
        Hostile("5,000 words", json.dumps({"reviewText": "word " * 5000}).encode(), "result"),
        Hostile("emoji", json.dumps({"reviewText": "\U0001f600\U0001f44d"}).encode(), "result"),
        Hostile("no key", b'{"reviewText":"Great"}', "result", key=None),
        Hostile("binary key", b'{"reviewText":"Great"}', "result", key=b"\xff\x00"),
        Hostile(
            "odd headers",
            b'{"reviewText":"Great"}',
            "result",
            headers=(("ce_id", b"theirs"), ("h", None), ("h", b"\xff"), ("h", b"")),
        ),
        Hostile("tombstone", None, "forwarded"),
        Hostile("nothing at all", None, "unsendable", key=None),
    ]
