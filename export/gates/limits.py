"""The gates that a variant has to pass, and what the manifest says of one that did."""

import math
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from contract.manifest import Parity, Variant
from contract.scoring import Temperature
from contract.variants import VariantKind

ONNXRUNTIME = ">=1.26"
"""The oldest version that the project installs and tests with (pyproject.toml)."""


@dataclass(frozen=True)
class Deviation:
    """A graph against PyTorch, and against itself in other batches.

    Attributes:
        texts: How many were scored.
        probability_delta_max: The largest difference of a probability from PyTorch, sorted batches.
        probability_delta_p99: The 99th percentile over texts of each text's largest difference.
        label_agreement: The share of texts with PyTorch's label.
        batchings: How many random batchings were tried.
        flip_rate: The share of labels, over texts and random batchings, other than in sorted batches.
        neighbour_delta_max: The largest difference of a probability between a random batching and sorted batches.
    """

    texts: int
    probability_delta_max: float
    probability_delta_p99: float
    label_agreement: float
    batchings: int
    flip_rate: float
    neighbour_delta_max: float


@dataclass(frozen=True)
class Gates:
    """What a variant is held to; a limit that is not given always holds.

    Attributes:
        batchings: Random batchings to try: a rate takes more of them than a bound that every text has to keep.
        probability_delta_max: How far a probability may be from PyTorch's.
        neighbour_delta_max: How far a probability may move with the other texts of its batch.
        label_agreement_min: The share of PyTorch's labels that has to be kept.
        flip_rate_max: The share of labels that may change with the batch.
        golden_delta_max: What the worker allows at warm-up; None for what was measured here and `golden_margin`.
        golden_margin: Added to the measured difference, for devices that round elsewhere.
        golden_delta_cap: Allowing more would let a broken graph pass the worker's check as well.
    """

    batchings: int
    probability_delta_max: float = math.inf
    neighbour_delta_max: float = math.inf
    label_agreement_min: float = 0.0
    flip_rate_max: float = 1.0
    golden_delta_max: float | None = None
    golden_margin: float = 0.0
    golden_delta_cap: float = math.inf


@dataclass(frozen=True)
class Result:
    """What was measured of one variant.

    Attributes:
        kind: Which one it is.
        gates: What it is held to.
        size_bytes: Of the graph's file.
        opset: The default operator set's version in the graph.
        deviation: From PyTorch, and between batchings.
        golden_delta: The largest difference of a golden probability, as the worker's warm-up sees it.
        speed_ratio: Against the reference with one thread.
        details: What else a reader may want to know of how the graph was made.
    """

    kind: VariantKind
    gates: Gates
    size_bytes: int
    opset: int
    deviation: Deviation
    golden_delta: float
    speed_ratio: float
    details: dict[str, JsonValue]

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.kind.name

    @property
    def golden_delta_max(self) -> float:
        """What the worker allows at warm-up."""
        fixed = self.gates.golden_delta_max
        return self.golden_delta + self.gates.golden_margin if fixed is None else fixed

    @property
    def refusal(self) -> str | None:
        """Why the variant must not serve, or None where it may."""
        gates, found = self.gates, self.deviation
        # `not <=` so that NaN is refused too.
        if not found.probability_delta_max <= gates.probability_delta_max:
            allowed = gates.probability_delta_max
            return (
                f"a probability is {found.probability_delta_max:.2g} off PyTorch's, where {allowed:g} is allowed"
            )
        if not found.neighbour_delta_max <= gates.neighbour_delta_max:
            return (
                f"a probability moves by {found.neighbour_delta_max:.2g} with the other texts of its batch, where "
                f"{gates.neighbour_delta_max:g} is allowed"
            )
        if not found.label_agreement >= gates.label_agreement_min:
            kept, asked = found.label_agreement, gates.label_agreement_min
            return f"it keeps {kept:.2%} of PyTorch's labels, where {asked:.0%} are asked"
        if not found.flip_rate <= gates.flip_rate_max:
            return f"{found.flip_rate:.3%} of labels change with the batch, where {gates.flip_rate_max:.1%} may"
        if not self.golden_delta_max <= gates.golden_delta_cap:
            return (
                f"its golden probabilities are {self.golden_delta:.2f} off: a warm-up that lets this pass would "
                "let a broken graph pass too"
            )
        return None

    def manifest_entry(
        self, device: str, accuracy: dict[str, float], *, temperature: Temperature, abstain_below: float
    ) -> Variant:
        """The manifest's entry of a variant that passed on `device`."""
        return Variant(
            file=self.kind.file,
            device=self.kind.device,
            temperature=temperature,
            abstain_below=abstain_below,
            golden_delta_max=self.golden_delta_max,
            parity=Parity(
                status="passed",
                device=device,
                texts=self.deviation.texts,
                probability_delta_max=self.deviation.probability_delta_max,
                label_agreement=self.deviation.label_agreement,
            ),
            flip_rate=self.deviation.flip_rate,
            accuracy=accuracy,
            opset=self.opset,
            onnxruntime=ONNXRUNTIME,
        )

    def measurements(self) -> dict[str, JsonValue]:
        """Every figure, for the provenance."""
        return {
            **asdict(self.deviation),
            "golden_delta": self.golden_delta,
            "speed_ratio_one_thread": round(self.speed_ratio, 2),
            **self.details,
        }
