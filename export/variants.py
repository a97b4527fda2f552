"""The gates that a variant has to pass, and what the manifest says of one that did."""

from dataclasses import asdict, dataclass

from pydantic import JsonValue

from contract.manifest import Parity, Variant
from contract.scoring import Temperature

FILES = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
"""The variants that export makes, and their files. fp32 is the reference and always part of the bundle."""

ONNXRUNTIME = ">=1.26"
"""The oldest version that the project installs and tests with (pyproject.toml)."""

FP32_DELTA_MAX = 1e-4
"""Of a probability: fused kernels add in another order, which moves the seventh digit of a logit. What moves the
fourth digit of a probability is another model. The same bound holds for what neighbours may do."""

FP32_GOLDEN_DELTA_MAX = 1e-3
"""Ten times the parity bound: other processors and CUDA add in other orders again."""

INT8_AGREEMENT_MIN = 0.98
"""Quantising moves texts that lie between two labels; more than 2 % of labels would be another model."""

INT8_FLIP_RATE_MAX = 0.002
"""Labels that change with the batch. A redelivered event should get the label that it had."""

INT8_GOLDEN_MARGIN = 0.02
"""Added to the golden difference measured here, for processors that round elsewhere: a hundred times what the same
graph moved by between VNNI and AVX2 kernels (2e-4)."""

INT8_GOLDEN_DELTA_CAP = 0.25
"""Allowing more would let a broken graph pass the worker's check as well."""


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
class Result:
    """What was measured of one variant.

    Attributes:
        name: `fp32` or `int8`.
        size_bytes: Of the graph's file.
        opset: The default operator set's version in the graph.
        deviation: From PyTorch, and between batchings.
        golden_delta: The largest difference of a golden probability, as the worker's warm-up sees it.
        speed_ratio: Against fp32 with one thread.
        details: What else a reader may want to know of how the graph was made.
    """

    name: str
    size_bytes: int
    opset: int
    deviation: Deviation
    golden_delta: float
    speed_ratio: float
    details: dict[str, JsonValue]

    @property
    def golden_delta_max(self) -> float:
        """What the worker allows at warm-up."""
        if self.name == "fp32":
            return FP32_GOLDEN_DELTA_MAX
        return self.golden_delta + INT8_GOLDEN_MARGIN

    @property
    def refusal(self) -> str | None:
        """Why the variant must not serve, or None where it may."""
        return _refusal_fp32(self.deviation) if self.name == "fp32" else _refusal_int8(self)

    def manifest_entry(
        self, device: str, accuracy: dict[str, float], *, temperature: Temperature, abstain_below: float
    ) -> Variant:
        """The manifest's entry of a variant that passed."""
        return Variant(
            file=FILES[self.name],
            device="cpu",
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


def _refusal_fp32(deviation: Deviation) -> str | None:
    # `not <=` so that NaN is refused too.
    if not deviation.probability_delta_max <= FP32_DELTA_MAX:
        off = deviation.probability_delta_max
        return f"a probability is {off:.2g} off PyTorch's, where {FP32_DELTA_MAX:g} is allowed"
    if not deviation.neighbour_delta_max <= FP32_DELTA_MAX:
        return (
            f"a probability moves by {deviation.neighbour_delta_max:.2g} with the other texts of its batch, where "
            f"{FP32_DELTA_MAX:g} is allowed"
        )
    return None


def _refusal_int8(result: Result) -> str | None:
    deviation = result.deviation
    if not deviation.label_agreement >= INT8_AGREEMENT_MIN:
        kept = deviation.label_agreement
        return f"it keeps {kept:.2%} of PyTorch's labels, where {INT8_AGREEMENT_MIN:.0%} are asked"
    if not deviation.flip_rate <= INT8_FLIP_RATE_MAX:
        return f"{deviation.flip_rate:.3%} of labels change with the batch, where {INT8_FLIP_RATE_MAX:.1%} may"
    if not result.golden_delta_max <= INT8_GOLDEN_DELTA_CAP:
        return (
            f"its golden probabilities are {result.golden_delta:.2f} off: a warm-up that lets this pass would let "
            "a broken graph pass too"
        )
    return None
