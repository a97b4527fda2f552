"""Fine-tuning as a user sees it: what is learnt from, what the model is worth, and what is told of the run."""

import json
import random
import shutil
from pathlib import Path

import pytest

from contract.errors import InputError
from reviews.corpus import read_corpus
from tests.review_files import fit_arguments, review, write_lines
from training.__main__ import main
from training.fit import split_corpus, started_with
from training.recipe import Recipe

Files = tuple[Path, Path]


def test_the_model_learns(checkpoint: Path) -> None:
    """The words that tell the stars are found: the figures are far above those of a guess."""
    metrics = json.loads((checkpoint / "metrics.json").read_text())
    assert metrics["macro_f1"] > 0.8
    assert metrics["rows"] == 45 == sum(map(sum, metrics["confusion"]))
    assert set(metrics["by_class"]) == {"neutral", "positive", "negative"}


def test_the_report_accounts_for_the_data(checkpoint: Path, base_model: Path, reviews: Files) -> None:
    """`training.json` tells settings, data with hashes, rejected lines, figures, versions, time and processor."""
    record = json.loads((checkpoint / "training.json").read_text())
    assert record["base_model"] == base_model.name
    assert record["settings"] | {"tokens_max": 32, "seed": 2018, "weight_decay": 0.01} == record["settings"]
    assert record["data"]["by_class"] == {"positive": 50, "neutral": 50, "negative": 50}
    assert record["data"]["rejected"] == {"no stars": 1, "not JSON": 1}
    assert record["data"]["rejected_first"]["not JSON"] == "train.jsonl:152"
    assert len(record["data"]["files"][0]["sha256"]) == 64
    assert record["figures"]["macro_f1"] == json.loads((checkpoint / "metrics.json").read_text())["macro_f1"]
    assert record["steps"] == 38
    assert {"torch", "transformers", "tokenizers"} <= set(record["versions"])
    assert record["elapsed_s"] > 0
    assert record["processor"]
    assert str(reviews[0].parent) not in json.dumps(record) + (checkpoint / "README.md").read_text()


def test_evaluate_gives_the_figures_of_fit(checkpoint: Path, reviews: Files, tmp_path: Path) -> None:
    """The same model on the same texts has the same figures, whichever command measures it."""
    answer = tmp_path / "figures.json"
    assert (
        main(["evaluate", "--checkpoint", str(checkpoint), "--data", str(reviews[1]), "--json", str(answer)]) == 0
    )
    measured = json.loads(answer.read_text())
    of_fit = json.loads((checkpoint / "metrics.json").read_text())
    assert {name: measured[name] for name in of_fit} == of_fit


def test_validation_texts_are_not_trained_on(
    reviews: Files, base_model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What --validation holds is left out of --data; where nothing of a class is left, that is said."""
    arguments = fit_arguments((reviews[1], reviews[1]), base_model, tmp_path / "checkpoint")
    assert main(arguments) == 2
    assert "left without the texts that --validation holds" in capsys.readouterr().err


def test_a_fifth_is_held_out_without_validation(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Without --validation the stratified split of the data is used."""
    train, _ = reviews
    output = tmp_path / "checkpoint"
    short = ["--epochs", "0.2", "--tokens-max", "8", "--no-group-by-length"]
    assert (
        main(["fit", "--data", str(train), "--base-model", str(base_model), "--output", str(output), *short]) == 0
    )
    parts = json.loads((output / "training.json").read_text())["parts"]
    assert parts == {
        "training": {"positive": 40, "neutral": 40, "negative": 40},
        "validation": {"positive": 10, "neutral": 10, "negative": 10},
    }


@pytest.mark.parametrize("damaged", ["tokens/*/ids.int32", "tokens/*/offsets.npy", "reviews/*/groups.npy"])
def test_a_damaged_cache_is_told(
    damaged: str,
    reviews: Files,
    base_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
