"""The model that workers serve where none is given."""

import subprocess
import sys
from pathlib import Path

from contract.variants import REFERENCE
from dev.samples import rated_sentences, split_by_review, tiny_base_model, write_reviews


def tiny_bundle(folder: Path, *, epochs: int = 1) -> Path:
    """The bundle of a tiny BERT, fine-tuned on the rated sentences; made once for a folder.

    One epoch gives nearly every text the same label.
    """
    bundle = folder / "bundle"
    if bundle.exists():
        return bundle
    folder.mkdir(parents=True, exist_ok=True)
    reviews = folder / "reviews.jsonl"
    write_reviews(split_by_review(rated_sentences())[0], reviews)
    tiny_base_model(folder / "base")
    checkpoint = folder / "checkpoint"
    for command in (
        ["training", "fit", "--data", reviews, "--base-model", folder / "base", "--output", checkpoint,
         "--epochs", epochs, "--tokens-max", 128, "--learning-rate", 1e-3],
        ["export", "bundle", "--checkpoint", checkpoint, "--output", bundle, "--name", "tiny", "--variants",
         REFERENCE.name],
    ):  # fmt: skip
        if not (command[0] == "training" and checkpoint.exists()):
            subprocess.run([sys.executable, "-m", *map(str, command)], check=True)
    return bundle
