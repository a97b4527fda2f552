"""The table of variants."""

import re
from pathlib import Path

import pytest

from contract.variants import PREFERRED, REFERENCE, VARIANTS
from export.devices import devices
from export.variants import RECIPES, chosen


def test_the_table_of_variants_is_whole() -> None:
    """Every kind has an entry, the reference comes first, and a worker looks for each on its device."""
    assert list(RECIPES) == list(VARIANTS)
    assert next(iter(VARIANTS)) == REFERENCE.name
    for kind in VARIANTS.values():
        assert RECIPES[kind.name].kind == kind
        assert kind.name in PREFERRED[kind.device]
    assert all(names[-1] == REFERENCE.name for names in PREFERRED.values())


def test_the_names_of_variants_stand_in_one_table() -> None:
    """A new variant is an entry, not a search for strings."""
    root = Path(__file__).parents[2]
    literal = re.compile(f'"({"|".join(map(re.escape, VARIANTS))})"')
    files = (file for package in ("contract", "export", "worker") for file in (root / package).rglob("*.py"))
    assert [str(file.relative_to(root)) for file in files if literal.search(file.read_text())] == [
        "contract/variants.py"
    ]


def everything_here() -> list[str]:
    return [name for name, kind in VARIANTS.items() if kind.device in devices()]


@pytest.mark.parametrize("names", [(), ("fp32",), ("int8",), ("int8", "fp32"), ("fp16.packed",)])
def test_the_reference_is_always_made_and_first(names: tuple[str, ...]) -> None:
    """Every other variant is made of it and held to it; the table decides the order."""
    made = [recipe.kind.name for recipe in chosen(names)]
    assert made == [name for name in VARIANTS if name in {*(names or everything_here()), REFERENCE.name}]
    assert made[0] == REFERENCE.name
