"""Figures of a run, and its record."""

from tests.evaluations import evaluation, record

__all__ = ["evaluation", "record"]
