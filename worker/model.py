"""The model that serves: a bundle's graph, loaded, warm and checked on this device."""

import time
from dataclasses import dataclass

import structlog

from contract.errors import ReviewSentimentError, UsageError
from contract.events import ModelIdentity
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier, available_device
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import WarmupReport, warm_up
from worker.core.batching import LIMITS, BatchLimits
from worker.errors import BundleRefusedError, ModelFailedError
from worker.ports import Classifier, Encoder, OutOfDeviceMemoryError
from worker.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Model:
    """A bundle's graph, loaded, warm and checked on the device that serves."""

    bundle: Bundle
    variant: str
    encoder: Encoder
    classifier: Classifier
    limits: BatchLimits

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
    limits = BatchLimits(
        settings.batch_rows_max or LIMITS[device].rows, settings.batch_tokens_max or LIMITS[device].tokens
    )
    if limits.tokens < bundle.manifest.encoding.tokens_max:
        raise UsageError(f"batch_tokens_max must be at least the bundle's {bundle.manifest.encoding.tokens_max}")
    name = bundle.choose_variant(device, settings.variant)
    encoder = _encoder(bundle)
    classifier = OnnxClassifier(
        bundle.folder / bundle.variant(name).file,
        device=device,
        threads=settings.threads,
        memory_bytes_max=settings.device_memory_bytes_max,
    )
    report = _warm_up(bundle, name, encoder, classifier)
    model = Model(bundle, name, encoder, classifier, limits)
    log.info(
        "model_ready",
        **model.identity.model_dump(),
        golden_texts=report.texts,
        golden_delta_max=round(report.probability_delta_max, 6),
        elapsed_s=round(time.monotonic() - started_s, 2),
    )
    return model


def _encoder(bundle: Bundle) -> Encoder:
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
