"""Faults on purpose, on a real cluster, and an account of every record at the end."""
