"""A cache of these tests' own, and figures of a run."""

from tests.assessments import assessment, record
from tests.review_files import cache

__all__ = ["assessment", "cache", "record"]
