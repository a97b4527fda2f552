"""OpenVINO's own runtime: the checkpoint in fp32, in its default and in int8 by NNCF, and the bundle's graphs."""

from collections.abc import Callable
from functools import cache, partial
from queue import SimpleQueue
from typing import Any

import nncf
import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from transformers import BertForSequenceClassification

from benchmarks.peers.answering import TOKENS, Job, Rows, Score, Ways, answer
from contract.inputs import pad_rows

_HINT = "INFERENCE_PRECISION_HINT"


def _kinds(job: Job, core: Any) -> dict[str, tuple[Callable[[], Any], str]]:
    """What makes each model, and the precision of what is not int8 in it, by a name for both."""

    @cache
    def converted() -> Any:
        model = BertForSequenceClassification.from_pretrained(job.checkpoint).eval()
        example = {name: torch.from_numpy(array) for name, array in pad_rows(job.rows[:2]).items()}
        return openvino.convert_model(model, example_input=example)

    @cache
    def quantized() -> Any:
        texts = nncf.Dataset(job.calibration, lambda row: pad_rows([row]))
        return nncf.quantize(
            converted(), texts, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(job.calibration)
        )

    default = core.get_property("CPU", _HINT).get_type_name()
    kinds: dict[str, tuple[Callable[[], Any], str]] = {}
    for precision in ("f32", default):  # where the default is fp32, there is one of each
        name = precision.replace("f32", "fp32")
        kinds |= {name: (converted, precision), f"int8, the rest {name}": (quantized, precision)}
        for variant, file in job.graphs.items():
            kinds[f"the bundle's {variant}, the rest {name}"] = partial(core.read_model, file), precision
    return kinds


def _ways(job: Job) -> Ways:
    core = openvino.Core()

    @cache
    def requests(model: Callable[[], Any], precision: str, streams: int) -> SimpleQueue[Any]:
        wanted = {_HINT: precision, "NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": job.cores}
        compiled, idle = core.compile_model(model(), "CPU", wanted), SimpleQueue[Any]()
        for _ in range(streams):
            idle.put(compiled.create_infer_request())
        return idle

    def load(model: Callable[[], Any], precision: str, streams: int, tokens: int) -> Score:
        idle = requests(model, precision, streams)

        def logits(rows: Rows) -> NDArray[np.float32]:
            request = idle.get()
            try:
                return np.array(request.infer(pad_rows(rows))["logits"])  # its memory serves the next one too
            finally:
                idle.put(request)

        return job.in_batches(logits, tokens_max=tokens, callers=streams)

    return {
        name: {
            f"streams: {streams}, {tokens} tokens": partial(load, model, precision, streams, tokens)
            for streams in sorted({1, job.cores})
            for tokens in TOKENS
        }
        for name, (model, precision) in _kinds(job, core).items()
    }


if __name__ == "__main__":
    answer(_ways, "openvino", "nncf", "transformers")
