"""The questions, each answered with a row of figures a contender."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.gpu.contenders import (
    Contender,
    PipelineContender,
    TorchContender,
    gemm_peak_flops,
    graphs,
)
from benchmarks.gpu.forward import BATCH_TOKENS, by_length, in_order, on_reviews, review_rows, seconds
from benchmarks.gpu.host import Layout, through_the_worker
from contract.fields import Fields
from contract.scoring import probabilities
from export.gates.texts import collect_texts
from export.scoring import logits_of
from reviews.corpus import read_corpus
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.core.batching import plan_batches

_TEXTS = 2_000
_ROWS = 4_096
_LATENCY_LENGTHS = (32, 128)
_LAYOUTS = (Layout(512, 64, 4_096), Layout(512, 512, 16_384), Layout(2_048, 2_048, 65_536))


class Bench:
    """A bundle, its checkpoint and some texts on one GPU."""

    def __init__(self, bundle: Path, checkpoint: Path, data: Sequence[Path]) -> None:
        """Read the bundle; nothing is on the GPU yet."""
        self.bundle, self.checkpoint = read_bundle(bundle), checkpoint
        self.encoder = TokenizersEncoder(self.bundle.tokenizer_file, self.bundle.manifest.encoding)
        self.tokens_max = self.bundle.manifest.encoding.tokens_max
        self.config: dict[str, Any] = json.loads((checkpoint / "config.json").read_text())
        self._data = data

    @cached_property
    def texts(self) -> list[Fields]:
        """Reviews of the data, from all over it, or texts that are made up."""
        if not self._data:
            collected = collect_texts([], (), [])
            return [*collected.shareable, *collected.private][:_TEXTS]
        reviews = read_corpus(self._data).reviews
        chosen = reviews.select(np.argsort(reviews.keys)[:_TEXTS])
        return [Fields(review.text, review.title) for review in chosen]

    @cached_property
    def rows(self) -> list[list[int]]:
        """Random token ids of lengths as reviews have them."""
        return review_rows(_ROWS, self.tokens_max, self.config["vocab_size"])

    @cached_property
    def graphs(self) -> dict[str, OnnxClassifier]:
        """The bundle's variants on CUDA."""
        return {name: load() for name, load in graphs(self.bundle, "cuda").items()}

    @cached_property
    def contenders(self) -> dict[str, Contender]:
        """The variants, and PyTorch."""
        peers: dict[str, Contender] = {
            "PyTorch fp16, SDPA": TorchContender(self.checkpoint),
            "PyTorch fp16, torch.compile": TorchContender(self.checkpoint, compiled=True),
        }
        return {**self.graphs, **peers}

    @cached_property
    def peak(self) -> float:
        """Operations a second of a large fp16 matrix product on this card."""
        return gemm_peak_flops()

    def machine(self) -> dict[str, Any]:
        """What was measured on."""
        return {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
            "gemm_fp16_tflops": self.peak / 1e12,
            "model": {name: self.config[name] for name in ("hidden_size", "num_hidden_layers")},
            "tokens_mean": float(np.mean([len(row) for row in self.rows])),
        }


def parity(bench: Bench) -> list[dict[str, Any]]:
    """Each variant beside the fp32 graph on the CPU, in the worker's batches."""
    rows = [encoded.ids for encoded in bench.encoder.encode(bench.texts)]
    plan = plan_batches([len(row) for row in rows], rows_max=64, tokens_max=4_096)
    name = bench.bundle.variant("fp32").file
    cpu = OnnxClassifier(bench.bundle.folder / name, device="cpu")
    expected = probabilities(logits_of(cpu, rows, plan))
    found = []
    for variant, classifier in bench.graphs.items():
        answers = probabilities(logits_of(classifier, rows, plan))
        alone = probabilities(logits_of(classifier, rows, [[index] for index in range(0, len(rows), 1)]))
        deltas = np.abs(answers - expected).max(axis=1)
        found.append(
            {
                "variant": variant,
                "texts": len(rows),
                "max_delta": float(deltas.max()),
                "p99_delta": float(np.quantile(deltas, 0.99)),
                "labels_kept": float((answers.argmax(axis=1) == expected.argmax(axis=1)).mean()),
                "max_delta_alone": float(np.abs(answers - alone).max()),
            }
        )
    return found


def lengths(bench: Bench) -> list[dict[str, Any]]:
    """Batches of rows of one length, with the share of what the card can do."""
    return [
        {"contender": name, **row, "of_gemm": row["flops_per_s"] / bench.peak}
        for name, contender in bench.contenders.items()
        if name != "PyTorch fp16, torch.compile"  # compiles for each shape: `reviews` has it
        for row in by_length(contender, bench.config)
    ]


def reviews(bench: Bench) -> list[dict[str, Any]]:
    """Lengths as reviews have them, sorted into the worker's batches."""
    return [
        {"contender": name, **row, "of_gemm": row["flops_per_s"] / bench.peak}
        for name, contender in bench.contenders.items()
        for row in (on_reviews(contender, bench.rows, tokens, bench.config) for tokens in BATCH_TOKENS)
    ]


def unsorted(bench: Bench) -> list[dict[str, Any]]:
    """The same rows as they come, 64 and 512 at a time: what packing saves where nobody sorts."""
    return [
        {"contender": name, **row, "of_gemm": row["flops_per_s"] / bench.peak}
        for name, contender in bench.contenders.items()
        if name != "PyTorch fp16, torch.compile"
        for row in (in_order(contender, bench.rows, rows, bench.config) for rows in (64, 512))
    ]


def latency(bench: Bench) -> list[dict[str, Any]]:
    """One review alone, in milliseconds."""
    return [
        {"contender": name, "length": length, "ms": 1000 * seconds(contender, [[[2000] * length]])}
        for name, contender in bench.contenders.items()
        for length in _LATENCY_LENGTHS
    ]


def pipeline(bench: Bench) -> list[dict[str, Any]]:
    """`transformers.pipeline`, which tokenises too, on the texts of the parity."""
    texts = [fields.text for fields in bench.texts]
    found = []
    for rows_max in (64, 256):
        contender = PipelineContender(bench.checkpoint, rows_max)
        contender.answers(texts[:256])
        elapsed_s = seconds(_Whole(contender, texts), [[]])
        found.append({"batch_rows": rows_max, "reviews_per_s": len(texts) / elapsed_s})
    return found


class _Whole:
    """All texts at once, as a contender."""

    def __init__(self, pipeline_contender: PipelineContender, texts: list[str]) -> None:
        self._pipeline, self._texts = pipeline_contender, texts

    def logits(self, rows: Any) -> Any:  # noqa: ARG002 - the texts are known
        return self._pipeline.answers(self._texts)


def worker(bench: Bench) -> list[dict[str, Any]]:
    """The worker's stages and threads with all but Kafka, on the real device."""
    texts = [fields.text for fields in bench.texts]
    return [
        {
            "variant": name,
            **through_the_worker(bench.encoder, bench.graphs[name], texts, bench.tokens_max, layout),
        }
        for name in bench.graphs
        if name != "fp32"
        for layout in _LAYOUTS
    ]


PARTS: dict[str, Callable[[Bench], list[dict[str, Any]]]] = {
    part.__name__: part for part in (parity, worker, reviews, unsorted, latency, lengths, pipeline)
}
"""By name, what matters most first."""
