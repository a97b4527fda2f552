"""Fine-tuning as a user sees it: what is written, what it is worth, and what happens when it is interrupted."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from reviews.review import Review, Reviews
from tests.review_files import fit_arguments
from training.__main__ import main
from training.callback import RunCallback
from training.encoding import HOSTILE
from training.model import load_base
from training.recipe import Recipe
from training.sampler import EncodedReviews
from training.targets import TrainingSet
from training.trainer import make_trainer

Files = tuple[Path, Path]


def test_a_checkpoint_is_whole(checkpoint: Path) -> None:
    """Everything that export, people and transformers need is there; nothing is left of the run beside it."""
    assert {file.name for file in checkpoint.iterdir()} == {
        "README.md", "config.json", "confusion.png", "encoding.json", "golden_pairs.json", "history.json",
        "loss.png", "metrics.json", "model.safetensors", "report.html", "tokenizer.json",
        "tokenizer_config.json", "training.json", "vocab.txt",
    }  # fmt: skip
    assert [file.name for file in checkpoint.parent.iterdir()] == ["checkpoint"]
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["id2label"] == {"0": "neutral", "1": "positive", "2": "negative"}
    assert config["label2id"] == {"neutral": 0, "positive": 1, "negative": 2}
    assert json.loads((checkpoint / "encoding.json").read_text()) == {
        "format": 1, "template": "text", "star_titles": "masked", "truncation": "head", "tokens_max": 32,
    }  # fmt: skip
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in checkpoint.iterdir())
    for picture in ("loss.png", "confusion.png"):
        assert (checkpoint / picture).read_bytes().startswith(b"\x89PNG")


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


def test_golden_pairs_are_reproduced(checkpoint: Path) -> None:
    """A plain tokenizer with the written rules gives the same ids for each of the pairs, the hostile ones too."""
    pairs = json.loads((checkpoint / "golden_pairs.json").read_text())
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    assert tokenizer.truncation is None
    assert tokenizer.padding is None
    tokenizer.enable_truncation(32)
    assert len(pairs) == 200
    assert any(len(pair["ids"]) == 32 for pair in pairs)
    assert set(HOSTILE) <= {pair["fields"]["text"] for pair in pairs}
    for pair in pairs:
        assert tokenizer.encode(pair["fields"]["text"]).ids == pair["ids"]
        assert 2 <= len(pair["ids"]) <= 32
        assert (pair["ids"][0], pair["ids"][-1]) == (2, 3)


def test_a_special_token_in_a_text_is_the_token(checkpoint: Path) -> None:
    """A literal "[SEP]" becomes the separator's own id, as Hugging Face's tokenizers do by default."""
    pairs = {
        pair["fields"]["text"]: pair["ids"] for pair in json.loads((checkpoint / "golden_pairs.json").read_text())
    }
    assert pairs["[CLS] [SEP] [MASK] [PAD] [UNK]"] == [2, 2, 3, 4, 0, 1, 3]


def test_evaluate_gives_the_figures_of_fit(checkpoint: Path, reviews: Files, tmp_path: Path) -> None:
    """The same model on the same texts has the same figures, whichever command measures it."""
    answer = tmp_path / "figures.json"
    assert (
        main(["evaluate", "--checkpoint", str(checkpoint), "--data", str(reviews[1]), "--json", str(answer)]) == 0
    )
    measured = json.loads(answer.read_text())
    of_fit = json.loads((checkpoint / "metrics.json").read_text())
    assert {name: measured[name] for name in of_fit} == of_fit


@pytest.mark.parametrize("step", [5, 19, 30, 38])  # in the first epoch, at its end, in the second, at the very end
def test_an_interrupted_run_ends_with_the_same_weights(
    step: int, checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Ctrl-C ends with the step saved; --resume goes on as if nothing had been, down to the last bit."""
    arguments = fit_arguments(reviews, base_model, tmp_path / "checkpoint")
    with monkeypatch.context() as patched:
        _interrupt_at(step, patched)
        assert main(arguments) == 130
    assert f"saved at step {step}; the same command with --resume" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint").exists()

    assert main(arguments) == 2
    assert "go on with it by --resume" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0

    assert _weights_equal(tmp_path / "checkpoint", checkpoint)
    assert (tmp_path / "checkpoint/metrics.json").read_text() == (checkpoint / "metrics.json").read_text()
    assert not (tmp_path / "checkpoint.partial").exists()


