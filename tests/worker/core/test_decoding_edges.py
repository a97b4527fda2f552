"""The edges of JSON and of Unicode, each with the outcome that the contract names."""

import json

import pytest

from contract.events import Reason
from contract.fields import Fields
from tests.faked_pipeline import FakedPipeline
from worker.core.decoding import DEPTH_MAX, Rejection, decode

VALID = [
    # Numbers: of any size and precision, since nobody computes with them.
    b"0", b"-0", b"-0.0", b"0e0", b"0E+1", b"1e5", b"1E-5", b"20e1", b"1.7976931348623157e309", b"-1e400",
    b"1e-400",
    b"123456789012345678901234567890", b"0." + b"3" * 400,
    b"true", b"false", b"null",
    # Strings: every escape, pairs of surrogates, and what RFC 8259 allows unescaped though few would write it.
    b'""', rb'"\"\\\/\b\f\n\r\t"', rb'"\u0000"', rb'"\u00E9\u00e9"', rb'"\ud83d\ude00"', rb'"\\ud83d"',
    rb'"\ufffe\uffff"',
    b'"\x7f"', '"\u2028\u2029\ufeff\uffff\U0010ffff"'.encode(),
    # Arrays and objects: empty names, names twice, white space anywhere.
    b"[]", b"{}", b"[[],{}]", b'{"":{"":""}}', b'{"a":1,"a":2}', b" \t\r\n[ 1 , 2 ] \n", b'{ "a" : 1 }',
    b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1), b'{"a":' * (DEPTH_MAX - 1) + b"0" + b"}" * (DEPTH_MAX - 1),
    b'"' + b"[{" * 100 + b'"', b"[" + b",".join([b"[]"] * 200) + b"]",
]  # fmt: skip
"""Values of a field beside the text that leave it scored."""

INVALID = [
    # Numbers of other languages, and halves of numbers.
    b"00", b"01", b"-01", b"-", b"--1", b"+1", b".5", b"1.", b"1.e1", b"1e", b"1e+", b"1e5.5", b"0x1F", b"1_000",
    b"1L",
    b"1,5", b"1 2", "\uff11".encode(), b"NaN", b"-NaN", b"nan", b"Infinity", b"-Infinity", b"inf",
    b"True", b"TRUE", b"None", b"nul", b"truee", b"undefined", b"",
    # Strings: no end, another quote, escapes that there are none of, control characters, half a surrogate pair.
    b'"', b'"\\"', b"'a'", b"a", rb'"\x41"', rb'"\a"', rb'"\u12"', rb'"\u12G4"', rb'"\U00000041"', b'"\\\n"',
    b'"\t"', b'"\n"',
    b'"\x00"', b'"\x1f"', rb'"\ud83d"', rb'"\ude00\ud83d"', rb'"\ud83d\u0041"', rb'"\ud83d\ud83d\ude00"',
    rb'"\ud83d" "\ude00"',
    # Bytes that are not UTF-8: too long a form, a surrogate, beyond Unicode, cut off, never there.
    b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\xff"',
    # Arrays and objects: commas, colons, names and ends that are wrong, and comments.
    b"[1,]", b"[,1]", b"[1,,2]", b"[1 2]", b"[", b"]", b"[}", b"[1}", b"{", b'{"a"}', b'{"a":}', b'{"a" 1}',
    b"{a:1}",
    b"{'a':1}", b"{1:2}", b'{"a":1,}', b'{"a":1 "b":2}', b'{"a":1,,"b":2}', b"1/**/", b"1//", b"#1\n1",
    b"\x0b1", b"\x0c1", "\u00a01".encode(), "\u30001".encode(), "\u20281".encode(), "\ufeff1".encode(), b"\x001",
    b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, b'{"a":' * DEPTH_MAX + b"0" + b"}" * DEPTH_MAX,
]  # fmt: skip
"""Values of a field beside the text that make the whole event no JSON."""

