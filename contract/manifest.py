"""The bundle's format: what `export` writes into `bundle.json`, `encoding.json` and `golden.json`.

Version 1. Within a version fields are only added, so readers ignore what they do not know.
"""

from typing import Annotated, Literal

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveFloat, model_validator

from contract.encoding import Encoding
from contract.labels import LABELS

MANIFEST_FILE = "bundle.json"
GOLDEN_FILE = "golden.json"


Probabilities = Annotated[list[float], Len(len(LABELS), len(LABELS))]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Golden(_Record):
    """A text with the token ids and the fp32 probabilities (in class-id order) that it must give.

    `own` are the probabilities that each variant gave itself where it was measured.
    """

    text: str
    title: str | None = None
    ids: list[int]
    probabilities: Probabilities
    own: dict[str, Probabilities] = {}


class FileDigest(_Record):
    """A file of the bundle: size and SHA-256 in hexadecimal."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Parity(_Record):
    """How far a variant is from the PyTorch checkpoint, on the device where that was measured."""

    status: Literal["passed", "not-run"]
    reason: str | None = None
    device: str | None = None
    texts: int | None = None
    probability_delta_max: float | None = None
    label_agreement: float | None = None


class Variant(_Record):
    """One ONNX graph of the bundle.

    `temperature` divides its logits: one for all, or one for each label that may be the answer, in class-id order.
    An event with less confidence than `abstain_below` is marked as abstained.
    `accuracy` are figures on texts that trained and calibrated nothing; none where there are no such figures.
    `own_golden_delta_max` is how far a probability of a golden text may be from the one that this very graph gave
    at export before the worker refuses the bundle; one text in eight may be as far off as `golden_delta_max`.
    Where there is none (older bundles, or a graph that could not run there), `golden_delta_max` is how far each
    may be from the fp32 graph's. `flip_rate` is the share of labels that changed over random batchings of the same
    texts; it is zero unless the batch influences its members, as in dynamic int8.
    """

    file: str
    device: Literal["cpu", "cuda"]
    temperature: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Len(3, 3)] = 1.0
    abstain_below: float = Field(0.0, ge=0, le=1)
    golden_delta_max: float = Field(gt=0)
    own_golden_delta_max: float | None = Field(None, gt=0)
    parity: Parity
    flip_rate: float | None = None
    accuracy: dict[str, float] = {}
    opset: int
    onnxruntime: str


class BundleManifest(_Record):
    """`bundle.json`: what the bundle holds, where it came from, and which labels its class ids mean."""

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    created_at: str
    labels: tuple[str, ...]
    encoding: Encoding
    files: dict[str, FileDigest]
    variants: dict[str, Variant]
    provenance: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _variants_are_listed(self) -> "BundleManifest":
        missing = [variant.file for variant in self.variants.values() if variant.file not in self.files]
        if missing:
            raise ValueError(f"variants name files that the manifest does not list: {', '.join(missing)}")
        if sorted(self.labels) != sorted(LABELS):
            raise ValueError(f"labels must be negative, neutral and positive, not {', '.join(self.labels)}")
        return self