def test_a_killed_run_goes_on_from_the_last_saved_step(
    checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Without a warning, as by SIGKILL: --resume repeats the steps after the last saved one, with the same end."""
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), "--save-steps", "5"]
    with monkeypatch.context() as patched:
        patched.setattr(RunCallback, "on_step_end", _die_at_step_7)
        with pytest.raises(ZeroDivisionError):
            main(arguments)
    assert main([*arguments, "--resume"]) == 0
    assert "going on after step 5" in capsys.readouterr().err
    assert _weights_equal(tmp_path / "checkpoint", checkpoint)


def _die_at_step_7(self: RunCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
    if state.global_step == 7:
        raise ZeroDivisionError


def _weights_equal(one: Path, other: Path) -> bool:
    weights, others = (load_file(path / "model.safetensors") for path in (one, other))
    return weights.keys() == others.keys() and all(np.array_equal(weights[name], others[name]) for name in weights)


def _interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on_step_end = RunCallback.on_step_end

    def interrupted(self: RunCallback, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step == step:
            signal.raise_signal(signal.SIGINT)
        on_step_end(self, args, state, control, **rest)

    monkeypatch.setattr(RunCallback, "on_step_end", interrupted)


def test_a_run_is_not_resumed_with_other_settings(
    reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Weights of two recipes are not mixed; a second signal ends at once, and nothing half-written is resumed."""
    arguments = fit_arguments(reviews, base_model, tmp_path / "checkpoint")
    with monkeypatch.context() as patched:
        _interrupt_at(3, patched)
        main(arguments)
    (tmp_path / "checkpoint.partial/checkpoint-9").mkdir()  # its trainer_state.json was not written yet
    (tmp_path / "checkpoint.partial/checkpoint-8").mkdir()
    (tmp_path / "checkpoint.partial/checkpoint-8/trainer_state.json").write_text('{"epo')
    for step, file in (
        (7, "model.safetensors"),
        (6, "optimizer.pt"),
    ):  # power failed before all was on disk
        cut = tmp_path / f"checkpoint.partial/checkpoint-{step}"
        shutil.copytree(tmp_path / "checkpoint.partial/checkpoint-3", cut)
        os.truncate(cut / file, (cut / file).stat().st_size - 100)
        (cut / "saved.json").unlink()

    assert main([*arguments, "--resume", "--epochs", "3"]) == 2
    assert "epochs was 2.0 and is 3.0" in capsys.readouterr().err
    assert main([*arguments, "--resume", "--save-steps", "99"]) == 0
    assert "going on after step 3" in capsys.readouterr().err


def test_weight_decay_spares_biases_and_norms(base_model: Path, tmp_path: Path) -> None:
    """Weights decay by the recipe's rate; biases and LayerNorm do not decay."""
    tokenizer, model = load_base(str(base_model), 32)
    recipe = Recipe(weight_decay=0.02)
    loss = TrainingSet(Reviews.of([Review("a", 0, "")])).loss(recipe)
    trainer = make_trainer(model, tokenizer, EncodedReviews([[2, 3]], labels=[0]), recipe, tmp_path, loss)
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    groups = trainer.create_optimizer().param_groups

    decay = {names[id(parameter)]: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert set(decay) == set(names.values())
    assert all(rate == (0 if "bias" in name or "LayerNorm" in name else 0.02) for name, rate in decay.items())
    assert {group["weight_decay"] for group in groups} == {0, 0.02}
    assert type(trainer.optimizer).__name__ == "AdamW"


def test_a_checkpoint_is_a_base_model_too(checkpoint: Path) -> None:
    """Fine-tuning can go on from a checkpoint: its head is kept, since its classes are the same."""
    _, model = load_base(str(checkpoint), 32)
    kept = AutoModelForSequenceClassification.from_pretrained(checkpoint).classifier.weight
    assert model.classifier.weight.equal(kept)


def test_bf16_is_an_option_on_a_cpu(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Products in bf16; what is kept and written stays fp32."""
    short = ["--epochs", "0.2", "--precision", "bf16"]
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *short]) == 0
    assert json.loads((tmp_path / "checkpoint/training.json").read_text())["precision"] == "bf16"
    weights = load_file(tmp_path / "checkpoint/model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"float32"}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--data", "absent.json"], "can't read absent.json: No such file"),
        (["--validation", "absent.json"], "can't read absent.json"),
        (["--base-model", "./absent/bert"], "can't load ./absent/bert: there is no such folder"),
        (["--epochs", "0"], "--epochs must be above 0"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--tokens-max", "65"], "reads 64 tokens: --tokens-max can't be 65"),
        (["--precision", "fp8"], "--precision must be"),
        (["--output", "/proc/none/checkpoint"], "No such file"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(
    extra: list[str], message: str, reviews: Files, base_model: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What the user can fix ends with code 2 and a paragraph that says what."""
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_nothing_is_overwritten(checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """An existing checkpoint stays, and so does a folder that only looks like an unfinished run."""
    before = (checkpoint / "training.json").read_bytes()
    assert main(fit_arguments(reviews, base_model, checkpoint)) == 2
    assert (checkpoint / "training.json").read_bytes() == before
    (tmp_path / "other.partial").mkdir()
    (tmp_path / "other.partial/mine.txt").touch()
    assert main(fit_arguments(reviews, base_model, tmp_path / "other")) == 2
    assert (tmp_path / "other.partial/mine.txt").exists()


def test_validation_texts_are_not_trained_on(
    reviews: Files, base_model: Path, capsys: Any, tmp_path: Path
) -> None:
    """What --validation holds is left out of --data; where nothing of a class is left, that is said."""
    arguments = fit_arguments((reviews[1], reviews[1]), base_model, tmp_path / "checkpoint")
    assert main(arguments) == 2
    assert "left without the texts that --validation holds" in capsys.readouterr().err


def test_a_folder_that_is_no_checkpoint_is_not_measured(base_model: Path, reviews: Files, capsys: Any) -> None:
    """A base model has no encoding and no head: its figures would be those of random numbers."""
    assert main(["evaluate", "--checkpoint", str(base_model), "--data", str(reviews[1])]) == 2
    assert "is not a checkpoint that `python -m training fit` wrote" in capsys.readouterr().err


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
