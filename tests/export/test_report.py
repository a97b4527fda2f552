"""What `export evaluate` says of a threshold; the tables and pictures: test_evaluate."""

from dataclasses import replace
from typing import Any

import pytest

from export.confidence import AbstentionFigures
from export.report import abstention_sentence

FOUND = AbstentionFigures(
    below=0.8, texts=100, abstained_share=0.25, coverage=0.75, precision=0.95, precision_at_least=0.93,
    precision_of_abstained=0.6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {},
            (
                "int8: abstains below 0.800 on 25.0%, of which 60.0% would be right; the rest is right in 95.0% "
                "(at least 93.0%)"
            ),
        ),
        ({"abstained_share": 0.0}, "int8: abstains on nothing (below 0.800); 95.0% are right"),
        (
            {"abstained_share": 1.0, "precision": None},
            "int8: abstains below 0.800 on 100.0%, of which 60.0% would be right; nothing is left",
        ),
    ],
)
def test_a_threshold_is_told_by_what_it_does(changes: dict[str, Any], says: str) -> None:
    """How much is left and how right it is; also where it keeps all or nothing."""
    assert abstention_sentence("int8", replace(FOUND, **changes)) == says
