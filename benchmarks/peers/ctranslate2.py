"""CTranslate2's encoder with its pooler, and the classifier on top of it in NumPy, as it has none for BERT."""

import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.converters import TransformersConverter
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.peers.answering import TOKENS, Job, Rows, Score, Ways, answer


def _ways(job: Job) -> Ways:
    weights = load_file(Path(job.checkpoint) / "model.safetensors")
    classifier, bias = weights["classifier.weight"].T, weights["classifier.bias"]

    @cache
    def encoder(precision: str, callers: int) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            TransformersConverter(job.checkpoint).convert(folder, quantization=precision, force=True)
            return ctranslate2.Encoder(
                folder, compute_type=precision, inter_threads=callers, intra_threads=job.cores // callers
            )

    def load(precision: str, callers: int, tokens: int) -> Score:
        encode = encoder(precision, callers).forward_batch

        def logits(rows: Rows) -> NDArray[np.float32]:
            return np.asarray(np.array(encode(rows).pooler_output) @ classifier + bias)

        return job.in_batches(logits, tokens_max=tokens, callers=callers)

    return {
        name: {
            f"{callers} x {job.cores // callers}, {tokens} tokens": partial(load, precision, callers, tokens)
            for callers in sorted({1, job.cores})
            for tokens in TOKENS
        }
        for name, precision in (("fp32", "float32"), ("int8", "int8"))
    }


if __name__ == "__main__":
    answer(_ways, "ctranslate2")
