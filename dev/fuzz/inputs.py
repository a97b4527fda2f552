"""Inputs for the fuzzer: those kept from earlier runs, and what Hypothesis makes out of JSON and of those."""

import json
from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from contract.fields import TEXT_FIELDS, TITLE_FIELDS
from dev.fuzz.target import INPUT_BYTES_MAX, NULL, SEPARATOR

CORPUS_FILE = Path("tests/dev/fuzz_corpus.txt")
"""A line for each input, as a JSON string of its bytes in Latin-1."""

_OURS = ("ce_id", "content-type", "x-dlq-reason", "x-worker-session", "__connect.errors.topic",
         "__connect.errors.partition", "__connect.errors.offset", "x-source-ce_id", "")  # fmt: skip
_UNITS = ("a", ".", " ", "é", "中", "\U0001f600", "\u0301", "\u200b", "[SEP]", "##", "5 stars ", "\\u0041",
          "\\ud83d\\ude00", "\\n", "ab. ", "\x7f")  # fmt: skip


def read_corpus(file: Path) -> list[bytes]:
    """The inputs of a corpus file."""
    return [json.loads(line).encode("latin-1") for line in file.read_text(encoding="ascii").splitlines()]


def write_corpus(file: Path, inputs: Iterable[bytes]) -> None:
    """Write each input once, the shortest first."""
    lines = [line_of(data) for data in sorted(set(inputs), key=lambda it: (len(it), it))]
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def line_of(data: bytes) -> str:
    """An input as a line of the corpus file."""
    return json.dumps(data.decode("latin-1"))


def dictionary() -> str:
    """The words of inputs, as libFuzzer reads them."""
    words = [SEPARATOR, *(f'"{name}":'.encode() for name in (*TEXT_FIELDS, *TITLE_FIELDS, "sentiment"))]
    words += [word.encode() for word in (*_OURS, *_UNITS) if word]
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words)


def inputs(corpus: list[bytes]) -> st.SearchStrategy[bytes]:
    """Values of every kind, with key and headers of every kind; a few are as large as may be."""
    values = st.one_of(_events(), _texts(), _long_texts(), _mutants(corpus), st.binary(max_size=200))
    names = st.sampled_from(_OURS) | st.text(max_size=20)
    long = st.builds(bytes.__mul__, st.sampled_from([b"\xff", b"9", b"a"]), st.sampled_from([300, 300_000]))
    headers = st.lists(st.tuples(names, st.just(NULL) | st.binary(max_size=50) | long), max_size=4)
    return st.builds(_joined, values, st.just(NULL) | st.binary(max_size=50), headers)


def _joined(value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> bytes:
    parts = [part for name, said in headers for part in (name.encode("utf-8", "replace"), said)]
    return SEPARATOR.join([value, key, *parts])


def _events() -> st.SearchStrategy[bytes]:
    """JSON, mostly objects with the fields that are read."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    json_values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
    names = st.sampled_from((*TEXT_FIELDS, *TITLE_FIELDS, "sentiment", "overall")) | st.text(max_size=5)
    objects = st.dictionaries(names, st.text() | json_values, max_size=5)
    dumped = st.builds(
        lambda event, ascii_only, spaces: spaces + json.dumps(event, ensure_ascii=ascii_only) + spaces,
        objects | json_values, st.booleans(), st.text(" \t\r\n\v\u00a0", max_size=3),
    )  # fmt: skip
    return dumped.map(lambda text: text.encode("utf-8", "surrogatepass"))


def _texts() -> st.SearchStrategy[bytes]:
    """An event whose text is written out of pieces that mean something to tokenizers or to JSON."""
    pieces = st.lists(st.sampled_from(_UNITS) | st.text(max_size=3), max_size=60).map("".join)
    return st.builds(
        lambda name, text: f'{{"{name}":"{text}"}}'.encode("utf-8", "surrogatepass"),
        st.sampled_from((*TEXT_FIELDS, *TITLE_FIELDS)), pieces,
    )  # fmt: skip


def _long_texts() -> st.SearchStrategy[bytes]:
    """The same piece over and over, up to the largest value that is read, or a little more."""

    def written(unit: str, times: int, name: str) -> bytes:
        piece = unit.encode()
        return b'{"%s":"%s"}' % (name.encode(), piece * (times // len(piece)))

    sizes = st.integers(200, 20_000) | st.sampled_from(
        [INPUT_BYTES_MAX // 50, INPUT_BYTES_MAX - 20, INPUT_BYTES_MAX]
    )
    return st.builds(written, st.sampled_from(_UNITS), sizes, st.sampled_from(TEXT_FIELDS))


def _mutants(corpus: list[bytes]) -> st.SearchStrategy[bytes]:
    """A part of a kept input, something else, and a part of another one."""
    kept = st.sampled_from(corpus)
    cut = st.integers(0, 200)
    return st.builds(
        lambda one, begin, middle, other, end: one[:begin] + middle + other[end:],
        kept, cut, st.binary(max_size=8), kept, cut,
    )  # fmt: skip
