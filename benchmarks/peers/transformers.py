"""The baseline: a pipeline of transformers on PyTorch, as their pages show it."""

from functools import partial

from transformers import pipeline

from benchmarks.peers.answering import ROWS, Job, Score, Ways, answer


def _ways(job: Job) -> Ways:
    def load(rows: int) -> Score:
        return job.through(pipeline("text-classification", model=job.checkpoint), rows)

    return {"fp32": {f"{rows} texts at a time": partial(load, rows) for rows in ROWS}}


if __name__ == "__main__":
    answer(_ways, "torch", "transformers")
