"""The published contract, generated from the models: JSON Schemas, and an AsyncAPI 3 document around them."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contract import __version__
from contract.events import EVENT_TYPE, EnrichedReview, Reason, Review

_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that every AsyncAPI parser has to know."""


def contract_documents() -> dict[str, dict[str, Any]]:
    """Every document by its file name."""
    return {
        "review.schema.json": _schema(Review),
        "review.sentiment.schema.json": _schema(EnrichedReview),
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


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **model.model_json_schema(mode="serialization")}


def _text_headers(names: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in names.items()},
    }


def _messages() -> dict[str, dict[str, Any]]:
    schema = {"schemaFormat": f"application/schema+json;version={_DIALECT.split('/')[-2]}"}
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
            "headers": _text_headers(
                {
                    "ce_specversion": "1.0",
                    "ce_type": EVENT_TYPE,
                    "ce_source": "kafka://CLUSTER/TOPIC/PARTITION of the input",
                    "ce_id": "CLUSTER/TOPIC/PARTITION/OFFSET of the input: the same again for a redelivery",
                    "ce_time": "when the event was scored",
                    "content-type": "application/json",
                    "x-worker-session": "the process, its assignment, and +N for what is published again: "
                    "within it a partition keeps its order",
                }
            ),
            "payload": {**schema, "schema": {"$ref": "review.sentiment.schema.json"}},
        },
        "deadLetter": {
            "summary": "The input's bytes, with the reason in the headers.",
            "headers": _text_headers(
                {
                    "__connect.errors.topic": "topic of the input",
                    "__connect.errors.partition": "partition of the input",
                    "__connect.errors.offset": "offset of the input",
                    "__connect.errors.stage": "decode, infer or publish",
                    "__connect.errors.exception.class.name": "what failed",
                    "__connect.errors.exception.message": "how it failed",
                    "x-dlq-reason": ", ".join(Reason),
                    "x-dlq-attempts": "how often it was tried",
                    "x-dlq-model-sha256": "which bundle",
                    "x-worker-session": "the process, its assignment, and +N for what is published again",
                    "x-dlq-left-out": "what the topic refused of the record: timestamp, headers, value, key",
                    "x-dlq-timestamp-ms": "a timestamp that was left out, in milliseconds since 1970",
                    **{
                        f"x-dlq-{part}-{name}": text
                        for part in ("headers", "value", "key")
                        for name, text in (
                            ("sha256", f"stands for a {part} that was left out"),
                            ("bytes", "its size"),
                        )
                    },
                }
            ),
        },
    }


def _asyncapi() -> dict[str, Any]:
    channels = {"reviews": "review", "reviews.sentiment": "sentiment", "reviews.dlq": "deadLetter"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Review sentiment",
            "version": __version__,
            "description": "Topic names are the worker's defaults; settings change them.",
        },
        "defaultContentType": "application/json",
        "channels": {
            topic: {"address": topic, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
            for topic, name in channels.items()
        },
        "operations": {
            f"{'receive' if topic == 'reviews' else 'send'}_{name}": {
                "action": "receive" if topic == "reviews" else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
            }
            for topic, name in channels.items()
        },
        "components": {"messages": _messages()},
    }
