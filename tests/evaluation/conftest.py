"""A cache of these tests' own, and figures of a run."""

from tests.evaluations import evaluation, record
from tests.review_files import cache

__all__ = ["cache", "evaluation", "record"]
