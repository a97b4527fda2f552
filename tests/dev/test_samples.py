"""The sample data: real, whole, the same for everyone, and split so that no review stands on both sides."""

import json
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from contract.labels import LABELS
from dev.samples import (
    SampleUnavailableError,
    minilm_folder,
    rated_sentences,
    split_by_review,
    tiny_base_model,
    write_reviews,
)
from dev.samples import packages as samples
from reviews.corpus import read_corpus
from reviews.review import text_key


def test_the_sentences_are_those_of_the_paper() -> None:
    """3,708 sentences of 300 reviews, rated from -4 to 4, each with a text and an id of its own."""
    sentences = rated_sentences()
    assert len(sentences) == len({sentence.sentence_id for sentence in sentences}) == 3708
    assert len({sentence.review_id for sentence in sentences}) == 300
    assert all(-4 <= sentence.mean_rating <= 4 and sentence.text for sentence in sentences)
    assert all(sentence.sentence_id.startswith(f"{sentence.review_id}_") for sentence in sentences)


def test_half_a_point_around_zero_is_neutral() -> None:
    """The label is neutral below half a point from zero, else the sign of the mean rating."""
    for sentence in rated_sentences():
        if abs(sentence.mean_rating) < 0.5:
            assert sentence.label == "neutral"
        else:
            assert sentence.label == ("positive" if sentence.mean_rating > 0 else "negative")


def test_no_review_and_no_text_stands_in_both_parts() -> None:
    """The split is by review, leaves out of the held-out part what was trained on, and is repeatable."""
    sentences = rated_sentences()
    training, tested = split_by_review(sentences)
    assert (training, tested) == split_by_review(iter(sentences))
    assert split_by_review(sentences, seed=1) != (training, tested)
    assert not {s.review_id for s in training} & {s.review_id for s in tested}
    assert not {text_key(s.text) for s in training} & {text_key(s.text) for s in tested}
    assert len({s.review_id for s in tested}) == 75
    assert 3690 < len(training) + len(tested) <= 3708


def test_training_reads_what_is_written(tmp_path: Path) -> None:
    """Written as Amazon reviews the sentences keep their texts and labels."""
    sentences = rated_sentences()[:200]
    write_reviews(sentences, tmp_path / "sentences.jsonl")
    corpus = read_corpus([tmp_path / "sentences.jsonl"])
    assert [(s.text, s.label) for s in sentences] == [(r.text, LABELS[r.label]) for r in corpus.reviews]
    assert not corpus.rejected


def test_the_weights_are_a_bert() -> None:
    """The folder holds the weights, the configuration and the tokenizer, and nothing else of the package."""
    folder = minilm_folder()
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= {
        f.name for f in folder.iterdir()
    }
    assert json.loads((folder / "config.json").read_text())["model_type"] == "bert"


def test_the_tiny_model_is_the_same_every_time(tmp_path: Path) -> None:
    """Random weights of a fixed seed, whatever was drawn before, with the real vocabulary."""
    first, second = tiny_base_model(tmp_path / "first"), tiny_base_model(tmp_path / "second")
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
    assert json.loads((first / "config.json").read_text())["vocab_size"] == 30522


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> samples.Package:
    """A package that pip finds in a folder, with an empty cache; its setup.py leaves a trace if it is run."""
    index = tmp_path / "index"
    index.mkdir()
    archive = index / "sample-words-1.0.zip"
    with zipfile.ZipFile(archive, "w") as source:
        source.writestr("sample-words-1.0/setup.py", f"open({str(tmp_path / 'trace')!r}, 'w').close()")
        source.writestr("sample-words-1.0/PKG-INFO", "Metadata-Version: 1.0\nName: sample-words\nVersion: 1.0\n")
        source.writestr("sample-words-1.0/words.txt", "good\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path / "cache"))
    sha256 = subprocess.run(["sha256sum", archive], capture_output=True, text=True, check=True).stdout.split()[0]
    return samples.Package("sample-words", "1.0", sha256)


def _words(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        (target / "words.txt").write_bytes(source.read("sample-words-1.0/words.txt"))


def test_a_source_package_is_fetched_without_being_run(package: samples.Package, tmp_path: Path) -> None:
    """Only what is wanted comes into the cache, and no line of the package is run for it."""
    folder = samples.fetch(package, "words", _words, "write some")
    assert [file.name for file in folder.iterdir()] == ["words.txt"]
    assert not (tmp_path / "trace").exists()


def test_two_at_once_fetch_once(package: samples.Package, tmp_path: Path) -> None:
    """The second process waits and finds the folder whole."""
    fetched: list[Path] = []

    def unpack(archive: Path, target: Path) -> None:
        fetched.append(archive)
        _words(archive, target)

    def both() -> None:
        assert (samples.fetch(package, "words", unpack, "write some") / "words.txt").read_text() == "good\n"

    threads = [threading.Thread(target=both) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert Counter(file.name for file in (tmp_path / "cache").iterdir()) == {"words": 1, "words.lock": 1}


@pytest.mark.parametrize("fault", ["hash", "member", "absent"])
def test_what_is_not_the_pinned_package_is_refused(package: samples.Package, tmp_path: Path, fault: str) -> None:
    """Other bytes, a missing member or no package at all: a message with a way out, and nothing in the cache."""
    wanted = {
        "hash": samples.Package(package.name, package.version, "0" * 64),
        "member": package,
        "absent": samples.Package("sample-none", "1.0", package.sha256),
    }[fault]

    def unpack(archive: Path, target: Path) -> None:
        with zipfile.ZipFile(archive) as source:
            (target / "x").write_bytes(source.read("elsewhere"))

    with pytest.raises(SampleUnavailableError, match=rf"(?s)can't fetch {wanted.name} 1\.0.*Instead, write some"):
        samples.fetch(wanted, "words", unpack, "write some")
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["words.lock"]


def test_the_command_says_where_they_are() -> None:
    """`python -m dev.samples` prints both places."""
    done = subprocess.run([sys.executable, "-m", "dev.samples"], capture_output=True, text=True, check=True)
    assert str(minilm_folder()) in done.stdout
    assert "ratings.txt" in done.stdout
