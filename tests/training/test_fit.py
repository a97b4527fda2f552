"""A whole run on a tiny BERT, and what it leaves behind."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer

from dev.samples import rated_sentences, tiny_base_model, write_reviews
from training.data import read_corpus
from training.errors import TrainingError
from training.evaluate import evaluate
from training.fit import Recipe, _arguments, fit
from training.metrics import figures

RECIPE = Recipe(epochs=1, learning_rate=1e-3, batch_size=16, tokens_max=32, threads=1, save_steps=5)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer."""
    return tiny_base_model(tmp_path_factory.mktemp("base") / "base", layers=1, hidden=32)


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred real sentences."""
    file = tmp_path_factory.mktemp("reviews") / "reviews.jsonl"
    write_reviews(rated_sentences()[:200], file)
    return file


def test_a_checkpoint_holds_what_export_and_people_need(checkpoint: Path) -> None:
    """Hugging Face layout, encoding, golden pairs, settings, figures, card, pictures; no partial state."""
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md", "loss.png", "confusion.png"):
        assert (checkpoint / name).stat().st_size > 0
    encoding = json.loads((checkpoint / "encoding.json").read_text())
    assert encoding == {"format": 1, "template": "text", "truncation": "head", "tokens_max": 128}
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["id2label"] == {"0": "neutral", "1": "positive", "2": "negative"}
    run = json.loads((checkpoint / "training.json").read_text())
    assert run["data"]["reviews"] > 2000
    assert run["settings"]["seed"] == 2018
    assert not checkpoint.with_name(checkpoint.name + ".partial").exists()


def test_the_golden_pairs_are_the_tokenizers(checkpoint: Path) -> None:
    """Two hundred pairs, hostile ones among them, that the saved tokenizer reproduces."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    pairs = json.loads((checkpoint / "golden_pairs.json").read_text())

    assert len(pairs) == 200
    assert any(len(pair["ids"]) == 128 for pair in pairs)
    for pair in pairs:
        assert pair["ids"] == tokenizer(pair["fields"]["text"], truncation=True, max_length=128)["input_ids"]


def test_evaluate_finds_the_figures_that_fit_reported(checkpoint: Path) -> None:
    """The same texts give the same figures, whoever batches them."""
    reported = json.loads((checkpoint / "metrics.json").read_text())

    measured = evaluate(checkpoint, read_corpus([checkpoint.parent / "held-out.jsonl"]))

    assert measured["confusion"] == reported["confusion"]
    assert measured["loss"] == pytest.approx(reported["loss"], abs=1e-5)


def test_an_interrupted_run_ends_as_if_it_had_not_been(base: Path, reviews: Path, tmp_path: Path) -> None:
    """SIGKILL after a saved step and `--resume`: the same weights as the run that was left in peace."""
    corpus = read_corpus([reviews])
    fit(corpus, str(base), tmp_path / "whole", RECIPE, validation=None, resume=False)
    code = f"""
import os, sys
from pathlib import Path
from transformers import TrainerCallback
import training.fit as module
class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 7: os._exit(9)
module.RichProgress = Kill
from training.data import read_corpus
module.fit(read_corpus([Path({str(reviews)!r})]), {str(base)!r}, Path({str(tmp_path / "cut")!r}),
           module.Recipe(**{RECIPE.__dict__!r}), validation=None, resume=False)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == 9, killed.stderr
    assert not (tmp_path / "cut").exists()

    fit(corpus, str(base), tmp_path / "cut", RECIPE, validation=None, resume=True)

    whole, cut = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_weight_decay_spares_biases_and_layer_norms(base: Path, tmp_path: Path) -> None:
    """Two groups of parameters, and in the one without decay only what must not shrink."""
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    trainer = Trainer(model=model, args=_arguments(RECIPE, tmp_path), eval_dataset=[])
    optimiser = trainer.create_optimizer()

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {group["weight_decay"]: {names[id(p)] for p in group["params"]} for group in optimiser.param_groups}
    assert set(groups) == {0.01, 0.0}
    assert groups[0.0] == {name for name in names.values() if name.endswith("bias") or "LayerNorm" in name}


def test_figures_are_those_of_the_definition() -> None:
    """Accuracy, macro-F1 over all three classes, and the matrix with true classes in rows."""
    labels = np.array([0, 0, 1, 1, 1, 2])
    logits = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 0, 1]] * 9

    result = figures(labels, logits)

    assert result["accuracy"] == pytest.approx(3 / 6)
    assert result["confusion"] == [[1, 1, 0], [1, 2, 0], [0, 1, 0]]
    assert result["macro_f1"] == pytest.approx((0.5 + 2 * 2 / 7 + 0) / 3)
    assert result["by_class"]["negative"]["f1"] == 0


def test_what_exists_is_not_overwritten(base: Path, reviews: Path, tmp_path: Path) -> None:
    """A finished checkpoint is refused as output before any work is done."""
    with pytest.raises(TrainingError, match="exists"):
        fit(read_corpus([reviews]), str(base), tmp_path, RECIPE, validation=None, resume=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "missing.json", "--base-model", "BASE"], "missing.json"),
        (["--data", "REVIEWS", "--base-model", "no/such-folder"], "base model"),
        (["--data", "REVIEWS", "--base-model", "BASE", "--epochs", "0"], "positive"),
        (["--data", "REVIEWS", "--base-model", "BASE", "--tokens-max", "9999"], "positions"),
    ],
)
def test_wrong_input_ends_with_2_and_a_reason(
    arguments: list[str], words: str, base: Path, reviews: Path, tmp_path: Path
) -> None:
    """No traceback: a sentence that says what is wrong with what."""
    places = {"BASE": str(base), "REVIEWS": str(reviews)}
    command = [sys.executable, "-m", "training", "fit", "--output", str(tmp_path / "out")]
    command += [places.get(word, word) for word in arguments]
    environment = {"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
