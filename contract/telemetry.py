"""ONNX Runtime's builds for Linux report models' names and hashes to their maker since 1.29: not from here."""

import os


def send_none() -> None:
    """Keep ONNX Runtime from it, whatever the environment says; it has to be called before that is imported."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
