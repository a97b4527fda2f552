"""The published contract: JSON Schemas of what goes in and comes out, and an AsyncAPI 3 document around them."""

import json
from pathlib import Path
from typing import Any

from contract.events import EVENT_TYPE, SHA256_PATTERN, TIMESTAMP_SCHEMA, EnrichedReview, Reason
from contract.fields import TEXT_FIELDS, TITLE_FIELDS
from contract.version import VERSION

_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that every AsyncAPI parser has to know."""

# What `contract.fields.is_blank` knows, as of Unicode 16: engines differ in their classes, but each knows a range.
# Characters stand there as themselves, since engines also differ in how they write those past U+FFFF.
_BLANK = (
    (0x00, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F),
    (0x890, 0x891), (0x8E2, 0x8E2), (0x1680, 0x1680), (0x180E, 0x180E), (0x2000, 0x200F), (0x2028, 0x202F),
    (0x205F, 0x2064), (0x2066, 0x206F), (0x3000, 0x3000), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD),
    (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001),
    (0xE0020, 0xE007F),
)  # fmt: skip
NOT_BLANK_PATTERN = f"[^{''.join(f'{chr(first)}-{chr(last)}' for first, last in _BLANK)}]"
"""Found in a text that is not blank."""


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(f'`{name}`' for name in names[:-1])} and `{names[-1]}`"


_REVIEW = f"""An event of the input topic that is scored; a raw Amazon review record works as it is, but for one
with NaN, which some libraries write for a missing value: it is no JSON, and becomes a dead letter.

The text is the first of {_listed(TEXT_FIELDS)} that is a string and not blank, or the one field that
`WORKER_TEXT_FIELD` names. Everything else is carried through untouched.

A schema sees values only, so it can't say the rest: strict JSON (RFC 8259) in UTF-8, without a byte order mark or
lone surrogates, no deeper than 64, and no larger than `WORKER_INPUT_BYTES_MAX`."""


def contract_documents() -> dict[str, dict[str, Any]]:
    """Every document by its file name."""
    return {
        "review.schema.json": _review(),
        "review.sentiment.schema.json": {
            "$schema": _DIALECT,
            **EnrichedReview.model_json_schema(mode="serialization"),
        },
        "asyncapi.json": _asyncapi(),
    }


def write_contracts(folder: Path) -> list[Path]:
    """Write the documents, and return where."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, document in contract_documents().items():
        files.append(folder / name)
        files[-1].write_text(json.dumps(document, indent=2) + "\n")
    return files


def _review() -> dict[str, Any]:
    """What a worker of default settings scores: anything else becomes a dead letter."""
    title = (
        f"A title: the first of {_listed(TITLE_FIELDS)} that is a string and not blank, where a model reads it."
    )
    return {
        "$schema": _DIALECT,
        "$defs": {"Text": {"type": "string", "pattern": NOT_BLANK_PATTERN, "description": "Not blank."}},
        "title": "Review",
        "description": _REVIEW,
        "type": "object",
        "anyOf": [{"required": [name], "properties": {name: {"$ref": "#/$defs/Text"}}} for name in TEXT_FIELDS],
        "not": {"required": ["sentiment"], "description": "The field that the worker adds."},
        "properties": {name: {"description": title} for name in TITLE_FIELDS},
        "examples": [{"asin": "B000", "overall": 5.0, "reviewText": "Great!"}],
    }


def _headers(names: dict[str, str | dict[str, Any]], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Headers of ours, each a text in UTF-8: a description, or what a schema says of it."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", **({"description": said} if isinstance(said, str) else said)}
            for name, said in names.items()
        },
        "required": [name for name in names if name not in optional],
    }


