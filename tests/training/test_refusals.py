"""What must not end in a figure or a model that is silently wrong, nor take away what is there."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from contract.errors import InputError
from reviews.corpus import read_corpus
from reviews.review import Review, Reviews
from tests.review_files import fit_arguments, review, write_lines
from training.__main__ import main
from training.distill import unlabelled_reviews
from training.failures import what_to_do
from training.fit import split_corpus, started_with
from training.recipe import Recipe

Files = tuple[Path, Path]
Captured = pytest.CaptureFixture[str]


def evaluate(checkpoint: Path, reviews: Files, *more: str) -> int:
    return main(["evaluate", "--checkpoint", str(checkpoint), "--data", str(reviews[1]), "--no-baselines", *more])


def without_tokenizer(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    for file in target.glob("*tokenizer*"):
        file.unlink()
    (target / "vocab.txt").unlink(missing_ok=True)
    return target


def test_a_folder_without_a_tokenizer_is_none(
    reviews: Files, base_model: Path, checkpoint: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Neither a base model nor a checkpoint: a made-up tokenizer would read every word as unknown."""
    base = without_tokenizer(base_model, tmp_path / "base")
    assert main(fit_arguments(reviews, base, tmp_path / "checkpoint")) == 2
    assert evaluate(without_tokenizer(checkpoint, tmp_path / "copy"), reviews) == 2
    assert capsys.readouterr().err.count("has no tokenizer") == 2


def test_classes_in_another_order_are_not_measured(
    reviews: Files, checkpoint: Path, tmp_path: Path, capsys: Captured
) -> None:
    """A head that says `negative` first answers other questions than ours."""
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["id2label"] = {"0": "negative", "1": "neutral", "2": "positive"}
    (copy / "config.json").write_text(json.dumps(config))
    assert evaluate(copy, reviews) == 2
    assert "classes are {0: 'neutral'" in capsys.readouterr().err


@pytest.mark.parametrize("tokens_max", [-5, 2, 65])
def test_a_changed_encoding_is_told(
    tokens_max: int, reviews: Files, checkpoint: Path, tmp_path: Path, capsys: Captured
) -> None:
    """More tokens than the model has positions, or none at all."""
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    encoding = json.loads((copy / "encoding.json").read_text())
    (copy / "encoding.json").write_text(json.dumps({**encoding, "tokens_max": tokens_max}))
    assert evaluate(copy, reviews) == 2
    assert f"asks for {tokens_max} tokens" in capsys.readouterr().err


def test_two_runs_do_not_share_an_output(
    reviews: Files, base_model: Path, tmp_path: Path, capsys: Captured
) -> None:
    """The second one is refused while the first is at it, and nothing of it is left."""
    with FileLock(tmp_path / ".checkpoint.lock"):
        assert main(fit_arguments(reviews, base_model, tmp_path / "checkpoint")) == 2
    assert "another run writes" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint.partial").exists()


@pytest.mark.parametrize("damaged", ["tokens/*/ids.int32", "tokens/*/offsets.npy", "reviews/*/groups.npy"])
def test_a_damaged_cache_is_told(
    damaged: str,
    reviews: Files,
    base_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    """Half a file trains nothing; the message names what to remove, and then the run works."""
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path / "cache"))
    short = ["--epochs", "0.1"]
    assert main([*fit_arguments(reviews, base_model, tmp_path / "first"), *short]) == 0
    for file in (tmp_path / "cache").glob(damaged):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert main([*fit_arguments(reviews, base_model, tmp_path / "second"), *short]) == 2
    assert "in the cache is damaged" in capsys.readouterr().err
    for file in (tmp_path / "cache").glob(damaged):
        shutil.rmtree(file.parent)
    assert main([*fit_arguments(reviews, base_model, tmp_path / "second"), *short]) == 0


def test_both_sides_of_a_split_have_every_class(tmp_path: Path) -> None:
    """With two reviews of a class in a hundred, a fifth of all may have none: that is said before the training."""
    randomly = random.Random(3)
    lines = [review(stars, randomly) for stars, count in ((5, 120), (3, 2), (1, 2)) for _ in range(count)]
    corpus = read_corpus([write_lines(tmp_path / "rare.jsonl", lines)])
    with pytest.raises(InputError, match="reviews to have some to train on and some to measure"):
        split_corpus(corpus, None, "stratified", 2018)


