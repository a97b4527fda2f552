"""The bundle's graphs as a worker runs them that nobody has tuned."""

from functools import partial
from pathlib import Path

from benchmarks.peers.answering import Job, Score, Ways, answer
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.core.batching import default_layout


def _ways(job: Job) -> Ways:
    bundle, layout = read_bundle(Path(job.bundle)), default_layout("cpu", job.cores)

    def load(variant: str) -> Score:
        file = bundle.folder / bundle.variant(variant).file
        classifier = OnnxClassifier(file, device="cpu", threads=layout.threads)
        return job.in_batches(
            classifier.logits, tokens_max=layout.tokens, callers=layout.callers, rows_max=layout.rows
        )

    name = f"{layout.callers} x {layout.threads}, {layout.tokens} tokens"
    return {variant: {name: partial(load, variant)} for variant in bundle.servable("cpu")}


if __name__ == "__main__":
    answer(_ways, "onnxruntime")
