"""The published schemas say what the worker does, as far as JSON Schema can."""

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contract.fields import TEXT_FIELDS, Fields, is_blank
from contract.schemas import NOT_BLANK_PATTERN, contract_documents, header_schemas
from dev.hostile import hostile_records
from tests.faked_pipeline import FakedPipeline, review
from worker.core.decoding import decode

_INPUT = Draft202012Validator(contract_documents()["review.schema.json"])
_OUTPUT = Draft202012Validator(contract_documents()["review.sentiment.schema.json"])
_SEEN_ON_VALUES = {"missing_text", "text_not_string", "blank_text", "not_an_object", "sentiment_present"}

values = st.none() | st.integers() | st.text(max_size=3) | st.sampled_from([" ", "\u200b\n", "\u00ad", "ok"])
events = st.dictionaries(st.sampled_from([*TEXT_FIELDS, "title", "summary", "overall", "sentiment"]), values)


def is_scored(value: bytes) -> bool:
    return isinstance(decode(value, text_field=None, bytes_max=10**6), Fields)


@given(events | values | st.lists(values))
def test_the_input_schema_accepts_what_is_scored_and_nothing_else(event: Any) -> None:
    """For any JSON value; what only its bytes show is left to the description."""
    assert _INPUT.is_valid(event) == is_scored(json.dumps(event).encode())


@pytest.mark.parametrize(
    ("event", "valid"),
    [
        ({"text": 1, "reviewText": "ok"}, True),
        ({"text": " ", "body": "ok", "title": 7, "summary": None}, True),
        ({}, False),
        ({"text": " \n\u200b"}, False),
        ({"text": None}, False),
        ({"text": "ok", "sentiment": None}, False),
        (["ok"], False),
    ],
)
def test_events_that_once_were_judged_wrongly(event: Any, valid: bool) -> None:
    """A good text beside one that is none is scored; nothing to read, or a `sentiment`, is a dead letter."""
    assert _INPUT.is_valid(event) == valid == is_scored(json.dumps(event).encode())


def test_hostile_records_are_refused_by_the_schema_where_it_can_see_why() -> None:
    """Of the records that upstream sends to harm, each whose reason is in its parsed value is invalid."""
    seen = [record for record in hostile_records() if record.expected in _SEEN_ON_VALUES]
    results = [record for record in hostile_records() if record.expected == "result"]

    assert {record.expected for record in seen} == _SEEN_ON_VALUES
    assert not any(_INPUT.is_valid(json.loads(record.value or b"")) for record in seen)
    assert all(_INPUT.is_valid(json.loads(record.value or b"", parse_int=float)) for record in results)


def test_the_schema_and_the_worker_agree_on_every_character() -> None:
    """A text of one character is blank to both or to neither; what this Unicode does not know yet is left out."""
    pattern = re.compile(NOT_BLANK_PATTERN)
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]

    odd = [c for c in characters if (pattern.search(c) is None) != is_blank(c) and unicodedata.category(c) != "Cn"]

    assert odd == []


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """What the worker writes."""
    faked = FakedPipeline()
    faked.receive([review("a")])
    faked.pipeline.run(faked.window())
    written: dict[str, Any] = json.loads(faked.sink.written[0].value or b"")
    return written


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.offset", -1),
        ("source.offset", 1.5),
        ("source.partition", -1),
        ("source.partition", 2**31),
        ("source.topic", ""),
        ("source.topic", "a topic"),
        ("source.topic", "a" * 250),
        ("scored_at", "yesterday"),
        ("scored_at", "2026-11-23 10:00:00"),
        ("scored_at", "2026-11-23T10:00:00+01:00"),
        ("model.sha256", "9f"),
        ("model.sha256", "Z" * 64),
        ("model.name", ""),
        ("model.version", ""),
        ("model.variant", ""),
        ("model.provider", ""),
        ("confidence", 1.1),
        ("probabilities.neutral", -0.1),
        ("tokens", 1),
        ("label", "great"),
        ("abstained", "no"),
    ],
)
def test_the_output_schema_bounds_each_value(result: dict[str, Any], path: str, value: object) -> None:
    """A result holds the schema; with one value that the worker never writes it does not, nor without it."""
    assert _OUTPUT.is_valid(result)
    changed = json.loads(json.dumps(result))
    *parents, name = path.split(".")
    member = changed["sentiment"]
    for parent in parents:
        member = member[parent]

    member[name] = value
    assert not _OUTPUT.is_valid(changed)
    del member[name]
    assert not _OUTPUT.is_valid(changed)


@pytest.mark.parametrize(
    ("value", "message"), [(review("a"), "sentiment"), (None, "tombstone"), (b"[]", "deadLetter"),
                           (review("a" * 300), "deadLetter")],
)  # fmt: skip
def test_the_headers_of_what_the_worker_writes_hold_their_schema(value: bytes | None, message: str) -> None:
    """AsyncAPI's description of the headers is that of real records; with one of ours missing it does not hold."""
    faked = FakedPipeline(message_bytes_max=100 if message == "deadLetter" else 10**6)
    faked.receive([value])
    faked.pipeline.run(faked.window())
    headers = {name: value.decode() for name, value in faked.sink.written[0].headers}
    schema = header_schemas()[message]

    Draft202012Validator(schema).validate(headers)
    assert set(headers) <= set(schema["properties"])
    for name in schema["required"]:
        assert not Draft202012Validator(schema).is_valid({key: headers[key] for key in headers if key != name})
