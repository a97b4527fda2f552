"""What labelled reviews that trained nothing say of each variant: its temperatures, its threshold, its figures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from contract.errors import UsageError
from contract.fields import Fields
from contract.scoring import scaled
from contract.variants import VariantKind
from evaluation.evaluate import ids_of
from evaluation.figures import written
from evaluation.metrics import figures
from export.checkpoint import Checkpoint
from export.confidence import TEXTS_FEW, TEXTS_MAX, Calibrated, calibrate
from export.labelled import Labelled, Source, doubts, read_labelled
from export.progress import Progress
from export.provenance import accuracy_figures
from export.scoring import score
from reviews.seen import sketch_of
from worker.adapters.classifier import OnnxClassifier
from worker.ports import Encoder

_PARITY_TEXTS_MAX = 300
"""More would cost minutes on a BERT-base; these are as many as the texts that are made up where there are none."""


@dataclass(frozen=True)
class HeldOutOptions:
    """What the command line says of held-out reviews; no files and no precision mean that nothing is done."""

    calibration: tuple[Path, ...] = ()
    calibration_part: str = "calibration"
    precision: float | None = None
    test: tuple[Path, ...] = ()
    test_part: str = "test"


@dataclass(frozen=True)
class HeldOut:
    """The reviews, each part None where it is not wanted."""

    calibration: Labelled | None
    test: Labelled | None
    precision: float | None

    def calibration_texts(self) -> list[Fields]:
        """Some of them, for the scales of int8 and the parity of every variant: real texts tell most."""
        return self.calibration.texts()[:_PARITY_TEXTS_MAX] if self.calibration else []


@dataclass(frozen=True)
class Measured:
    """What the reviews say of a variant, each part None where there were none.

    `accuracy` are the figures of `evaluation.metrics.figures` on the test texts at the variant's temperatures, the
    names of nested ones joined with dots.
    """

    calibrated: Calibrated | None = None
    accuracy: dict[str, float] | None = None


def read_held_out(wanted: HeldOutOptions, checkpoint: Checkpoint, progress: Progress) -> HeldOut:
    """Read the reviews, without the golden pairs' texts: those trained the model, or selected it.

    Nor is any text both for calibration and for the test.

    Raises:
        UsageError: If a file can't be read, the part of it lacks a class, or the model may have seen a test text.
    """
    sources = (
        (Source(wanted.calibration, wanted.calibration_part, "--calibration", "--calibration-part"), TEXTS_MAX),
        (Source(wanted.test, wanted.test_part, "--test", "--test-part"), None),
    )
    read: dict[str, Labelled] = {}
    for source, texts_max in sources:
        if not source.files:
            continue
        with progress.step(f"reading the reviews of {source.flag}"):
            calibration = read["--calibration"].texts() if read else []
            labelled = read_labelled(
                source, warn=progress.warn, but=(*checkpoint.golden_fields(), *calibration), texts_max=texts_max
            )
        for doubt in doubts(labelled, {"training": checkpoint.training}):
            if source.flag == "--test":
                raise UsageError(doubt)  # what the manifest says of accuracy is read as true
            progress.warn(doubt)
        read[source.flag] = labelled
    held_out = HeldOut(read.get("--calibration"), read.get("--test"), wanted.precision)
    _remark(held_out, progress)
    return held_out


def calibrate_and_measure(
    kind: VariantKind,
    file: Path,
    checkpoint: Checkpoint,
    encoder: Encoder,
    held_out: HeldOut,
    threads: int,
    progress: Progress,
) -> Measured:
    """Calibrate a variant, then measure it, with its very graph in the worker's hands.

    Args:
        kind: Of the variant; its device is at hand.
        file: Its graph.
        checkpoint: Where the graph came from.
        encoder: The worker's, with the checkpoint's tokenizer.
        held_out: What to do it on.
        threads: Of the CPU; 0 means one a core.
        progress: Is told what is done and found.
    """
    name, classifier = kind.name, OnnxClassifier(file, device=kind.device, threads=threads)
    calibrated, accuracy, tokens_max = None, None, checkpoint.encoding.tokens_max
    if texts := held_out.calibration:
        with progress.step(f"{name}: scoring {len(texts.reviews)} calibration texts") as told:
            logits = score(encoder, classifier, texts.texts(), tokens_max=tokens_max, done=told)
        calibrated = calibrate(texts.reviews, logits, held_out.precision)
        progress.say(f"{name}: {calibrated.sentence(held_out.precision)}")
        if calibrated.reached is False:
            progress.warn(
                f"{name}: at no threshold do {len(texts.reviews)} texts prove a precision of "
                f"{held_out.precision:g}, so nearly every event will be marked as abstained: ask for less, give "
                "more --calibration, or train a better model."
            )
    if texts := held_out.test:
        with progress.step(f"{name}: measuring on {len(texts.reviews)} test texts") as told:
            logits = score(encoder, classifier, texts.texts(), tokens_max=tokens_max, done=told)
        logits = scaled(logits, calibrated.temperature if calibrated else 1.0).astype(np.float32)
        accuracy = accuracy_figures(written(figures(ids_of(texts.reviews), logits)))
    return Measured(calibrated, accuracy)


def provenance_of(held_out: HeldOut, measured: dict[str, Measured]) -> dict[str, JsonValue]:
    """What the manifest says of the reviews: files, counts and figures, and never a text."""
    said: dict[str, JsonValue] = {"calibration": "none"}
    if held_out.calibration:
        said["calibration"] = {
            **held_out.calibration.sheet(),
            "sketch": sketch_of(held_out.calibration.keys()),
            "precision_wanted": held_out.precision,
            "figures_on": "the texts that temperatures and threshold were fitted on",
            "variants": {name: one.calibrated.record() for name, one in measured.items() if one.calibrated},
        }
    if held_out.test:
        said["test"] = held_out.test.sheet()
    return said


def _remark(held_out: HeldOut, progress: Progress) -> None:
    if held_out.calibration is None:
        progress.say(
            "probabilities will not be calibrated: for that, name labelled reviews that did not train the model "
            "with --calibration"
        )
    elif len(held_out.calibration.reviews) < TEXTS_FEW:
        progress.warn(
            f"{len(held_out.calibration.reviews)} calibration texts are few: give {TEXTS_FEW} or more, of which a "
            "temperature is known to about 5 %."
        )
