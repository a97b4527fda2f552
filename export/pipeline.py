"""The way from a checkpoint to a bundle: every step a gate, and nothing under the final name before the last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.labels import LABELS
from contract.manifest import BundleManifest, Golden, Variant
from export.checkpoint import Checkpoint, load_model, read_checkpoint
from export.errors import CheckpointRefusedError
from export.gates.golden import choose_goldens
from export.gates.parity import (
    BATCHINGS,
    Probabilities,
    golden_delta,
    measure,
    reference_probabilities,
    speed_ratio,
)
from export.gates.sample import Sample, check_encoding, encode_sample, load_encoder
from export.gates.texts import collect_texts
from export.graph import export_fp32, read_opset
from export.held_out import HeldOut, Judged, Wanted, judge, provenance_of, read_held_out
from export.int8.quantisation import quantise
from export.progress import Progress
from export.provenance import accuracy_figures, cpu_name, default_name, default_version, provenance
from export.variants import FILES, Result
from export.write import check_output, digests, publish, staging_folder, write_contents, write_manifest
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.warmup import warm_up
from worker.ports import Encoder


@dataclass(frozen=True)
class Options:
    """What the command line asks for; empty `name` and `version` mean the defaults, 0 threads one a core."""

    checkpoint: Path
    output: Path
    variants: tuple[str, ...] = tuple(FILES)
    name: str = ""
    version: str = ""
    texts: tuple[Path, ...] = ()
    held_out: Wanted = field(default_factory=Wanted)
    threads: int = 0
    overwrite: bool = False


@dataclass(frozen=True)
class _Yardstick:
    """What every variant is held to: PyTorch's answers to the sample, and the golden texts among them."""

    sample: Sample
    reference: Probabilities
    goldens: list[Golden]


def export_bundle(options: Options, progress: Progress) -> list[Result]:
    """Make a verified bundle, or none.

    Returns:
        What was measured of each variant that was tried; a refused int8 is among them.

    Raises:
        UsageError: If the input is wrong.
        CheckpointRefusedError: If the encoding, the fusion or the parity of fp32 does not hold.
        BundleRefusedError: If the worker does not take what was written.
    """
    check_output(options.output, overwrite=options.overwrite)
    with progress.step("reading the checkpoint"):
        checkpoint = read_checkpoint(options.checkpoint)
        encoder = load_encoder(checkpoint)
    with progress.step(f"encoding {len(checkpoint.golden_pairs)} golden pairs as the worker does"):
        check_encoding(checkpoint, encoder)
    held_out = read_held_out(options.held_out, checkpoint, progress)
    texts = collect_texts(checkpoint.golden_fields(), options.texts, held_out.calibration_texts())
    sample = encode_sample(encoder, texts.shareable, texts.private, checkpoint.config.vocab_size)
    with staging_folder(options.output) as folder:
        model = load_model(checkpoint)
        yardstick = _ask_pytorch(model, sample, options.threads, progress)
        results = [_make_fp32(model, checkpoint, folder, yardstick, options.threads, progress)]
        if "int8" in options.variants:
            results.append(_make_int8(folder, yardstick, options.threads, progress))
        judged = {
            name: judge(name, folder / FILES[name], checkpoint, encoder, held_out, options.threads, progress)
            for name in (result.name for result in results if result.refusal is None)
        }
        with progress.step("writing the bundle and loading it as the worker does"):
            write_contents(folder, checkpoint, yardstick.goldens)
            write_manifest(folder, _manifest(options, checkpoint, folder, results, held_out, judged))
            _try_out(folder, encoder, options.threads)
        publish(folder, options.output, overwrite=options.overwrite)
    return results


def _ask_pytorch(model: Any, sample: Sample, threads: int, progress: Progress) -> _Yardstick:
    with progress.step(
        f"scoring {len(sample.rows)} texts of up to {max(map(len, sample.rows))} tokens with PyTorch"
    ):
        reference = reference_probabilities(model, sample.rows, threads=threads)
    shareable = slice(sample.shareable)
    goldens = choose_goldens(sample.texts[shareable], sample.rows[shareable], reference[shareable])
    return _Yardstick(sample, reference, goldens)


