"""The graphs that a bundle may hold: how each is called, its file, the device it is for, and which one serves.

How each is made, and what it is held to: `export.variants`. The worker tells padded from packed graphs by their
inputs, so only a third kind of inputs touches `contract.inputs` and `worker.adapters.classifier`.
"""

from typing import Literal, NamedTuple

Device = Literal["cpu", "cuda"]


class VariantKind(NamedTuple):
    """A kind of graph: its name in manifests and settings, its file in a bundle, and the device it is for."""

    name: str
    file: str
    device: Device


FP32 = VariantKind("fp32", "model.onnx", "cpu")
INT8 = VariantKind("int8", "model.int8.onnx", "cpu")
FP16 = VariantKind("fp16", "model.fp16.onnx", "cuda")
FP16_PACKED = VariantKind("fp16.packed", "model.fp16.packed.onnx", "cuda")

REFERENCE = FP32
"""What every other variant is made from; always part of a bundle, and it runs on every device."""

VARIANTS = {kind.name: kind for kind in (FP32, INT8, FP16, FP16_PACKED)}
"""Those that export makes, by name, the reference first."""

PREFERRED: dict[Device, tuple[str, ...]] = {
    "cpu": (INT8.name, FP32.name),
    "cuda": (FP16_PACKED.name, FP16.name, FP32.name),
}
"""The names that a worker looks for on each device, the best first."""
