"""The input table of the contract, row by row, and what strictness means."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import Reason
from contract.fields import Fields
from worker.core.decoding import Rejection, decode

_LIMIT_BYTES = 10_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def outcome(value: bytes, text_field: str | None = None) -> Fields | Rejection:
    return decode(value, text_field=text_field, bytes_max=_LIMIT_BYTES)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", Reason.INVALID_JSON),
        (b"not json", Reason.INVALID_JSON),
        (rb'{"text":"\ud800 a\n"}', Reason.INVALID_JSON),
        (b'{"text":"a"}{"text":"b"}', Reason.INVALID_JSON),
        (b'{"text":"a",}', Reason.INVALID_JSON),
        (b"\xff\xfe", Reason.INVALID_JSON),
        (b'{"text":"caf\xe9"}', Reason.INVALID_JSON),
        (b'\xef\xbb\xbf{"text":"a"}', Reason.INVALID_JSON),
        (b'{"text":"a","x":NaN}', Reason.INVALID_JSON),
        (b'{"text":"a","x":[-Infinity]}', Reason.INVALID_JSON),
        (b'{"text":"\\ud800"}', Reason.INVALID_JSON),
        (b'{"text":"a","x":"\\udc00\\ud800"}', Reason.INVALID_JSON),
        (b'{"text":"\\ud83d \\ude00"}', Reason.INVALID_JSON),
        (b'{"text":"line\nbreak"}', Reason.INVALID_JSON),
        (b'{"text":"a","x":' + b"[" * 64 + b"]" * 64 + b"}", Reason.INVALID_JSON),
        (b"[" * 5000, Reason.INVALID_JSON),
        (b'["text"]', Reason.NOT_AN_OBJECT),
        (b'"text"', Reason.NOT_AN_OBJECT),
        (b"1", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_TEXT),
        (b'{"overall":5}', Reason.MISSING_TEXT),
        (b'{"text":7}', Reason.TEXT_NOT_STRING),
        (b'{"text":null}', Reason.TEXT_NOT_STRING),
        (b'{"reviewText":["a"]}', Reason.TEXT_NOT_STRING),
        (b'{"text":""}', Reason.BLANK_TEXT),
        (b'{"text":" \\n\\u200b\\u0007"}', Reason.BLANK_TEXT),
        (b'{"text":"a","sentiment":null}', Reason.SENTIMENT_PRESENT),
        (b'{"text":"a","s\\u0065ntiment":1}', Reason.SENTIMENT_PRESENT),
        (b'{"text":"' + b"a" * _LIMIT_BYTES + b'"}', Reason.TOO_LARGE),
    ],
)
def test_bad_input_has_its_reason(value: bytes, reason: Reason) -> None:
    """Each row of the input table that can't be scored is rejected with its own reason."""
    result = outcome(value)

    assert isinstance(result, Rejection)
    assert reason == result.reason


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b'{"text":"good"}', "good"),
        (b' \n{"text" : "good"}\r\n', "good"),
        (b'{"reviewText":"good","text":""}', "good"),
        (b'{"text":5,"body":"good"}', "good"),
        (b'{"body":"last","text":"good"}', "good"),
        (b'{"text":"bad","text":"good"}', "good"),
        (b'{"text":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"text":"\\\\ud800"}', "\\ud800"),
        (b'{"text":"good","n":' + b"9" * 5000 + b"}", "good"),
        (b'{"text":"good","x":' + b"[" * 63 + b"]" * 63 + b"}", "good"),
        (b'{"text":"good","x":{"sentiment":1}}', "good"),
    ],
)
def test_good_input_is_read(value: bytes, text: str) -> None:
    """The text is the first of the known fields that is a non-blank string; the last duplicate wins."""
    result = outcome(value)

    assert isinstance(result, Fields)
    assert text == result.text


def test_a_named_field_is_the_only_one_read() -> None:
    """With `text_field` set, no other field stands in for it."""
    assert outcome(b'{"text":"a","note":"b"}', text_field="note") == Fields("b")
    missing = outcome(b'{"text":"a"}', text_field="note")

    assert isinstance(missing, Rejection)
    assert missing.reason is Reason.MISSING_TEXT


def test_the_title_is_read_beside_the_text() -> None:
    """The title is `title`, else `summary`, and never a blank one."""
    assert outcome(b'{"text":"a","title":" ","summary":"s"}') == Fields("a", "s")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_called_one(encoding: str) -> None:
    """A reader of the dead letter can look for the program that writes it."""
    found = outcome('{"text":"a"}'.encode(encoding))
    assert isinstance(found, Rejection)
    assert (found.reason, found.detail.split(" stands")[0]) == (Reason.INVALID_JSON, "a byte order mark")


@pytest.mark.parametrize("piece", [b'{"":0}', b"[]", b"{}", b"0", b"[0]", b"[{}]", b"[[{}]]", b'{"a":[]}', b'""'])
def test_parsing_takes_at_most_forty_times_the_value(piece: bytes) -> None:
    """docs/operations.md counts on it, whatever the value is made of."""
    value = b'{"text":"good","x":[%s]}' % b",".join([piece] * (200_000 // (len(piece) + 1)))
    tracemalloc.start()
    assert isinstance(decode(value, text_field=None, bytes_max=10**6), Fields)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 40 * len(value)


@given(st.binary(max_size=200))
def test_any_bytes_have_an_outcome(value: bytes) -> None:
    """Whatever the bytes, decoding answers; nothing is raised."""
    assert isinstance(outcome(value), Fields | Rejection)


@given(json_values)
def test_what_python_writes_strictly_is_read_or_rejected_for_its_content(value: Any) -> None:
    """Strict JSON is never called invalid unless it is nested too deep, and this strategy never is."""
    result = outcome(json.dumps(value, allow_nan=False).encode())

    lone = "\\ud" in json.dumps(value)
    if isinstance(result, Rejection) and not lone:
        assert result.reason is not Reason.INVALID_JSON
