"""Figures of a run, and its record."""

from tests.assessments import assessment, record

__all__ = ["assessment", "record"]