def _make_fp32(
    model: Any, checkpoint: Checkpoint, folder: Path, yardstick: _Yardstick, threads: int, progress: Progress
) -> Result:
    file = folder / FILES["fp32"]
    with progress.step("fp32: tracing and fusing the graph"):
        operators = export_fp32(model, checkpoint.config, file)
    fused = {name: operators[name] for name in ("Attention", "EmbedLayerNormalization")}
    with progress.step("fp32: parity with PyTorch, alone and among random neighbours"):
        result = _measure("fp32", file, yardstick, threads, {"fused": fused})
    if result.refusal:
        raise CheckpointRefusedError(f"the fp32 graph is not the checkpoint's model: {result.refusal}.")
    return result


def _make_int8(folder: Path, yardstick: _Yardstick, threads: int, progress: Progress) -> Result:
    file = folder / FILES["int8"]
    with progress.step("int8: quantising"):
        details = quantise(folder / FILES["fp32"], file, yardstick.sample.rows)
    with progress.step("int8: parity with PyTorch, alone and among random neighbours"):
        result = _measure("int8", file, yardstick, threads, details)
    if result.refusal:
        file.unlink()
        progress.warn(f"int8 is refused and left out of the bundle, which serves fp32: {result.refusal}.")
    return result


def _measure(name: str, file: Path, yardstick: _Yardstick, threads: int, details: dict[str, Any]) -> Result:
    classifier = OnnxClassifier(file, device="cpu", threads=threads)
    rows = yardstick.sample.rows
    return Result(
        name=name,
        size_bytes=file.stat().st_size,
        opset=read_opset(file),
        deviation=measure(classifier, rows, yardstick.reference, batchings=BATCHINGS[name]),
        golden_delta=golden_delta(classifier, yardstick.goldens),
        speed_ratio=speed_ratio(file, file.with_name(FILES["fp32"]), rows),
        details=details,
    )


def _manifest(
    options: Options,
    checkpoint: Checkpoint,
    folder: Path,
    results: Sequence[Result],
    held_out: HeldOut,
    judged: dict[str, Judged],
) -> BundleManifest:
    served = [result for result in results if result.name in judged]
    refused = {result.name: result.refusal for result in results if result.refusal}
    device = f"CPUExecutionProvider on {cpu_name()}"
    return BundleManifest(
        name=options.name or default_name(checkpoint.folder),
        version=options.version or default_version(checkpoint),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=LABELS,
        encoding=checkpoint.encoding,
        files=digests(folder),
        variants={result.name: _entry(result, device, checkpoint, judged[result.name]) for result in served},
        provenance={
            **provenance(checkpoint),
            **provenance_of(held_out, judged),
            "measurements": {result.name: result.measurements() for result in results},
            "refused_variants": refused,
        },
    )


def _entry(result: Result, device: str, checkpoint: Checkpoint, judged: Judged) -> Variant:
    # The figures of metrics.json were measured in PyTorch: parity makes them fp32's, and nobody else's.
    trained = accuracy_figures(checkpoint.metrics) if result.name == "fp32" else {}
    found = judged.calibrated
    return result.manifest_entry(
        device,
        trained if judged.accuracy is None else judged.accuracy,
        temperature=found.temperature if found else 1.0,
        abstain_below=found.abstain_below if found else 0.0,
    )


def _try_out(folder: Path, encoder: Encoder, threads: int) -> None:
    """What a worker does before it joins its group, for every variant."""
    bundle = read_bundle(folder)
    for name in bundle.manifest.variants:
        classifier = OnnxClassifier(folder / bundle.variant(name).file, device="cpu", threads=threads)
        warm_up(bundle, name, encoder, classifier)
