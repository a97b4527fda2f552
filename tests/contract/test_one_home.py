"""Facts that two programs have to agree on are written down once, in `contract`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.fields import TEXT_FIELDS, TITLE_FIELDS, first_text
from contract.labels import LABELS
from reviews.reading import read_line
from worker.core.decoding import decode

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("contract", "reviews", "evaluation", "training", "export", "worker")


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in _PACKAGES:
        for file in sorted((_ROOT / package).rglob("*.py")):
            yield str(file.relative_to(_ROOT)), ast.parse(file.read_text())


def tuples_of(names: set[str], *, ordered: tuple[str, ...] | None = None) -> list[str]:
    """Files with a literal tuple, list or set of at least these strings."""
    found = []
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                values = tuple(item.value for item in node.elts if isinstance(item, ast.Constant))
                if names <= {str(value) for value in values} and ordered in (None, values):
                    found.append(file)
    return found


def test_the_order_of_class_ids_has_one_home() -> None:
    """A second list could come to differ, and events would get wrong labels."""
    assert tuples_of(set(LABELS), ordered=LABELS) == ["contract/labels.py"]


def test_the_names_of_text_fields_have_one_home() -> None:
    """`{"review_text": ...}` was scored by the worker once and had no text for training."""
    assert tuples_of({"text", "reviewText"}) == ["contract/fields.py"]
    assert tuples_of({"title", "summary"}) == ["contract/fields.py"]


@pytest.mark.parametrize(
    ("pattern", "home"),
    [
        (r"def \w*is_blank\b", "contract/fields.py"),
        (r"def \w*truncate\b|tokens_max // 4|kept // 4", "contract/encoding.py"),
        (r"np\.exp\(|import softmax|\bsoftmax\(", "contract/scoring.py"),
        (r"class Encoding\b", "contract/encoding.py"),
        (r"def \w*gives_stars_away\b|stars\?", "contract/fields.py"),
    ],
)
def test_a_rule_has_one_definition(pattern: str, home: str) -> None:
    """Blankness, truncation, softmax, star titles and the encoding are defined where every program finds them."""
    own = re.compile(pattern)
    torch = {"training/losses.py"}  # works on tensors, and needs the gradient
    files = (str(file.relative_to(_ROOT)) for package in _PACKAGES for file in (_ROOT / package).rglob("*.py"))
    assert [file for file in files if file not in torch and own.search((_ROOT / file).read_text())] == [home]


@pytest.mark.parametrize("name", TEXT_FIELDS)
def test_training_and_the_worker_read_the_same_text(name: str) -> None:
    """Whatever the field is called, and though one before it is blank."""
    line = b'{"text": " ", "%s": "good", "%s": "Fine", "overall": 5}' % (name.encode(), TITLE_FIELDS[1].encode())
    served = decode(line, text_field=None, bytes_max=1000)
    learnt, _ = read_line(line, "Toys")

    assert (learnt.text, learnt.title) == tuple(served) == ("good", "Fine")
    assert first_text({"text": 3, name: "good"}, TEXT_FIELDS) == "good"
