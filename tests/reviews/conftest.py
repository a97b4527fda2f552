"""A cache of these tests' own."""

from tests.review_files import cache

__all__ = ["cache"]
