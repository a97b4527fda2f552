"""The model that serves: a bundle's graph, loaded, warm and checked on this device."""

import time
from dataclasses import dataclass

import structlog

from contract.errors import ReviewSentimentError, UsageError
from contract.events import ModelIdentity
from contract.variants import Device
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier, available_device
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import WarmupReport, warm_up
from worker.core.batching import Layout, default_layout
from worker.cores import cores
from worker.errors import BundleRefusedError, ModelFailedError
from worker.ports import Classifier, Encoder, OutOfDeviceMemoryError
from worker.settings import Settings
from worker.tuned import Choice, here, read_choices

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Model:
    """A bundle's graph, loaded, warm and checked on the device that serves."""

    bundle: Bundle
    variant: str
    encoder: Encoder
    classifier: Classifier
    layout: Layout
    warmup: WarmupReport

    @property
    def identity(self) -> ModelIdentity:
        """What every event says of it."""
        return ModelIdentity(
            name=self.bundle.manifest.name,
            version=self.bundle.manifest.version,
            sha256=self.bundle.sha256,
            variant=self.variant,
            provider=self.classifier.provider,
        )


def load_model(settings: Settings) -> Model:
    """Load, verify and warm up the bundle.

    Raises:
        BundleRefusedError: If it is incomplete or altered, or does not reproduce its golden texts here.
        ModelFailedError: If the device can't be used, or has no memory for the model.
        UsageError: If the settings don't fit the bundle.
    """
    started_s = time.monotonic()
    device = available_device(settings.device)
    bundle = read_bundle(settings.bundle)
    tuned = _tuned(settings, bundle, device)
    layout = _layout(settings, tuned, device, tokens_min=bundle.manifest.encoding.tokens_max)
    wanted = tuned.variant if tuned and settings.variant == "auto" else settings.variant
    name = bundle.choose_variant(device, wanted)
    encoder = load_encoder(bundle)
    classifier = OnnxClassifier(
        bundle.folder / bundle.variant(name).file,
        device=device,
        threads=layout.threads,
        memory_bytes_max=settings.device_memory_bytes_max,
    )
    report = _warm_up(bundle, name, encoder, classifier)
    model = Model(bundle, name, encoder, classifier, layout, report)
    log.info(
        "model_ready",
        **model.identity.model_dump(),
        **layout._asdict(),
        golden_texts=report.texts,
        golden_delta_max=round(report.probability_delta_max, 6),
        elapsed_s=round(time.monotonic() - started_s, 2),
    )
    return model


def _tuned(settings: Settings, bundle: Bundle, device: Device) -> Choice | None:
    """What was measured of this bundle on such a machine, if it was."""
    if settings.tuning_file is None:
        return None
    where = here(bundle, device)
    choices = read_choices(settings.tuning_file)
    found = next((choice for choice in choices if choice.where == where), None)
    if found is None:
        log.warning("not_tuned", file=str(settings.tuning_file), choices=len(choices), here=where)
    elif settings.variant == "auto" and found.variant not in bundle.manifest.variants:
        raise UsageError(f"{settings.tuning_file}: the bundle has no graph {found.variant}; run `tune` again")
    return found


def _layout(settings: Settings, tuned: Choice | None, device: Device, *, tokens_min: int) -> Layout:
    """Settings win over what was measured, and that over the rule."""
    layout = default_layout(device, cores())
    layout = layout._replace(tokens=max(layout.tokens, tokens_min))
    if tuned:
        layout = layout._replace(
            callers=tuned.callers, threads=tuned.threads, tokens=max(tuned.batch_tokens_max, tokens_min)
        )
    if settings.threads and not settings.callers:  # so many cores and no more
        layout = layout._replace(callers=1)
    wanted = {
        "callers": settings.callers,
        "threads": settings.threads,
        "rows": settings.batch_rows_max,
        "tokens": settings.batch_tokens_max,
    }
    layout = layout._replace(**{name: value for name, value in wanted.items() if value})
    if layout.tokens < tokens_min:
        raise UsageError(f"WORKER_BATCH_TOKENS_MAX must be at least the bundle's {tokens_min}")
    return layout


def load_encoder(bundle: Bundle) -> Encoder:
    """The bundle's tokenizer.

    Raises:
        BundleRefusedError: If this version of the library can't read it.
        ModelFailedError: If there is no memory for it.
    """
    try:
        return TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
    except MemoryError as error:
        raise ModelFailedError(f"there is no memory to load {bundle.tokenizer_file}") from error
    except Exception as error:  # all that the library promises
        raise BundleRefusedError(
            f"{bundle.tokenizer_file} can't be read: {error}. Was it written by a newer version of tokenizers?"
        ) from error


def _warm_up(bundle: Bundle, variant: str, encoder: Encoder, classifier: Classifier) -> WarmupReport:
    try:
        return warm_up(bundle, variant, encoder, classifier)
    except ReviewSentimentError:
        raise
    except (MemoryError, OutOfDeviceMemoryError) as error:
        raise ModelFailedError(f"there is no memory to run {variant} of {bundle.folder}: {error}") from error
    except Exception as error:  # whatever the runtime says of a graph, or numpy of the goldens
        raise BundleRefusedError(
            f"{variant} of {bundle.folder} does not run its golden texts: {error!r}"
        ) from error
