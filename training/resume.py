"""What an unfinished run leaves beside its output: the states to resume from, and what it was started with."""

import contextlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from contract.errors import InputError

_STARTED_WITH = "started_with.json"


def partial_folder(output: Path) -> Path:
    """Where a run keeps its state until the checkpoint is whole."""
    return output.with_name(output.name + ".partial")


def saved_state(folder: Path) -> Path | None:
    """The latest whole state; one that a full disk, a kill or a power cut has left half is passed over."""
    whole = [state for state in folder.glob("checkpoint-*") if _is_whole(state)]
    return max(whole, key=saved_step, default=None)


def saved_step(state: Path) -> int:
    """The step that a state was saved after."""
    return int(state.name.removeprefix("checkpoint-"))


@contextlib.contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Keep every other run out of `output`, as long as this one is at it.

    Raises:
        InputError: If another run writes there, or something is there already.
    """
    if output.exists() or output.is_symlink() or not output.name:
        raise InputError(f"{output} exists already: remove it, or choose another --output")
    if int(os.environ.get("RANK", "0")):  # of several processes the main one holds it
        yield
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = output.with_name(f".{output.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise InputError(f"another run writes {output}: wait for it, or choose another --output") from None


def begin(output: Path, started_with: dict[str, Any], *, resume: bool) -> Path | None:
    """Make the folder of a new run, or find the state that an interrupted one goes on from.

    Args:
        output: The checkpoint's folder, which must not exist yet.
        started_with: All that shapes the weights; an interrupted run goes on only with the same.
        resume: Whether to go on from an interrupted run, if there is one.

    Returns:
        The state to resume from; None for a run from the beginning.

    Raises:
        InputError: If that would overwrite something, or mix two runs.
    """
    if output.exists():
        raise InputError(f"{output} exists already: remove it, or choose another --output")
    folder = partial_folder(output)
    state = saved_state(folder)
    if folder.exists() and not (folder / _STARTED_WITH).is_file():
        raise InputError(f"{folder} is in the way and not of an interrupted run: remove it")
    if state and not resume:
        raise InputError(
            f"{folder} holds an interrupted run, saved at step {saved_step(state)}: go on with it by --resume, or "
            "remove the folder to start again"
        )
    if state:
        _require_same(json.loads((folder / _STARTED_WITH).read_text()), started_with, folder)
        return state
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _STARTED_WITH).write_text(json.dumps(started_with, indent=2) + "\n")
    return None


def _require_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        told = "; ".join(f"{name} was {before.get(name)} and is {now[name]}" for name in changed)
        raise InputError(
            f"{folder} is of a run with other settings or data, so its weights can't be used ({told}): resume "
            "with the same, or remove the folder to start again"
        )


def _is_whole(state: Path) -> bool:
    """Whether `trainer_state.json`, which the Trainer writes last, is there, and every file has its end."""
    try:
        json.loads((state / "trainer_state.json").read_text())
        with safe_open(state / "model.safetensors", "numpy"):
            others = (state / "optimizer.pt", state / "scheduler.pt", *state.glob("rng_state*.pth"))
            return all(zipfile.is_zipfile(file) for file in others)
    except (OSError, ValueError, SafetensorError):
        return False
