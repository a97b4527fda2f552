"""The events that benchmarks of the worker ask with."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from dev.samples import rated_sentences


def event_values(files: Sequence[Path], count: int) -> list[bytes]:
    """So many values of records, of these review files or of the sample, repeated where they are too few."""
    lines: list[bytes] = []
    for file in files:
        lines += (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).splitlines()
    if not files:
        lines = [json.dumps({"text": sentence.text, "rating": 5}).encode() for sentence in rated_sentences()]
    return (lines * -(-count // len(lines)))[:count]