DOCUMENTS: list[tuple[bytes, str]] = [
    *((value, Reason.INVALID_JSON) for value in (
        b"", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"}", b'{"text":"good"', b'"text":"good"',
        b'{"text":"good"}x',
        b'{"text":"good"}{}', b'{"text":"good"},', b'{"text":"good"}\x00', b'{"text":"good"}\n{"text":"good"}',
        b"\x1e{}",
        b')]}\',\n{"text":"good"}', b'{"text":"good"}//', b'({"text":"good"})', b'{"text":"good";}',
        b'{"text"="good"}',
        '{"text":"good"}'.encode("utf-16-le"), '{"text":"good"}'.encode("utf-32-be"), b'{"sentiment":NaN}',
        b"[NaN]",
        b"{text:'good'}", b"---\ntext: good", b"<text>good</text>", b"text=good", b"\x1f\x8b\x08\x00",
        b"\x00\x00\x00\x00\x01{}",
    )),
    *((value, Reason.NOT_AN_OBJECT) for value in (
        b"[]", b'[{"text":"good"}]', b'"good"', b'""', b"0", b"-1.5e3", b"true", b"false", b" null ", b'"{}"')),
    *((value, Reason.MISSING_TEXT) for value in (
        b"{}", b'{"":"good"}', b'{"Text":"good"}', b'{"text ":"good"}', b'{"te\\u0000xt":"good"}',
        b'{"x":{"text":"good"}}',
        b'{"title":"good","summary":"good"}')),
    *((value, Reason.TEXT_NOT_STRING) for value in (
        b'{"text":0}', b'{"text":["good"]}', b'{"text":{"text":"good"}}', b'{"text":"good","text":null}',
        b'{"body":false}')),
    *((value, Reason.SENTIMENT_PRESENT) for value in (
        b'{"sentiment":{}}', b'{"text":"good","sentiment":1,"sentiment":2}',
        rb'{"text":"good","\u0073entiment":null}')),
    *((value, "good") for value in (
        b'{"text":"good"}\n', b'\r\n\t {"text":"good"}', b'{"text":null,"body":"good"}',
        b'{"text":"bad","text":"good"}',
        rb'{"text":"bad","\u0074ext":"good"}', rb'{"text":"\u0067ood"}',
        b'{"text":"good","Sentiment":1,"sentiment ":2}',
        b'{"text":"good","x":{"sentiment":1}}', b'{"text":"good","reviewText":"bad"}')),
]  # fmt: skip
"""Whole values, with the reason of the dead letter, or the text that is scored."""

TEXTS = [
    # What other programs take for something else.
    "null", "undefined", "NaN", "true", "0", "-1e309", "{}", "[]", "}", '"', "\\", "\\\\", '\\"', "\\u0000",
    "\\ud800", "/*",
    '","sentiment":{"label":"positive"},"x":"', '{"text":"x"}', "sentiment", "<script>alert(1)</script>",
    "<!-- -->", "]]>",
    "'; DROP TABLE reviews; --", "$(reboot)", "`id`", "../../etc/passwd", "%s%n%x", "%00", "{{7*7}}", "${x}",
    "=1+1", "@all",
    "a,b;c\td", "# no comment", "[CLS] good [SEP] [MASK] [PAD]", "\x1b[31mred\x1b[0m", "CON", "file:///dev/zero",
    # White space and characters that nobody sees, around or within what is seen.
    "  good  ", "line\nbreak\r\n", "a\x00b", "go\u00adod", "g\u200bo\u200bo\u200bd", "\ufeffgood", "\u202edoog",
    "good\u2028good",
    "good\u00a0good", "\x7f.", "\u2060x",
    # Letters that change their length or their order, or stand on top of each other.
    "\u0130\u0131", "\u00df\u1e9e", "\ufb01\ufdfa", "e\u0301", "\u00e9", "\u0301",
    "z" + "\u0335\u0301\u0323" * 30, "\u05d8\u05d5\u05d1",
    "\u062c\u064a\u062f", "\u0915\u094d\u0937", "\u0e14\u0e35", "\uc88b\ub2e4", "\u1112\u1161\u11ab", "\u597d",
    "\U0002070e", "\uff47\uff4f\uff4f\uff44",
    "\U0001d4d6\U0001d4f8", "\u2603", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "1\ufe0f\u20e3",
    # Nearly nothing, and still something: a letter without a shape, private, unassigned, replaced, very long.
    "\u3164", "\u115f", "\u2800", "\ue000", "\U000f0000", "\ufffe", "\uffff", "\U0010ffff", "\ufffd", ".",
    "a" * 400, "\u2605" * 100,
]  # fmt: skip
"""Texts that are scored as they are."""

