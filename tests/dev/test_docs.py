"""What the pages promise: every reason and exit code, a short front page. Their links: test_site.py."""

import re
from pathlib import Path

import pytest

import export.errors
import worker.errors
from contract.errors import ReviewSentimentError
from contract.events import Reason

_ROOT = Path(__file__).parents[2]


def operations() -> str:
    return (_ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_dead_letter_is_explained(reason: Reason) -> None:
    """One that is found in a header can be looked up."""
    assert re.search(rf"^\|[^|]*`{reason}`[^|]*\|", operations(), re.MULTILINE)


def test_every_exit_code_is_explained() -> None:
    """One that is found in a pod's status can be looked up."""
    modules = (worker.errors, export.errors)
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    codes = {kind.exit_code for kind in kinds if issubclass(kind, ReviewSentimentError)} | {2}
    assert len(codes) > 5
    assert [code for code in sorted(codes) if not re.search(rf"^\| {code} \|", operations(), re.MULTILINE)] == []


def test_the_readme_is_a_front_page() -> None:
    """What does not fit on it has a page of its own."""
    assert len((_ROOT / "README.md").read_text().splitlines()) <= 150
