"""Optimum's models for ONNX Runtime in a pipeline of transformers, as its pages show it."""

import tempfile
from functools import cache, partial
from typing import Any

from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig
from transformers import AutoTokenizer, pipeline

from benchmarks.peers.answering import ROWS, Job, Score, Ways, answer
from worker.cores import cpu_name


def _ways(job: Job) -> Ways:
    tokenizer = AutoTokenizer.from_pretrained(job.checkpoint)
    kind = AutoQuantizationConfig.avx512_vnni if "vnni" in cpu_name() else AutoQuantizationConfig.avx2

    @cache
    def fp32() -> Any:
        return ORTModelForSequenceClassification.from_pretrained(job.checkpoint, export=True)

    @cache
    def int8() -> Any:
        with tempfile.TemporaryDirectory() as exported, tempfile.TemporaryDirectory() as folder:
            fp32().save_pretrained(exported)
            config = kind(is_static=False, per_channel=False)
            ORTQuantizer.from_pretrained(exported).quantize(save_dir=folder, quantization_config=config)
            return ORTModelForSequenceClassification.from_pretrained(folder)

    def load(model: Any, rows: int) -> Score:
        return job.through(pipeline("text-classification", model=model(), tokenizer=tokenizer), rows)

    return {
        model.__name__: {f"{rows} texts at a time": partial(load, model, rows) for rows in ROWS}
        for model in (fp32, int8)
    }


if __name__ == "__main__":
    answer(_ways, "optimum-onnx", "onnxruntime", "transformers")
