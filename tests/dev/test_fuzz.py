"""Whatever a record holds, its path through the worker ends in an outcome; and the fuzzer would notice if not."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from dev.fuzz.__main__ import main
from dev.fuzz.inputs import CORPUS_FILE, inputs, line_of, read_corpus, write_corpus
from dev.fuzz.target import NULL, SEPARATOR, BrokenLawError, RecordPath
from dev.samples import minilm_folder
from worker.core.splicing import splice

CORPUS = read_corpus(Path(__file__).parents[2] / CORPUS_FILE)


@pytest.fixture(scope="module")
def path() -> RecordPath:
    """The path of a record, with a real vocabulary."""
    return RecordPath(minilm_folder() / "tokenizer.json")


@pytest.mark.parametrize("data", CORPUS, ids=range(len(CORPUS)))
def test_every_input_that_was_kept_comes_to_an_outcome(path: RecordPath, data: bytes) -> None:
    """What earlier runs found worth keeping, by the branches that it takes, stays answered."""
    assert len(path.check(data)) == 2


@given(inputs(CORPUS))
@settings(suppress_health_check=list(HealthCheck))  # some values are as large as may be
def test_every_input_comes_to_an_outcome(path: RecordPath, data: bytes) -> None:
    """No bytes raise, and each outcome is the record's own, published once and settled."""
    path.check(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"text":"good"}', "result"),
        (SEPARATOR.join([NULL, b"key"]), "forwarded"),
        (NULL, "unsendable"),
        (SEPARATOR.join([b"{", b"key", b"ce_id", NULL]), "invalid_json"),
        (b'{"text":"' + b"." * 1_000_000 + b'"}', "too_large"),
    ],
)
def test_an_input_stands_for_a_record(path: RecordPath, data: bytes, kind: str) -> None:
    """Value, key and headers in one string of bytes, so that a fuzzer can mix them."""
    assert path.check(data) == [kind, kind]


def test_an_altered_event_breaks_a_law(path: RecordPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte of the input that differs in the result is noticed."""
    monkeypatch.setattr("worker.outcomes.splice", lambda *them: splice(*them).replace(b" ", b""))

    assert path.check(b'{"text":"good"}') == ["result", "result"]
    with pytest.raises(BrokenLawError, match="not the record's own"):
        path.check(b'{"text":"so good"}')


def test_an_input_that_ends_the_worker_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run ends with 1, and the shortest such input lies in a file."""

    def panics(*_: object, **__: object) -> None:
        raise BaseException("a panic of native code")  # noqa: TRY002 - as pyo3's is

    (tmp_path / CORPUS_FILE.parent).mkdir(parents=True)
    write_corpus(tmp_path / CORPUS_FILE, CORPUS)
    tokenizer = minilm_folder() / "tokenizer.json"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("worker.pipeline.decode", panics)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--minutes", "1", "--tokenizer", str(tokenizer)])

    assert main() == 1
    (kept,) = (tmp_path / "runs" / "fuzz").glob("crash-*")
    assert line_of(kept.read_bytes()) in capsys.readouterr().out
    with pytest.raises(BaseException, match="a panic"):
        RecordPath(tokenizer).check(kept.read_bytes())


def test_a_corpus_is_written_once_and_read_back(tmp_path: Path) -> None:
    """Any bytes come back, each once, the shortest first."""
    write_corpus(tmp_path / "corpus", [b"\xff\x00\n", b"a", b"\xff\x00\n"])

    assert read_corpus(tmp_path / "corpus") == [b"a", b"\xff\x00\n"]
    assert sorted(set(CORPUS), key=lambda data: (len(data), data)) == CORPUS, f"{CORPUS_FILE} is not in order"
