"""Measuring a bundle on reviews: every figure comes from the graph, the encoder and the temperature that serve."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.errors import UsageError
from contract.labels import LABELS
from contract.variants import REFERENCE
from evaluation.abstention import abstain
from evaluation.baselines import baselines
from evaluation.comparison import compare
from evaluation.evaluate import Served, evaluate_logits, ids_of, summarise
from evaluation.figures import rounded
from export.confidence import AbstentionFigures, confidences
from export.devices import callers
from export.figures import Against, BesideReference, BundleEvaluation, BundleIdentity, VariantEvaluation
from export.labelled import Labelled, Source, doubts, read_labelled, read_reviews
from export.progress import Progress
from export.scoring import Logits, score
from reviews.review import Review
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up
from worker.errors import BundleRefusedError

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure.

    Attributes:
        bundle: What export wrote.
        source: The labelled reviews.
        variants: Names of variants; none for all that run on the CPU.
        against: A bundle to compare with, on the same texts.
        tolerance: The loss of macro-F1 against it that is put up with.
        with_baselines: Whether to measure baselines.
        train: Files of reviews that the TF-IDF baseline learns from.
        threads: Of the CPU; 0 means one a core.
        macro_f1_min: The macro-F1 that is good enough.
    """

    bundle: Path
    source: Source
    variants: tuple[str, ...] = ()
    against: Path | None = None
    tolerance: float = 0.0
    with_baselines: bool = False
    train: tuple[Path, ...] = ()
    threads: int = 0
    macro_f1_min: float | None = None


def evaluate(options: EvaluateOptions, progress: Progress) -> BundleEvaluation:
    """The figures of a bundle's variants on labelled reviews, each text counted once.

    Raises:
        BundleRefusedError: If a folder is no bundle, does not reproduce its golden texts, or lacks the variant.
        InputError: If the TF-IDF baseline can't learn from the files that it is given.
        UsageError: If the reviews can't be used, or have other labels than a bundle.
    """
    bundle = _read(options.bundle)
    names = options.variants or tuple(
        name for name, one in bundle.manifest.variants.items() if one.device == "cpu"
    )
    serves = _serving(bundle, names)
    other = _read(options.against) if options.against else None
    other_serves = other.choose_variant("cpu", names[0] if len(options.variants) == 1 else "auto") if other else ""
    with progress.step("reading the reviews"):
        labelled = read_labelled(options.source, warn=progress.warn)
        train = read_reviews(options.train, "--train-data", warn=progress.warn).reviews if options.train else None
    for doubt in doubts(labelled, bundle.manifest.provenance):
        progress.warn(doubt)
    reviews, labels = labelled.reviews, ids_of(labelled.reviews)
    simple, lacking = baselines(reviews, train) if options.with_baselines else ({}, [])

    logits = {name: _answer(bundle, name, labelled, options.threads, progress) for name in names}
    answers = {name: one.argmax(axis=1) for name, one in logits.items()}
    against = None
    if other:
        old = _answer(other, other_serves, labelled, options.threads, progress).argmax(axis=1)
        against = Against(
            bundle=_identity(other),
            variant=other_serves,
            figures=summarise(labels, old),
            comparison=compare(labels, answers[serves], old, len(LABELS), options.tolerance).figures(),
        )
    return BundleEvaluation(
        bundle=_identity(bundle),
        serves=serves,
        variants={
            name: replace(_evaluate_variant(bundle, name, reviews, one), macro_f1_min=options.macro_f1_min)
            for name, one in logits.items()
        },
        baselines={name: summarise(labels, given) for name, given in simple.items()},
        baselines_left_out=lacking,
        labelled=labelled,
        beside_reference=_beside_reference(labels, answers),
        against=against,
    )


def _read(folder: Path) -> Bundle:
    bundle = read_bundle(folder)
    if bundle.manifest.labels != LABELS:
        raise UsageError(
            f"{folder} has the labels {', '.join(bundle.manifest.labels)} in class-id order, where reviews have "
            f"{', '.join(LABELS)}: export its checkpoint again."
        )
    return bundle


def _serving(bundle: Bundle, names: Sequence[str]) -> str:
    """The variant that a worker on a CPU would choose, if it is among the names, else the first of them."""
    for name in names:
        bundle.choose_variant("cpu", name)
    chosen = bundle.choose_variant("cpu")
    return chosen if chosen in names else names[0]


def _answer(bundle: Bundle, name: str, labelled: Labelled, threads: int, progress: Progress) -> Logits:
    """The logits of a variant, loaded and checked as a worker does before it serves."""
    variant, encoding = bundle.variant(name), bundle.manifest.encoding
    if variant.device != "cpu":
        raise BundleRefusedError(
            f"{name} of {bundle.folder} runs on {variant.device} only, and figures come from a CPU."
        )
    title = f"{bundle.manifest.name} {bundle.manifest.version} {name}"
    with progress.step(f"{title}: loading and checking"):
        encoder = TokenizersEncoder(bundle.tokenizer_file, encoding)
        classifier = OnnxClassifier(bundle.folder / variant.file, device="cpu")
        warm_up(bundle, name, encoder, classifier)
    with progress.step(f"{title}: scoring {len(labelled.reviews)} texts") as told:
        return score(
            encoder,
            classifier,
            labelled.texts(),
            tokens_max=encoding.tokens_max,
            callers=callers("cpu", threads),
            done=told,
        )


def _evaluate_variant(bundle: Bundle, name: str, reviews: Sequence[Review], logits: Logits) -> VariantEvaluation:
    variant = bundle.variant(name)
    right = logits.argmax(axis=1) == ids_of(reviews)
    found = abstain(confidences(logits, variant.temperature), right, variant.abstain_below)
    evaluation = evaluate_logits(reviews, logits, Served(variant.temperature, _fitted_on(bundle, name)))
    return VariantEvaluation(**vars(evaluation), abstention=AbstentionFigures.of(found))


def _fitted_on(bundle: Bundle, name: str) -> str | None:
    """What the manifest says of the texts behind a variant's temperatures."""
    calibration = bundle.manifest.provenance.get("calibration")
    if isinstance(calibration, dict):
        variants = calibration.get("variants")
        if isinstance(variants, dict) and name in variants:
            return f"{calibration.get('texts')} texts at export"
    return None if bundle.variant(name).temperature == 1 else "texts that the manifest does not name"


def _beside_reference(labels: Ids, answers: dict[str, Ids]) -> dict[str, BesideReference]:
    """What another way of computing does to the answers, of class ids (rows,), where the reference is measured."""
    reference = answers.get(REFERENCE.name)
    if reference is None:
        return {}
    others = {name: own for name, own in answers.items() if name != REFERENCE.name}
    return {name: _beside(name, labels, own, reference) for name, own in others.items()}


def _beside(name: str, labels: Ids, answers: Ids, reference: Ids) -> BesideReference:
    found = compare(labels, answers, reference, len(LABELS), tolerance=0.0)
    agreement = float((answers == reference).mean())
    return BesideReference(
        difference=rounded(found.difference),
        interval=(rounded(found.interval[0]), rounded(found.interval[1])),
        label_agreement=rounded(agreement),
        sentence=(
            f"{name} beside {REFERENCE.name}: {found.measured()}; {agreement:.2%} of the labels are the same."
        ),
    )


def _identity(bundle: Bundle) -> BundleIdentity:
    manifest = bundle.manifest
    return BundleIdentity(name=manifest.name, version=manifest.version, sha256=bundle.sha256)