BLANK = [
    "", " ", "\t\n\r", "\x00", "\x07\x1b", "\x7f", "\x85", "\u00a0", "\u00ad", "\u061c", "\u1680", "\u180e",
    "\u200b\u200c\u200d", "\u2028\u2029",
    "\u202a\u202e", "\u2060\u2066", "\u3000", "\ufeff", "\U000e0001\U000e007f", " \u200b\n",
]  # fmt: skip
"""Texts of white space, control and format characters alone."""


def found(value: bytes) -> str:
    """The text, or the reason why there is none."""
    result = decode(value, text_field=None, bytes_max=10_000)
    return result.reason if isinstance(result, Rejection) else result.text


def assert_published(value: bytes, expected: str) -> None:
    """As a result that is the event but for a span, as JSON for all; or as a dead letter with its bytes."""
    faked = FakedPipeline()
    faked.receive([value])
    faked.pipeline.run(faked.window())
    (written,) = faked.sink.written
    published = written.value or b""
    if expected in set(Reason):
        assert (written.kind, written.detail, published) == ("dead_letter", expected, value)
        return
    event = json.loads(published, parse_int=float)
    start = published.rindex(b',"sentiment":')
    span = len(published) - len(value)
    assert published[:start] + published[start + span :] == value
    assert event.pop("sentiment")["source"]["offset"] == 0
    assert event == json.loads(value, parse_int=float)


@pytest.mark.parametrize("value", VALID)
def test_whatever_json_allows_beside_the_text_is_scored(value: bytes) -> None:
    """And comes out as it was written."""
    event = b'{"text":"good","x":%s}' % value

    assert found(event) == "good"
    assert_published(event, "good")


@pytest.mark.parametrize("value", INVALID)
def test_whatever_json_does_not_allow_is_refused_wherever_it_stands(value: bytes) -> None:
    """Beside the text as well as before it."""
    for event in (b'{"text":"good","x":%s}' % value, b'{"x":%s,"text":"good"}' % value):
        assert found(event) is Reason.INVALID_JSON
        assert_published(event, Reason.INVALID_JSON)


@pytest.mark.parametrize(("value", "expected"), DOCUMENTS)
def test_each_document_has_its_outcome(value: bytes, expected: str) -> None:
    """No JSON, JSON that is no event, and events that have more than one text or none."""
    assert found(value) == expected
    assert_published(value, expected)


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_read_as_it_is(text: str, escaped: bool) -> None:
    """However it is written: nothing is trimmed, normalised or taken for markup."""
    event = json.dumps({"text": text}, ensure_ascii=escaped).encode()

    assert decode(event, text_field=None, bytes_max=10_000) == Fields(text)
    assert_published(event, text)


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("text", BLANK)
def test_a_text_that_nobody_can_see_is_blank(text: str, escaped: bool) -> None:
    """Of white space, control and format characters in any script."""
    event = json.dumps({"text": text}, ensure_ascii=escaped).encode()

    assert found(event) is Reason.BLANK_TEXT
    assert_published(event, Reason.BLANK_TEXT)


def test_the_tables_have_no_entry_twice() -> None:
    """So that the counts mean something."""
    for table in (VALID, INVALID, [value for value, _ in DOCUMENTS], TEXTS, BLANK):
        assert len(set(table)) == len(table)


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b"[{", b"]", b'"\\'])
def test_no_depth_is_too_deep_to_be_refused(piece: bytes) -> None:
    """A million levels end in a dead letter, not in the parser."""
    result = decode(b'{"text":"good","x":' + piece * 10**6, text_field=None, bytes_max=10**8)

    assert isinstance(result, Rejection)
    assert result.reason is Reason.INVALID_JSON