_SESSION = {
    "x-worker-session": "the process, its assignment, and +N for what is published again: within it a partition "
    "keeps its order"
}
_TRACE: dict[str, str | dict[str, Any]] = {
    "traceparent": "W3C Trace Context, where the review has one: its own, or a worker's span in the same trace",
    "tracestate": "the review's",
}
_EVENT: dict[str, str | dict[str, Any]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_type": {"const": EVENT_TYPE},
    "ce_source": {
        "description": "kafka://CLUSTER_ID/TOPIC/PARTITION of the input",
        "pattern": "^kafka://.+/[0-9]+$",
    },
    "ce_id": {
        "description": "CLUSTER_ID/TOPIC/PARTITION/OFFSET of the input: the same again for a redelivery",
        "pattern": "^.+/[0-9]+/[0-9]+$",
    },
    "ce_time": {"description": "when the event was scored", **TIMESTAMP_SCHEMA},
    **_SESSION,
}
_FAILURE: dict[str, str | dict[str, Any]] = {
    "__connect.errors.topic": "topic of the input",
    "__connect.errors.partition": {"description": "partition of the input", "pattern": "^[0-9]+$"},
    "__connect.errors.offset": {"description": "offset of the input", "pattern": "^[0-9]+$"},
    "__connect.errors.stage": {"description": "where it failed", "enum": ["decode", "infer", "publish"]},
    "__connect.errors.exception.class.name": "what failed",
    "__connect.errors.exception.message": "how it failed",
    "x-dlq-reason": {"description": "why", "enum": list(Reason)},
    "x-dlq-attempts": {"description": "how often it was tried", "pattern": "^[0-9]+$"},
    "x-dlq-model-sha256": {"description": "which bundle", "pattern": SHA256_PATTERN},
    **_SESSION,
}
_LEFT_OUT: dict[str, str | dict[str, Any]] = {
    "x-dlq-left-out": "what the topic refused of the record: timestamp, headers, value, key",
    "x-dlq-timestamp-ms": {
        "description": "a timestamp that was left out, in milliseconds since 1970",
        "pattern": "^-?[0-9]+$",
    },
}
for _part in ("headers", "value", "key"):
    _LEFT_OUT[f"x-dlq-{_part}-sha256"] = {"description": f"of the {_part} left out", "pattern": SHA256_PATTERN}
    _LEFT_OUT[f"x-dlq-{_part}-bytes"] = {"description": f"size of the {_part} left out", "pattern": "^[0-9]+$"}


def header_schemas() -> dict[str, dict[str, Any]]:
    """What is said of the headers of each message that the worker writes."""
    is_json = {"content-type": {"const": "application/json"}}
    return {
        "sentiment": _headers({**_EVENT, **is_json, **_TRACE}, optional=tuple(_TRACE)),
        "tombstone": _headers({**_EVENT, **_TRACE}, optional=tuple(_TRACE)),
        "deadLetter": _headers({**_FAILURE, **_LEFT_OUT, **_TRACE}, optional=(*_LEFT_OUT, *_TRACE)),
    }


def _messages() -> dict[str, dict[str, Any]]:
    schema = {"schemaFormat": f"application/schema+json;version={_DIALECT.split('/')[-2]}"}
    headers = header_schemas()
    return {
        "review": {
            "contentType": "application/json",
            "description": (
                "A record with a key and no value is a tombstone, and is sent on. One with neither is settled and "
                "counted, and nothing is sent for it, its headers neither: kafka-python can't send such a record."
            ),
            "payload": {**schema, "schema": {"$ref": "review.schema.json"}},
        },
        "sentiment": {
            "contentType": "application/json",
            "headers": headers["sentiment"],
            "payload": {**schema, "schema": {"$ref": "review.sentiment.schema.json"}},
        },
        "tombstone": {
            "summary": "A record of the input without a value, passed on with its key.",
            "headers": headers["tombstone"],
            "payload": {"type": "null"},
        },
        "deadLetter": {
            "summary": "The input's bytes, with the reason in the headers.",
            "headers": headers["deadLetter"],
        },
    }


def _asyncapi() -> dict[str, Any]:
    channels = {
        "reviews": ["review"],
        "reviews.sentiment": ["sentiment", "tombstone"],
        "reviews.dlq": ["deadLetter"],
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Review sentiment",
            "version": VERSION,
            "description": "Topic names are the worker's defaults; settings change them.",
        },
        "defaultContentType": "application/json",
        "channels": {
            topic: {
                "address": topic,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            }
            for topic, names in channels.items()
        },
        "operations": {
            f"{'receive' if topic == 'reviews' else 'send'}_{names[0]}": {
                "action": "receive" if topic == "reviews" else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
            }
            for topic, names in channels.items()
        },
        "components": {"messages": _messages()},
    }
