"""The model of the bundle, run by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contract.inputs import PACKED_INPUTS, PADDED_INPUTS, pack_rows, pad_rows
from contract.variants import Device
from worker.errors import BundleRefusedError, ModelFailedError
from worker.ports import OutOfDeviceMemoryError

RUNTIME = onnxruntime.__version__
"""Of ONNX Runtime."""

_OUTPUT = "logits"
_OUT_OF_MEMORY = (
    "failed to allocate memory",
    "out of memory",
    "bad_alloc",
    "cuda_error_out_of_memory",
    "is smaller than requested bytes",  # of the arena, where `gpu_mem_limit` is reached
)
# A CUDA context does not survive these: every later call fails too, so only a new process can go on.
_DEVICE_LOST = ("cuda failure", "cudnn failure", "cublas failure", "illegal memory access", "device lost")

# Put together, a sum and its normalisation take a CPU longer: 0.97 ms of 512 tokens by 384 on AMD EPYC with
# ONNX Runtime 1.32, and apart 0.13.
_DISABLED_OPTIMIZERS: dict[str, list[str]] = {"cpu": ["SkipLayerNormFusion"], "cuda": []}


def available_device(wanted: str) -> Device:
    """`cpu` or `cuda`: `wanted`, or for `auto` CUDA where this installation of ONNX Runtime has it.

    Raises:
        ModelFailedError: If CUDA is wanted and the installed runtime lacks it.
    """
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if wanted == "cuda" and not has_cuda:
        raise ModelFailedError("device=cuda, but the installed ONNX Runtime is the CPU's: install the extra `gpu`")
    return "cuda" if has_cuda and wanted != "cpu" else "cpu"


def provider_options(device: str, *, memory_bytes_max: int = 0) -> list[tuple[str, dict[str, str]]]:
    """ONNX Runtime's providers for a device, with their options.

    On CUDA the arena grows by what is asked for (the default doubles, and dynamic shapes then exhaust the
    card), and TF32 is off, so that fp32 means fp32. The CPU is not named beside it: ONNX Runtime refuses to load
    a session that names the CPU and forbids it (`session.disable_cpu_ep_fallback`).
    """
    if device == "cpu":
        return [("CPUExecutionProvider", {})]
    options = {
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    if memory_bytes_max:
        options["gpu_mem_limit"] = str(memory_bytes_max)
    return [("CUDAExecutionProvider", options)]


class OnnxClassifier:
    """One session on one device; what a graph's inputs are called says whether its rows are padded or packed."""

    def __init__(self, model_file: Path, *, device: str, threads: int = 1, memory_bytes_max: int = 0) -> None:
        """Load the graph.

        Args:
            model_file: An ONNX graph with the output `logits` and padded or packed inputs (`contract.inputs`).
            device: `cpu` or `cuda`.
            threads: Of one call, on the CPU. Several threads may call at a time.
            memory_bytes_max: Of device memory, on CUDA; 0 means no limit.

        Raises:
            BundleRefusedError: If ONNX Runtime can't load the graph.
            ModelFailedError: If the device can't be used, or has no memory for it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin between two batches take the core from the tokenizer and from Kafka.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        if device == "cuda":  # an operator that CUDA lacks would run on the CPU, a crawl that nobody is told of
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        providers = provider_options(device, memory_bytes_max=memory_bytes_max)
        try:
            self._session = onnxruntime.InferenceSession(
                str(model_file), options, providers=providers, disabled_optimizers=_DISABLED_OPTIMIZERS[device]
            )
        except Exception as error:  # the runtime's exceptions share no base class of their own
            if isinstance(error, MemoryError) or isinstance(_translate(error), OutOfDeviceMemoryError):
                raise ModelFailedError(f"there is no memory to load {model_file}: {error}") from error
            raise BundleRefusedError(f"ONNX Runtime can't load {model_file}: {error}") from error
        self.provider: str = self._session.get_providers()[0]
        if device == "cuda" and self.provider != "CUDAExecutionProvider":
            # The runtime falls back to the CPU with a mere warning: a GPU node would crawl unnoticed.
            raise ModelFailedError("device=cuda, but ONNX Runtime could not start CUDA (driver or CUDA libraries)")
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._is_packed = self._inputs == set(PACKED_INPUTS)
        if not self._is_packed and (unknown := self._inputs - set(PADDED_INPUTS)):
            raise BundleRefusedError(f"{model_file} has unknown inputs: {', '.join(sorted(unknown))}")

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Logits of shape (rows, classes) for token ids of any lengths; see `worker.ports.Classifier`."""
        binding = self._session.io_binding()
        for name, array in (pack_rows(rows) if self._is_packed else pad_rows(rows)).items():
            if name in self._inputs:
                binding.bind_cpu_input(name, array)
        binding.bind_output(_OUTPUT, "cpu")
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise _translate(error) from error
        result: NDArray[np.float32] = np.asarray(binding.copy_outputs_to_cpu()[0], dtype=np.float32)
        if result.shape[0] != len(rows):
            raise ModelFailedError(f"the model answered {result.shape[0]} rows to {len(rows)}")
        return result


def _translate(error: Any) -> Exception:
    message = str(error).lower()
    if any(sign in message for sign in _OUT_OF_MEMORY):
        return OutOfDeviceMemoryError(str(error))
    if any(sign in message for sign in _DEVICE_LOST):
        return ModelFailedError(f"the device is lost: {error}")
    return RuntimeError(str(error))
