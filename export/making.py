"""Making a variant: attempt after attempt, each held to the gates, until one passes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from contract.manifest import Golden
from contract.variants import REFERENCE
from export.devices import callers, check_without_device, hardware, load
from export.errors import CheckpointRefusedError
from export.gates.limits import Result, Trial
from export.gates.loss import Calibration, Loss, loss
from export.gates.parity import Probabilities, golden_answers, measure, speed_ratio
from export.gates.sample import Sample
from export.graph import read_opset
from export.held_out import Examiner
from export.variants import GraphSource, VariantRecipe


@dataclass(frozen=True)
class Reference:
    """What every variant is held to: PyTorch's answers to the sample, and the golden texts among them."""

    sample: Sample
    probabilities: Probabilities
    goldens: list[Golden]


class Maker:
    """Makes variants, the reference first: the others are held to what that answers the calibration reviews."""

    def __init__(self, source: GraphSource, reference: Reference, examiner: Examiner) -> None:
        self._source, self._reference, self._examiner = source, reference, examiner
        self._calibration: Calibration | None = None

    def make(self, recipe: VariantRecipe, file: Path) -> Result:
        """Make a graph and hold it to its gates, until an attempt passes; a refused one is removed.

        Raises:
            CheckpointRefusedError: If it is the reference that is refused.
        """
        name, progress, attempts = recipe.kind.name, self._examiner.progress, recipe.make(self._source, file)
        with progress.step(f"{name}: {recipe.doing}"):
            details = next(attempts)
        while True:
            result = self._judge(recipe, file, details)
            if result.refusal is None or (further := next(attempts, None)) is None:
                break
            progress.say(f"{name}: {result.refusal}; trying again with less of it changed")
            details = further
        if isinstance(result.trial, str):
            progress.say(f"{name}: its parity was not measured, and a worker's warm-up will: {result.trial}")
        if result.refusal and recipe.kind == REFERENCE:
            raise CheckpointRefusedError(f"the {name} graph is not the checkpoint's model: {result.refusal}.")
        if result.refusal:
            file.unlink()
            progress.warn(
                f"{name} is refused and left out of the bundle, which serves {REFERENCE.name}: {result.refusal}."
            )
        return result

    def _judge(self, recipe: VariantRecipe, file: Path, details: dict[str, JsonValue]) -> Result:
        trial = self._try(recipe, file)
        calibration = None if isinstance(trial, str) else self._examiner.calibrate(recipe.kind, file)
        if recipe.kind == REFERENCE:
            self._calibration = calibration
        return Result(
            kind=recipe.kind,
            gates=recipe.gates,
            size_bytes=file.stat().st_size,
            opset=read_opset(file),
            trial=trial,
            details=details,
            calibration=calibration,
            loss=None if recipe.kind == REFERENCE else self._beside_reference(recipe, calibration),
        )

    def _beside_reference(self, recipe: VariantRecipe, calibration: Calibration | None) -> Loss | None:
        if calibration is None or self._calibration is None:
            return None
        found = loss(calibration.answers, self._calibration.answers)
        self._examiner.progress.say(f"{recipe.kind.name}: {found.sentence()}")
        return found

    def _try(self, recipe: VariantRecipe, file: Path) -> Trial | str:
        device, rows, goldens = recipe.kind.device, self._reference.sample.rows, self._reference.goldens
        reference = self._source.reference
        with self._examiner.progress.step(
            f"{recipe.kind.name}: parity with PyTorch, alone and among random neighbours"
        ):
            classifier = load(file, device)
            if isinstance(classifier, str):
                check_without_device(file)
                return classifier
            answers = golden_answers(classifier, goldens)
            return Trial(
                device=hardware(device),
                deviation=measure(
                    classifier,
                    rows,
                    self._reference.probabilities,
                    batchings=recipe.gates.batchings,
                    callers=callers(device, self._examiner.threads),
                ),
                golden_answers=answers.tolist(),
                golden_delta=float(np.abs(answers - [golden.probabilities for golden in goldens]).max()),
                speed_ratio=1.0 if file == reference else speed_ratio(file, reference, rows, device),
            )
