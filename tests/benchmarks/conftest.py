"""A cache of these tests' own, and a tiny BERT to train."""

from tests.review_files import cache
from tests.tiny_base_model import base_model

__all__ = ["base_model", "cache"]
