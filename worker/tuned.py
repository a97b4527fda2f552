"""What `python -m worker tune` found, kept in a file, each for one bundle on one kind of machine."""

import contextlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contract.errors import UsageError, in_a_line
from contract.variants import Device
from worker.adapters.bundle import Bundle
from worker.adapters.classifier import RUNTIME
from worker.cores import THREADS_MAX, cores, cpu_name


class Choice(BaseModel):
    """What served a bundle fastest, and where and of what that was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle_sha256: str
    cpu: str
    cores: int
    onnxruntime: str
    device: Device
    variant: str
    callers: int = Field(ge=1, le=THREADS_MAX)
    threads: int = Field(ge=1, le=THREADS_MAX)
    batch_tokens_max: int = Field(ge=1, le=2**31 - 1)
    reviews_per_s: float
    texts: str

    @property
    def where(self) -> tuple[str, str, int, str, str]:
        """What it is valid for: another bundle, processor, quota, runtime or device may take another."""
        return self.bundle_sha256, self.cpu, self.cores, self.onnxruntime, self.device


_CHOICES = TypeAdapter(list[Choice])


def here(bundle: Bundle, device: Device) -> tuple[str, str, int, str, str]:
    """`Choice.where` of this machine."""
    return bundle.sha256, cpu_name(), cores(), RUNTIME, device


def read_choices(file: Path) -> list[Choice]:
    """What was written to a file.

    Raises:
        UsageError: If it can't be read, or is not what `tune` writes.
    """
    try:
        return _CHOICES.validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"can't read {file}: {error.strerror}; `python -m worker tune` writes it") from error
    except ValueError as error:
        raise UsageError(f"{file} is not what `python -m worker tune` writes: {in_a_line(error)}") from error


def require_writable(file: Path) -> None:
    """Whether a choice can be added to a file, so far as that can be known before it is measured.

    Raises:
        UsageError: If it can't.
    """
    try:
        is_there = file.exists()
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}") from error
    if is_there:
        read_choices(file)
    if not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise UsageError(f"can't write {file}: {file.parent} is no folder that can be written to")


def write_choice(file: Path, choice: Choice) -> None:
    """Add a choice to a file, in the place of one for the same bundle and machine.

    Raises:
        UsageError: If that can't be done.
    """
    others = [one for one in read_choices(file) if one.where != choice.where] if file.exists() else []
    beside = file.with_name(f".{file.name}.{os.getpid()}")  # a disk that is full must not cost the others' entries
    try:
        beside.write_bytes(_CHOICES.dump_json([*others, choice], indent=2) + b"\n")
        beside.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing is there
            beside.unlink()
        raise UsageError(f"can't write {file}: {error.strerror}") from error
