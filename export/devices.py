"""Which graphs this machine can run, and what can be said of one that it can't."""

from pathlib import Path

from contract.variants import Device
from export.errors import CheckpointRefusedError
from worker.adapters.classifier import OnnxClassifier, available_device
from worker.callers import Callers
from worker.cores import cores, cpu_name
from worker.errors import BundleRefusedError, ModelFailedError

_LACKS_A_KERNEL = "Failed to find kernel"


def devices() -> tuple[Device, ...]:
    """Those of this machine, as far as ONNX Runtime and PyTorch know."""
    import torch  # noqa: PLC0415 - seconds of import, which wrong usage need not wait for

    return ("cpu", "cuda") if available_device("auto") == "cuda" and torch.cuda.is_available() else ("cpu",)


def callers(device: Device, threads: int) -> Callers:
    """As many as there are threads to use, 0 for one a core; on another device than the CPU one."""
    return Callers((threads or cores()) if device == "cpu" else 1)


def load(file: Path, device: Device) -> OnnxClassifier | str:
    """A graph on the device that it is for, or the reason why it does not run here.

    Raises:
        BundleRefusedError: If ONNX Runtime can't load the graph.
    """
    if device == "cpu":
        return OnnxClassifier(file, device=device)
    try:
        return OnnxClassifier(file, device=available_device(device))
    except ModelFailedError as error:
        return str(error)


def check_without_device(file: Path) -> None:
    """Hold a graph for another device to what the CPU can tell: all but missing kernels must be right.

    ONNX Runtime checks the types and attributes of every operator before it looks for kernels.

    Raises:
        CheckpointRefusedError: If anything else is wrong with the graph.
    """
    try:
        OnnxClassifier(file, device="cpu")
    except BundleRefusedError as error:
        if _LACKS_A_KERNEL not in str(error):
            raise CheckpointRefusedError(str(error)) from error


def hardware(device: Device) -> str:
    """ONNX Runtime's provider for a device, and the name of the hardware here."""
    if device == "cpu":
        return f"CPUExecutionProvider on {cpu_name()}"
    import torch  # noqa: PLC0415 - as above

    return f"CUDAExecutionProvider on {torch.cuda.get_device_name() if torch.cuda.is_available() else 'a GPU'}"
