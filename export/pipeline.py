"""The way from a checkpoint to a bundle: every step a gate, and nothing under the final name before the last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from contract.labels import LABELS
from contract.manifest import BundleManifest, Golden, Variant
from contract.variants import REFERENCE
from export.checkpoint import Checkpoint, load_model, read_checkpoint
from export.devices import check_without_device, hardware, load
from export.errors import CheckpointRefusedError
from export.gates.golden import choose_goldens
from export.gates.limits import Result, Trial
from export.gates.parity import (
    Probabilities,
    golden_answers,
    measure,
    reference_probabilities,
    speed_ratio,
)
from export.gates.sample import Sample, check_encoding, encode_sample, load_encoder
from export.gates.texts import collect_texts
from export.graph import read_opset
from export.held_out import HeldOut, HeldOutOptions, Measured, calibrate_and_measure, provenance_of, read_held_out
from export.progress import Progress
from export.provenance import accuracy_figures, default_name, default_version, provenance
from export.readme import write_readme
from export.variants import GraphSource, VariantRecipe, chosen
from export.write import check_output, digests, publish, staging_folder, write_contents, write_manifest
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.warmup import warm_up
from worker.ports import Encoder


@dataclass(frozen=True)
class BundleOptions:
    """What the command line asks for; what is empty means the defaults, 0 threads one a core."""

    checkpoint: Path
    output: Path
    variants: tuple[str, ...] = ()
    name: str = ""
    version: str = ""
    texts: tuple[Path, ...] = ()
    held_out: HeldOutOptions = field(default_factory=HeldOutOptions)
    threads: int = 0
    overwrite: bool = False


@dataclass(frozen=True)
class Reference:
    """What every variant is held to: PyTorch's answers to the sample, and the golden texts among them."""

    sample: Sample
    probabilities: Probabilities
    goldens: list[Golden]


def export_bundle(options: BundleOptions, progress: Progress) -> list[Result]:
    """Make a verified bundle, or none.

    Returns:
        What was measured of each variant that was tried; refused ones are among them.

    Raises:
        UsageError: If the input is wrong.
        CheckpointRefusedError: If the encoding, the fusion or the parity of the reference does not hold.
        BundleRefusedError: If the worker does not take what was written.
    """
    check_output(options.output, overwrite=options.overwrite)
    with progress.step("reading the checkpoint"):
        checkpoint = read_checkpoint(options.checkpoint)
        encoder = load_encoder(checkpoint)
    with progress.step(f"encoding {len(checkpoint.golden_pairs)} golden pairs as the worker does"):
        check_encoding(checkpoint, encoder)
    held_out = read_held_out(options.held_out, checkpoint, progress)
    texts = collect_texts(
        checkpoint.golden_fields(), options.texts, held_out.calibration_texts(), warn=progress.warn
    )
    sample = encode_sample(encoder, texts.shareable, texts.private, checkpoint.config.vocab_size)
    with staging_folder(options.output) as folder:
        model = load_model(checkpoint)
        reference = _ask_pytorch(model, sample, options.threads, progress)
        source = GraphSource(model, checkpoint, folder / REFERENCE.file, reference.sample.rows)
        results = [
            _make(recipe, source, folder / recipe.kind.file, reference, options.threads, progress)
            for recipe in chosen(options.variants)
        ]
        measured = {
            result.name: calibrate_and_measure(
                result.kind, folder / result.kind.file, checkpoint, encoder, held_out, options.threads, progress
            )
            for result in results
            if result.refusal is None and isinstance(result.trial, Trial)
        }
        with progress.step("writing the bundle and loading it as the worker does"):
            write_contents(folder, checkpoint, _with_own(reference.goldens, results))
            write_manifest(folder, _manifest(options, checkpoint, folder, results, held_out, measured))
            _try_out(folder, encoder, options.threads)
            write_readme(folder)
        publish(folder, options.output, overwrite=options.overwrite)
    return results


def _ask_pytorch(model: Any, sample: Sample, threads: int, progress: Progress) -> Reference:
    with progress.step(
        f"scoring {len(sample.rows)} texts of up to {max(map(len, sample.rows))} tokens with PyTorch"
    ):
        probabilities = reference_probabilities(model, sample.rows, threads=threads)
    shareable = slice(sample.shareable)
    goldens = choose_goldens(sample.texts[shareable], sample.rows[shareable], probabilities[shareable])
    return Reference(sample, probabilities, goldens)


