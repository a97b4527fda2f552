"""The figures of a bundle, and how they are written to JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from contract.variants import REFERENCE
from evaluation.figures import ComparisonFigures, Evaluation, Figures, Interval, written
from export.confidence import AbstentionFigures
from export.labelled import Labelled


@dataclass(frozen=True, kw_only=True)
class BundleIdentity:
    """Which bundle it is."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class VariantEvaluation(Evaluation):
    """All figures of a graph, and what its threshold does."""

    abstention: AbstentionFigures


@dataclass(frozen=True, kw_only=True)
class BesideReference:
    """What another way of computing does to the answers: macro-F1 less that of the reference, and like labels."""

    difference: float
    interval: Interval
    label_agreement: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Against:
    """The bundle that this one is compared with, by the variant of it that serves."""

    bundle: BundleIdentity
    variant: str
    figures: Figures
    comparison: ComparisonFigures


@dataclass(frozen=True, kw_only=True)
class BundleEvaluation:
    """What was measured of a bundle.

    Attributes:
        bundle: Which one.
        serves: The variant that a worker would choose, which is the one to be compared.
        variants: By name.
        baselines: By name.
        baselines_left_out: Why one is.
        labelled: The texts.
        beside_reference: The other variants beside the reference, by name, where that is measured.
        against: Where there is a bundle to compare with.
    """

    bundle: BundleIdentity
    serves: str
    variants: dict[str, VariantEvaluation]
    baselines: dict[str, Figures]
    baselines_left_out: list[str]
    labelled: Labelled
    beside_reference: dict[str, BesideReference]
    against: Against | None = None

    def record(self) -> dict[str, Any]:
        """All of it, for the JSON file."""
        said = {
            "bundle": asdict(self.bundle),
            "serves": self.serves,
            "variants": {name: written(one) for name, one in self.variants.items()},
            "baselines": {name: written(one) for name, one in self.baselines.items()},
            "baselines_left_out": self.baselines_left_out,
            "data": self.labelled.sheet(),
            **{f"{name}_beside_{REFERENCE.name}": asdict(one) for name, one in self.beside_reference.items()},
        }
        if other := self.against:
            said["against"] = {
                "bundle": asdict(other.bundle), "variant": other.variant, **written(other.figures)
            }  # fmt: skip
            said["comparison"] = asdict(other.comparison)
        return said
