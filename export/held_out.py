"""What labelled reviews that trained nothing say of each variant: its temperatures, its threshold, its figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from contract.errors import UsageError
from contract.fields import Fields
from contract.scoring import Temperature, scaled
from contract.variants import VariantKind
from evaluation.evaluate import ids_of
from evaluation.figures import written
from evaluation.metrics import figures
from export.checkpoint import Checkpoint
from export.confidence import TEXTS_FEW, TEXTS_MAX, calibrate
from export.devices import callers
from export.gates.loss import Answers, Calibration
from export.labelled import Labelled, Source, doubts, read_labelled
from export.progress import Progress
from export.provenance import accuracy_figures
from export.scoring import Logits, score
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


@dataclass(frozen=True)
class Examiner:
    """Asks a variant about the held-out reviews, with its very graph in the worker's hands.

    Attributes:
        held_out: What to ask.
        encoder: The worker's, with the checkpoint's tokenizer.
        tokens_max: Of the checkpoint's encoding.
        threads: Of the CPU; 0 means one a core.
        progress: Is told what is done and found.
    """

    held_out: HeldOut
    encoder: Encoder
    tokens_max: int
    threads: int
    progress: Progress

    def calibrate(self, kind: VariantKind, file: Path) -> Calibration | None:
        """Fit a variant's temperatures and threshold; None where there are no calibration reviews."""
        texts, precision = self.held_out.calibration, self.held_out.precision
        if texts is None:
            return None
        logits = self._score(kind, file, texts, "scoring {} calibration texts")
        found = calibrate(texts.reviews, logits, precision)
        self.progress.say(f"{kind.name}: {found.sentence(precision)}")
        if found.reached is False:
            self.progress.warn(
                f"{kind.name}: at no threshold do {len(texts.reviews)} texts prove a precision of "
                f"{precision:g}, so nearly every event will be marked as abstained: ask for less, give "
                "more --calibration, or train a better model."
            )
        return Calibration(Answers(ids_of(texts.reviews), logits, found.temperature), found)

    def accuracy(self, kind: VariantKind, file: Path, temperature: Temperature) -> dict[str, float] | None:
        """The figures of `evaluation.metrics.figures` on the test reviews; None where there are none.

        The names of nested ones are joined with dots.
        """
        if (texts := self.held_out.test) is None:
            return None
        logits = self._score(kind, file, texts, "measuring on {} test texts")
        calibrated = scaled(logits, temperature).astype(np.float32)
        return accuracy_figures(written(figures(ids_of(texts.reviews), calibrated)))

    def _score(self, kind: VariantKind, file: Path, texts: Labelled, doing: str) -> Logits:
        classifier, several = OnnxClassifier(file, device=kind.device), callers(kind.device, self.threads)
        with self.progress.step(f"{kind.name}: {doing.format(len(texts.reviews))}") as told:
            return score(
                self.encoder, classifier, texts.texts(), tokens_max=self.tokens_max, callers=several, done=told
            )


def provenance_of(held_out: HeldOut, calibrations: Mapping[str, Calibration]) -> dict[str, JsonValue]:
    """What the manifest says of the reviews: files, counts, each variant's figures, and never a text."""
    said: dict[str, JsonValue] = {"calibration": "none"}
    if held_out.calibration:
        said["calibration"] = {
            **held_out.calibration.sheet(),
            "sketch": sketch_of(held_out.calibration.keys()),
            "precision_wanted": held_out.precision,
            "figures_on": "the texts that temperatures and threshold were fitted on",
            "variants": {name: one.found.record() for name, one in calibrations.items()},
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