def test_unlabelled_texts_are_none_that_are_measured() -> None:
    """Not even written otherwise: case, spaces and punctuation make no other text."""
    held_out = Reviews.of([Review("A great phone, really.", 1, "")])
    others = Reviews.of([Review("a GREAT phone really", 1, ""), Review("something else", 1, "")])
    left = unlabelled_reviews(others, held_out, "stratified")
    assert [(one.text, one.label, one.stars) for one in left] == [("something else", -1, None)]


def test_the_last_figures_stay_until_there_are_new_ones(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """An evaluation that fails takes nothing away and leaves nothing."""
    (tmp_path / "old.json").write_text("{}")
    for name in ("old.json", "new.json"):
        assert evaluate(base_model, reviews, "--json", str(tmp_path / name)) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "{}"


@pytest.mark.parametrize("said", ["No space left on device (os error 28)", "basic_ios::clear: iostream error"])
def test_a_full_disk_is_recognised_in_other_libraries_words(said: str) -> None:
    """Safetensors and PyTorch raise errors of their own."""
    assert "the disk is full" in str(what_to_do(RuntimeError(said)))


def test_a_process_that_is_left_alone_points_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong is said once, by the process that it went wrong in."""
    lost = RuntimeError("[../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:3141")
    assert what_to_do(lost) is None
    monkeypatch.setenv("RANK", "1")
    assert "another process" in str(what_to_do(lost))


def test_another_base_model_of_the_same_name_is_another(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """What a run was started with names the base model's files by their content, as resuming needs it."""
    copy = shutil.copytree(base_model, tmp_path / base_model.name)
    corpus = read_corpus([reviews[0]])
    first = started_with(corpus, None, str(base_model), Recipe(), "stratified")
    assert started_with(corpus, None, str(copy), Recipe(), "stratified") == first
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert started_with(corpus, None, str(copy), Recipe(), "stratified") != first


def test_figures_on_what_was_trained_on_are_doubted(reviews: Files, checkpoint: Path, capsys: Captured) -> None:
    """The checkpoint's record says which files trained it; other files are measured without a word."""
    assert evaluate(checkpoint, reviews) == 0
    assert "better than those of new reviews" not in capsys.readouterr().err
    assert evaluate(checkpoint, (reviews[0], reviews[0])) == 0
    assert "train.jsonl trained checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--output", "."], "exists already"),
        (["--output", "/"], "exists already"),
        (["--threads", "5000"], "1024"),
    ],
)
def test_what_can_not_be_is_told(
    extra: list[str], message: str, reviews: Files, base_model: Path, tmp_path: Path, capsys: Captured
) -> None:
    """A folder that is there, and more threads than any machine has."""
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *extra]) == 2
    assert message in capsys.readouterr().err


def test_a_name_that_is_no_text_is_told(base_model: Path, tmp_path: Path, capsys: Captured) -> None:
    """Before any work: it could not be written into the record."""
    file = tmp_path / os.fsdecode(b"r\xe9views.jsonl")
    arguments = ["fit", "--data", str(file), "--base-model", str(base_model), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_pipe_is_no_review_file(reviews: Files, base_model: Path, tmp_path: Path, capsys: Captured) -> None:
    """It would be read once for its hash and wait for ever for its lines."""
    os.mkfifo(tmp_path / "pipe")
    arguments = fit_arguments((tmp_path / "pipe", reviews[1]), base_model, tmp_path / "checkpoint")
    assert main(arguments) == 2
    assert "it is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/stdout")])
def test_figures_replace_no_device(
    reviews: Files, checkpoint: Path, tmp_path: Path, capsys: Captured, make: Callable[[Path], None]
) -> None:
    """A file in the place of a pipe or a link would be read by nobody, and root could break /dev with it."""
    file = tmp_path / "figures.json"
    make(file)
    assert evaluate(checkpoint, reviews, "--json", str(file)) == 2
    assert "no plain file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]
    assert file.is_symlink() or file.is_fifo()


def test_training_data_without_words_is_told(
    reviews: Files, checkpoint: Path, tmp_path: Path, capsys: Captured
) -> None:
    """TF-IDF finds nothing in signs alone; exit code 1 would say that a gate failed."""
    signs = write_lines(tmp_path / "signs.jsonl", [{"text": "!" * n, "rating": n % 5 + 1} for n in range(1, 60)])
    arguments = [
        "evaluate",
        "--checkpoint",
        str(checkpoint),
        "--data",
        str(reviews[1]),
        "--train-data",
        str(signs),
    ]
    assert main(arguments) == 2
    assert "TF-IDF can't learn from --train-data" in capsys.readouterr().err
