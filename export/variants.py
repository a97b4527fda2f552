"""The table of variants: how each is made and what it is held to. Names and files: `contract.variants`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from contract.variants import FP16, FP16_PACKED, FP32, INT8, REFERENCE, VARIANTS, VariantKind
from export.checkpoint import Checkpoint
from export.devices import devices
from export.fp16 import export_fp16, export_packed
from export.gates.limits import Gates
from export.graph import export_fp32
from export.int8.quantisation import quantise


@dataclass(frozen=True)
class GraphSource:
    """What a graph is made of.

    Attributes:
        model: PyTorch's.
        checkpoint: Where that comes from.
        reference: The file of the reference graph, which is made first.
        rows: Token ids of the texts that scales are chosen by.
    """

    model: Any
    checkpoint: Checkpoint
    reference: Path
    rows: list[list[int]]


@dataclass(frozen=True)
class VariantRecipe:
    """One entry: the kind, what making it is called for people, how it is made, and its gates.

    `make` writes the file and yields what a reader may want to know of how; each further item is another attempt,
    with less to gain and less to lose, that replaces the file.
    """

    kind: VariantKind
    doing: str
    make: Callable[[GraphSource, Path], Iterator[dict[str, JsonValue]]]
    gates: Gates


def _make_fp32(source: GraphSource, file: Path) -> Iterator[dict[str, JsonValue]]:
    operators = export_fp32(source.model, source.checkpoint.config, file)
    yield {"fused": {name: operators[name] for name in ("Attention", "EmbedLayerNormalization")}}


def _make_fp16(source: GraphSource, file: Path) -> Iterator[dict[str, JsonValue]]:
    operators = export_fp16(source.model, source.checkpoint.config, file)
    yield {"fused": {name: operators[name] for name in ("Attention", "EmbedLayerNormalization")}}


def _make_packed(source: GraphSource, file: Path) -> Iterator[dict[str, JsonValue]]:
    operators = export_packed(source.model, source.checkpoint.config, file)
    yield {"fused": {"PackedAttention": operators["PackedAttention"]}}


def _make_int8(source: GraphSource, file: Path) -> Iterator[dict[str, JsonValue]]:
    return quantise(source.reference, file, source.rows)


# On an H200, 2,000 reviews by bge-small: every label kept, 0.004 at most, 0.0001 among other neighbours
# (docs/experiments.md). Other kernels, for other cards, round otherwise.
_HALF_PRECISION = Gates(
    batchings=3,
    probability_delta_max=0.02,
    neighbour_delta_max=0.01,
    label_agreement_min=0.995,
    flip_rate_max=0.002,
    golden_delta_max=0.02,
)

RECIPES = {
    recipe.kind.name: recipe
    for recipe in (
        VariantRecipe(
            FP32,
            "tracing and fusing the graph",
            _make_fp32,
            # Fused kernels add in another order, which moves the seventh digit of a logit. What moves the fourth
            # digit of a probability is another model. Other processors and CUDA add in other orders again.
            Gates(
                batchings=3,
                probability_delta_max=1e-4,
                neighbour_delta_max=1e-4,
                golden_delta_max=1e-3,
                own_delta_max=1e-3,
            ),
        ),
        VariantRecipe(
            INT8,
            "quantising",
            _make_int8,
            # Quantising moves texts that lie between two labels; more than 2 % of labels would be another model. A
            # redelivered event should get the label that it had. From its own answers it may be a hundred times as
            # far as the same graph moved between VNNI and AVX2 kernels (2e-4).
            Gates(
                batchings=10,
                label_agreement_min=0.98,
                flip_rate_max=0.002,
                macro_f1_loss_max=0.02,
                ece_rise_max=0.01,
                own_delta_max=0.02,
            ),
        ),
        VariantRecipe(FP16, "fusing for CUDA", _make_fp16, _HALF_PRECISION),
        VariantRecipe(FP16_PACKED, "fusing and packing for CUDA", _make_packed, _HALF_PRECISION),
    )
}
"""By name, in the order of `contract.variants.VARIANTS`, the reference first."""


def chosen(names: tuple[str, ...]) -> list[VariantRecipe]:
    """The entries of these names and the reference, in the table's order.

    Without a name, those that can be held to their gates here: the CPU's, and CUDA's where it is at hand.
    """
    wanted = names or [name for name, kind in VARIANTS.items() if kind.device in devices()]
    return [RECIPES[name] for name in VARIANTS if name in wanted or name == REFERENCE.name]
