"""The gates that a variant has to pass, and what the manifest says of one that did."""

import math
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from contract.manifest import Parity, Variant
from contract.scoring import Temperature
from contract.variants import VariantKind
from export.gates.loss import Calibration, Loss

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
        batched_texts: How many texts, of all lengths, went through them.
        flip_rate: The share of labels, over texts and random batchings, other than in sorted batches.
        neighbour_delta_max: The largest difference of a probability between a random batching and sorted batches.
    """

    texts: int
    probability_delta_max: float
    probability_delta_p99: float
    label_agreement: float
    batchings: int
    batched_texts: int
    flip_rate: float
    neighbour_delta_max: float


@dataclass(frozen=True)
class Gates:
    """What a variant is held to; a limit that is not given always holds.

    Attributes:
        batchings: Random batchings to try: a rate takes more of them than a bound that every text has to keep.
        probability_delta_max: How far a probability may be from PyTorch's.
        neighbour_delta_max: How far a probability may move with the other texts of its batch.
        label_agreement_min: The share of labels that has to be kept: of the reference's on calibration reviews, by
            the interval's upper end, or, where these are too few to judge by, of PyTorch's on the sample.
        flip_rate_max: The share of labels that may change with the batch.
        macro_f1_loss_max: How much macro-F1 it may lose on calibration reviews, by the interval's lower end.
        ece_rise_max: How much larger its calibration error may be there, by the interval's lower end.
        golden_delta_max: How far from the reference's answers to the golden texts the worker lets it be; None for
            what was measured here and `own_delta_max`.
        own_delta_max: How far from its own answers, for devices that round elsewhere.
    """

    batchings: int
    probability_delta_max: float = math.inf
    neighbour_delta_max: float = math.inf
    label_agreement_min: float = 0.0
    flip_rate_max: float = 1.0
    macro_f1_loss_max: float = math.inf
    ece_rise_max: float = math.inf
    golden_delta_max: float | None = None
    own_delta_max: float = 0.02


@dataclass(frozen=True)
class Trial:
    """What a graph was seen to do on the device that it is for.

    Attributes:
        device: ONNX Runtime's provider, and the hardware.
        deviation: From PyTorch, and between batchings.
        golden_answers: Its probabilities of the golden texts, as the worker's warm-up sees them.
        golden_delta: The largest difference of one from the reference's.
        speed_ratio: Against the reference on the same device, on a CPU with one thread.
    """

    device: str
    deviation: Deviation
    golden_answers: list[list[float]]
    golden_delta: float
    speed_ratio: float


@dataclass(frozen=True)
class Result:
    """What became of one variant.

    Attributes:
        kind: Which one it is.
        gates: What it is held to.
        size_bytes: Of the graph's file.
        opset: The default operator set's version in the graph.
        trial: What was measured, or the reason why this machine can't run the graph.
        details: What else a reader may want to know of how the graph was made.
        calibration: Its answers to the calibration reviews, where there are any.
        loss: What these say of it beside the reference; None for the reference itself.
    """

    kind: VariantKind
    gates: Gates
    size_bytes: int
    opset: int
    trial: Trial | str
    details: dict[str, JsonValue]
    calibration: Calibration | None = None
    loss: Loss | None = None

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.kind.name

    @property
    def golden_delta_max(self) -> float:
        """How far from the reference's golden answers the worker lets it be where it has none of its own."""
        if self.gates.golden_delta_max is not None:
            return self.gates.golden_delta_max
        measured = 0.0 if isinstance(self.trial, str) else self.trial.golden_delta
        return measured + self.gates.own_delta_max

    @property
    def refusal(self) -> str | None:
        """Why the variant must not serve, or None where it may."""
        if isinstance(self.trial, str):
            return None  # the worker's warm-up has the last word
        return next((message for message, holds in self._laws(self.trial).items() if not holds), None)

    def _laws(self, trial: Trial) -> dict[str, bool]:
        """What to say if a gate does not hold, and whether it does; none holds for NaN."""
        gates, found = self.gates, trial.deviation
        off, moved, flips = found.probability_delta_max, found.neighbour_delta_max, found.flip_rate
        laws = {
            f"a probability is {off:.2g} off PyTorch's, where {gates.probability_delta_max:g} is allowed": (
                off <= gates.probability_delta_max
            ),
            f"a probability moves by {moved:.2g} with the other texts of its batch, where "
            f"{gates.neighbour_delta_max:g} is allowed": moved <= gates.neighbour_delta_max,
            f"{flips:.3%} of labels change with the batch, where {gates.flip_rate_max:.1%} may": (
                flips <= gates.flip_rate_max
            ),
        }
        if self.loss is not None and self.loss.suffices:
            by_reviews = _laws_of_loss(gates, self.loss)
            if self.loss.decides or all(by_reviews.values()):
                return laws | by_reviews
        kept = found.label_agreement
        return laws | {
            f"it keeps {kept:.2%} of PyTorch's labels, where {gates.label_agreement_min:.1%} are asked": (
                kept >= gates.label_agreement_min
            )
        }

    def manifest_entry(
        self, accuracy: dict[str, float], *, temperature: Temperature, abstain_below: float
    ) -> Variant:
        """The manifest's entry of a variant that was not refused."""
        return Variant(
            file=self.kind.file,
            device=self.kind.device,
            temperature=temperature,
            abstain_below=abstain_below,
            golden_delta_max=self.golden_delta_max,
            own_golden_delta_max=None if isinstance(self.trial, str) else self.gates.own_delta_max,
            parity=_parity(self.trial),
            flip_rate=None if isinstance(self.trial, str) else self.trial.deviation.flip_rate,
            accuracy=accuracy,
            opset=self.opset,
            onnxruntime=ONNXRUNTIME,
        )

    def measurements(self) -> dict[str, JsonValue]:
        """Every figure, for the provenance."""
        if isinstance(self.trial, str):
            return {"not_run": self.trial, **self.details}
        return {
            **asdict(self.trial.deviation),
            "golden_delta": self.trial.golden_delta,
            "speed_ratio": round(self.trial.speed_ratio, 2),
            **({"beside_reference": self.loss.record()} if self.loss else {}),
            **self.details,
        }


def _parity(trial: Trial | str) -> Parity:
    if isinstance(trial, str):
        return Parity(status="not-run", reason=trial)
    return Parity(
        status="passed",
        device=trial.device,
        texts=trial.deviation.texts,
        probability_delta_max=trial.deviation.probability_delta_max,
        label_agreement=trial.deviation.label_agreement,
    )


def _laws_of_loss(gates: Gates, loss: Loss) -> dict[str, bool]:
    """macro-F1 decides by the worse end of its interval: the loss has to be known to be small.

    Labels kept and calibration error decide by the better end, so that only what is sure to be lost refuses: a
    label that changes between two that are as likely costs nobody anything, and absolute gaps are noisy.
    """
    worst, rise = -loss.macro_f1.low, loss.ece_rise.low
    return {
        f"it keeps {loss.labels_kept.high:.2%} of the reference's labels at most, by the interval on {loss.texts} "
        f"calibration texts, where {gates.label_agreement_min:.1%} are asked": (
            loss.labels_kept.high >= gates.label_agreement_min
        ),
        f"it may lose {worst:.4f} of macro-F1, by its interval on {loss.texts} calibration texts, where "
        f"{gates.macro_f1_loss_max:g} is allowed": worst <= gates.macro_f1_loss_max,
        f"its calibration error is larger by {rise:.4f} at least, where {gates.ece_rise_max:g} is allowed": (
            rise <= gates.ece_rise_max
        ),
    }
