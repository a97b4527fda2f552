"""What is measured: a bundle's graphs in the worker's hands, and PyTorch's ways to run the same checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertForSequenceClassification
from transformers.utils import logging

from contract.inputs import pad_rows
from contract.variants import Device
from worker.adapters.bundle import Bundle
from worker.adapters.classifier import OnnxClassifier

Rows = Sequence[Sequence[int]]


class Contender(Protocol):
    """Runs the model on token ids and comes back when the answers are in the host's memory."""

    def logits(self, rows: Rows) -> NDArray[np.float32]:
        """Logits of shape (rows, classes)."""
        ...


class TorchContender:
    """A checkpoint in PyTorch, in half precision on the GPU, with padded batches."""

    def __init__(self, checkpoint: Path, *, attention: str = "sdpa", compiled: bool = False) -> None:
        """Load it; `attention` as transformers calls it."""
        logging.disable_progress_bar()
        self._model: Any = BertForSequenceClassification.from_pretrained(
            checkpoint, dtype=torch.float16, attn_implementation=attention, local_files_only=True
        )
        self._model = self._model.cuda().eval()
        self._run = torch.compile(self._model, dynamic=True) if compiled else self._model

    def logits(self, rows: Rows) -> NDArray[np.float32]:
        """See `Contender`."""
        with torch.inference_mode():
            inputs = {name: torch.from_numpy(array).cuda() for name, array in pad_rows(rows).items()}
            result: NDArray[np.float32] = self._run(**inputs, return_dict=True).logits.float().cpu().numpy()
        return result


class PipelineContender:
    """`transformers.pipeline` in half precision, given texts as its users give them."""

    def __init__(self, checkpoint: Path, rows_max: int) -> None:
        from transformers import pipeline  # noqa: PLC0415 - beside the rest it is heavy

        self._pipeline: Any = pipeline(
            "text-classification", model=str(checkpoint), device=0, dtype=torch.float16, batch_size=rows_max
        )

    def answers(self, texts: Sequence[str]) -> int:
        """Classify texts; how many there were."""
        return len(self._pipeline(list(texts), truncation=True, padding=True))


def graphs(bundle: Bundle, device: Device) -> dict[str, Callable[[], OnnxClassifier]]:
    """How to load each variant that runs on a device; the reference runs on all."""
    return {
        name: lambda file=bundle.folder / variant.file: OnnxClassifier(file, device=device)  # type: ignore[misc]
        for name, variant in bundle.manifest.variants.items()
        if variant.device == device or name == "fp32"
    }


def gemm_peak_flops(size: int = 8192, rounds: int = 20) -> float:
    """Operations a second of a square fp16 matrix product on random data: what this card can do at most."""
    left, right = (torch.randn(size, size, dtype=torch.float16, device="cuda") for _ in range(2))
    for _ in range(3):
        left @ right
    times = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        left @ right
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return 2 * size**3 / float(np.median(times))
