"""Labelled answers become figures: metrics, intervals, calibration, comparison, baselines, tables and plots."""
