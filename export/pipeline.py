"""The way from a checkpoint to a bundle: every step a gate, and nothing under the final name before the last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.labels import LABELS
from contract.manifest import BundleManifest, Golden, Variant
from contract.variants import REFERENCE
from export.checkpoint import Checkpoint, load_model, read_checkpoint
from export.gates.golden import choose_goldens
from export.gates.limits import Result, Trial
from export.gates.loss import Calibration
from export.gates.parity import (
    reference_probabilities,
)
from export.gates.sample import Sample, check_encoding, encode_sample, load_encoder
from export.gates.texts import collect_texts
from export.held_out import Examiner, HeldOut, HeldOutOptions, provenance_of, read_held_out
from export.making import Maker, Reference
from export.progress import Progress
from export.provenance import accuracy_figures, default_name, default_version, provenance
from export.readme import write_readme
from export.variants import GraphSource, chosen
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
        examiner = Examiner(held_out, encoder, checkpoint.encoding.tokens_max, options.threads, progress)
        maker = Maker(GraphSource(model, checkpoint, folder / REFERENCE.file, sample.rows), reference, examiner)
        results = [maker.make(recipe, folder / recipe.kind.file) for recipe in chosen(options.variants)]
        accuracies = _accuracies(results, examiner, folder)
        with progress.step("writing the bundle and loading it as the worker does"):
            write_contents(folder, checkpoint, _with_own(reference.goldens, results))
            write_manifest(folder, _manifest(options, checkpoint, folder, results, held_out, accuracies))
            _try_out(folder, encoder)
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
    accuracies: Mapping[str, dict[str, float]],
) -> BundleManifest:
    served = [result for result in results if result.refusal is None]
    refused = {result.name: result.refusal for result in results if result.refusal}
    calibrations = {result.name: result.calibration for result in served if result.calibration}
    return BundleManifest(
        name=options.name or default_name(checkpoint.folder),
        version=options.version or default_version(checkpoint),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=LABELS,
        encoding=checkpoint.encoding,
        files=digests(folder),
        variants={
            result.name: _entry(result, checkpoint, accuracies, calibrations.get(REFERENCE.name))
            for result in served
        },
        provenance={
            **provenance(checkpoint),
            **provenance_of(held_out, calibrations),
            "measurements": {result.name: result.measurements() for result in results},
            "refused_variants": refused,
        },
    )


def _accuracies(results: Sequence[Result], examiner: Examiner, folder: Path) -> dict[str, dict[str, float]]:
    """The figures of each variant that serves and runs here, by name; none without test reviews."""
    found = {
        one.name: examiner.accuracy(
            one.kind, folder / one.kind.file, one.calibration.found.temperature if one.calibration else 1.0
        )
        for one in results
        if one.refusal is None and isinstance(one.trial, Trial)
    }
    return {name: figures for name, figures in found.items() if figures is not None}


def _entry(
    result: Result,
    checkpoint: Checkpoint,
    accuracies: Mapping[str, dict[str, float]],
    of_reference: Calibration | None,
) -> Variant:
    # The figures of metrics.json were measured in PyTorch: parity makes them the reference's, and nobody else's.
    trained = accuracy_figures(checkpoint.metrics) if result.kind == REFERENCE else {}
    # Half precision moves a logit by a thousandth, which no temperature would notice.
    calibration = of_reference if isinstance(result.trial, str) else result.calibration
    return result.manifest_entry(
        accuracies.get(result.name, trained),
        temperature=calibration.found.temperature if calibration else 1.0,
        abstain_below=calibration.found.abstain_below if calibration else 0.0,
    )


def _try_out(folder: Path, encoder: Encoder) -> None:
    """What a worker does before it joins its group, for every variant that runs here."""
    bundle = read_bundle(folder)
    for name, variant in bundle.manifest.variants.items():
        if variant.parity.status == "passed":
            classifier = OnnxClassifier(folder / variant.file, device=variant.device)
            warm_up(bundle, name, encoder, classifier)
