"""What an unfinished run leaves beside its output: the states to resume from, and what it was started with."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from contract.errors import InputError
from training.checked import DamagedError, read_checked, require_sum, sha256_of, write_checked

_STARTED_WITH = "started_with.json"
_SEAL = "saved.json"
_PACKAGES = ("torch", "transformers", "numpy")  # what the same state goes on differently with


def partial_folder(output: Path) -> Path:
    """Where a run keeps its state until the checkpoint is whole."""
    return output.with_name(output.name + ".partial")


def saved_state(folder: Path) -> Path | None:
    """The latest whole state; one that a full disk, a kill or a power cut has left half is passed over."""
    return max(_whole(folder), key=saved_step, default=None)


def seal(state: Path) -> None:
    """Write down what a state consists of, and what it was saved with: until then it counts as half."""
    sums = {file.name: sha256_of(file) for file in sorted(state.iterdir()) if file.name != _SEAL}
    write_checked(state / _SEAL, {"files": sums, "versions": {name: version(name) for name in _PACKAGES}})


def other_versions(state: Path) -> str:
    """Which packages are not of the version that a state was saved with, in words; nothing if all are."""
    before = read_checked(state / _SEAL)["versions"]
    return ", ".join(
        f"{name} was {before[name]} and is {version(name)}" for name in _PACKAGES if before[name] != version(name)
    )


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
        InputError: If that would overwrite something, mix two runs, or go on from a damaged state.
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
        try:
            before = read_checked(folder / _STARTED_WITH)
        except DamagedError as error:
            raise InputError(f"{error}. Remove {folder} to start again") from error
        _require_same(before, started_with, folder)
        _require_intact(state)
        for half in set(folder.glob("checkpoint-*")) - set(_whole(folder)):
            shutil.rmtree(half)  # else it would count as one of the states that are kept
        return state
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    write_checked(folder / _STARTED_WITH, started_with)
    return None


def _require_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        told = "; ".join(f"{name} was {before.get(name)} and is {now[name]}" for name in changed)
        raise InputError(
            f"{folder} is of a run with other settings or data, so its weights can't be used ({told}): resume "
            "with the same, or remove the folder to start again"
        )


def _require_intact(state: Path) -> None:
    """Check every byte that the run would go on with."""
    try:
        _check(state)
    except DamagedError as error:
        earlier = max(filter(_is_intact, _before(state)), key=saved_step, default=None)
        if earlier is None:
            advice = f"no intact state is left before it: remove {state.parent} to start again"
        else:
            advice = f"remove {state}, and --resume goes on after step {saved_step(earlier)}, which is intact"
        raise InputError(f"{error}. The state can't be used; {advice}") from error


def _is_intact(state: Path) -> bool:
    try:
        _check(state)
    except DamagedError:
        return False
    return True


def _check(state: Path) -> None:
    for name, sha256 in read_checked(state / _SEAL)["files"].items():
        require_sum(state / name, sha256)


def _before(state: Path) -> list[Path]:
    return [other for other in _whole(state.parent) if saved_step(other) < saved_step(state)]


def _whole(folder: Path) -> list[Path]:
    return [state for state in folder.glob("checkpoint-*") if (state / _SEAL).is_file()]