def _make(
    recipe: VariantRecipe, source: GraphSource, file: Path, reference: Reference, threads: int, progress: Progress
) -> Result:
    """Make a graph and hold it to its gates, until an attempt passes.

    A refused one is removed, and a refused reference ends the export.
    """
    name = recipe.kind.name
    attempts = recipe.make(source, file)
    with progress.step(f"{name}: {recipe.doing}"):
        details = next(attempts)
    while True:
        with progress.step(f"{name}: parity with PyTorch, alone and among random neighbours"):
            result = _measure(recipe, file, source.reference, reference, threads, details)
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


def _measure(
    recipe: VariantRecipe,
    file: Path,
    baseline: Path,
    reference: Reference,
    threads: int,
    details: dict[str, JsonValue],
) -> Result:
    return Result(
        kind=recipe.kind,
        gates=recipe.gates,
        size_bytes=file.stat().st_size,
        opset=read_opset(file),
        trial=_try(recipe, file, baseline, reference, threads),
        details=details,
    )


def _try(recipe: VariantRecipe, file: Path, baseline: Path, reference: Reference, threads: int) -> Trial | str:
    device, rows = recipe.kind.device, reference.sample.rows
    classifier = load(file, device, threads)
    if isinstance(classifier, str):
        check_without_device(file)
        return classifier
    answers = golden_answers(classifier, reference.goldens)
    return Trial(
        device=hardware(device),
        deviation=measure(classifier, rows, reference.probabilities, batchings=recipe.gates.batchings),
        golden_answers=answers.tolist(),
        golden_delta=float(np.abs(answers - [golden.probabilities for golden in reference.goldens]).max()),
        speed_ratio=speed_ratio(file, baseline, rows, device),
    )


def _with_own(goldens: Sequence[Golden], results: Sequence[Result]) -> list[Golden]:
    """The golden texts with what each variant that serves and was measured here says of them itself."""
    tried = {one.name: one.trial for one in results if one.refusal is None and isinstance(one.trial, Trial)}
    return [
        golden.model_copy(update={"own": {name: trial.golden_answers[place] for name, trial in tried.items()}})
        for place, golden in enumerate(goldens)
    ]


def _manifest(
    options: BundleOptions,
    checkpoint: Checkpoint,
    folder: Path,
    results: Sequence[Result],
    held_out: HeldOut,
    measured: dict[str, Measured],
) -> BundleManifest:
    served = [result for result in results if result.refusal is None]
    refused = {result.name: result.refusal for result in results if result.refusal}
    return BundleManifest(
        name=options.name or default_name(checkpoint.folder),
        version=options.version or default_version(checkpoint),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=LABELS,
        encoding=checkpoint.encoding,
        files=digests(folder),
        variants={result.name: _entry(result, checkpoint, measured) for result in served},
        provenance={
            **provenance(checkpoint),
            **provenance_of(held_out, measured),
            "measurements": {result.name: result.measurements() for result in results},
            "refused_variants": refused,
        },
    )


def _entry(result: Result, checkpoint: Checkpoint, measured: dict[str, Measured]) -> Variant:
    # The figures of metrics.json were measured in PyTorch: parity makes them the reference's, and nobody else's.
    trained = accuracy_figures(checkpoint.metrics) if result.kind == REFERENCE else {}
    own = measured.get(result.name)
    # Half precision moves a logit by a thousandth, which no temperature would notice.
    found = (own or measured[REFERENCE.name]).calibrated
    return result.manifest_entry(
        trained if own is None or own.accuracy is None else own.accuracy,
        temperature=found.temperature if found else 1.0,
        abstain_below=found.abstain_below if found else 0.0,
    )


def _try_out(folder: Path, encoder: Encoder, threads: int) -> None:
    """What a worker does before it joins its group, for every variant that runs here."""
    bundle = read_bundle(folder)
    for name, variant in bundle.manifest.variants.items():
        if variant.parity.status == "passed":
            classifier = OnnxClassifier(folder / variant.file, device=variant.device, threads=threads)
            warm_up(bundle, name, encoder, classifier)
