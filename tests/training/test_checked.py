"""What an interrupted run is resumed from, and what is said when that is damaged."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from contract.errors import InputError
from tests.review_files import fit_arguments
from training.__main__ import main
from training.callback import RunCallback
from training.checked import read_checked, write_checked
from training.resume import begin, partial_folder, saved_state

Files = tuple[Path, Path]
_OF_A_STATE = (
    "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json",
    "training_args.bin", "saved.json",
)  # fmt: skip


class Killed(BaseException):
    """Ends a run without a warning."""


def _die_at_step_23(self: RunCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
    if state.global_step == 23:
        raise Killed


@pytest.fixture(scope="module")
def interrupted(reviews: Files, base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in its second epoch, with a state of each; not to be changed."""
    output = tmp_path_factory.mktemp("interrupted") / "out"
    arguments = fit_arguments(reviews, base_model, output)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RunCallback, "on_step_end", _die_at_step_23)
        with pytest.raises(Killed):
            main([*arguments, "--save-steps", "11", "--early-stopping", "2"])
    return partial_folder(output)


@pytest.fixture
def output(interrupted: Path, tmp_path: Path) -> Path:
    """The output of such a run, to be changed at will."""
    shutil.copytree(interrupted, partial_folder(tmp_path / "out"))
    return tmp_path / "out"


def _flip(file: Path, place: float) -> None:
    """Turn one bit of a file, at a share of its length."""
    content = bytearray(file.read_bytes())
    content[min(int(len(content) * place), len(content) - 1)] ^= 1
    file.write_bytes(content)


def _resume(output: Path) -> Path | None:
    return begin(output, read_checked(partial_folder(output) / "started_with.json"), resume=True)


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", _OF_A_STATE)
def test_a_damaged_state_is_never_resumed_from(name: str, place: float, output: Path) -> None:
    """One bit anywhere in any of its files: the file is named, and the state before it is offered.

    The tensors of the optimiser, the index of its archive, random numbers: all of it shapes the weights.
    """
    last = partial_folder(output) / "checkpoint-22"
    assert _resume(output) == last
    _flip(last / name, place)
    offered = f"remove {last}, and --resume goes on after step 11, which is intact"
    with pytest.raises(InputError, match=re.escape(f"{last / name} is damaged")) as refused:
        _resume(output)
    assert offered in str(refused.value)
    shutil.rmtree(last)
    assert _resume(output) == partial_folder(output) / "checkpoint-11"


def test_every_file_of_a_state_has_its_sum(interrupted: Path) -> None:
    """Whatever the Trainer saves, so that a file of tomorrow's version is looked at too."""
    state = saved_state(interrupted)
    assert state
    there = {file.name for file in state.iterdir()}
    assert there >= set(_OF_A_STATE)
    assert set(read_checked(state / "saved.json")["files"]) == there - {"saved.json"}


@pytest.mark.parametrize("missing", [False, True])
def test_without_an_intact_state_the_run_has_to_start_again(missing: bool, output: Path) -> None:
    """Files of both states are damaged or gone: nothing is removed in silence, and what to do is said."""
    folder = partial_folder(output)
    for file in folder.glob("checkpoint-*/optimizer.pt"):
        file.unlink() if missing else _flip(file, 0.5)
    with pytest.raises(InputError, match=f"no intact state is left before it: remove {folder} to start again"):
        _resume(output)
    assert len(list(folder.glob("checkpoint-*"))) == 2


def test_a_half_saved_state_is_passed_over_and_removed(output: Path) -> None:
    """What a kill or a power cut has left was never sealed; it does not count among the states that are kept."""
    folder = partial_folder(output)
    (folder / "checkpoint-22/saved.json").unlink()
    assert _resume(output) == folder / "checkpoint-11"
    assert [state.name for state in folder.glob("checkpoint-*")] == ["checkpoint-11"]


@pytest.mark.parametrize("name", ["started_with.json", "measured.json", "best-19.safetensors"])
def test_what_else_a_run_is_resumed_from_is_checked_too(
    name: str, output: Path, reviews: Files, base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its settings, the figures of its epochs and the best weights: exit code 2 and the file's name."""
    file = partial_folder(output) / name
    _flip(file, 0.7)
    arguments = [*fit_arguments(reviews, base_model, output), "--early-stopping", "2", "--resume"]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert f"{file} is damaged" in told
    assert f"remove {file.parent} to start again" in told.replace("Remove", "remove")


def test_the_run_goes_on_from_the_state_that_is_offered(
    output: Path, reviews: Files, base_model: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 for the damage; without the damaged state it ends with the weights of a run left alone."""
    arguments = [*fit_arguments(reviews, base_model, output), "--early-stopping", "2", "--resume"]
    last = partial_folder(output) / "checkpoint-22"
    _flip(last / "optimizer.pt", 0.5)
    assert main(arguments) == 2
    assert "goes on after step 11" in capsys.readouterr().err
    shutil.rmtree(last)
    assert main(arguments) == 0
    weights, others = (load_file(folder / "model.safetensors") for folder in (checkpoint, output))
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


def test_other_versions_are_said(
    output: Path, reviews: Files, base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state says what it was saved with; with another PyTorch the run goes on, and that is told."""
    seal = partial_folder(output) / "checkpoint-22/saved.json"
    saved = read_checked(seal)
    assert set(saved["versions"]) == {"torch", "transformers", "numpy"}
    arguments = [*fit_arguments(reviews, base_model, output), "--early-stopping", "2", "--resume"]
    write_checked(seal, saved | {"versions": saved["versions"] | {"torch": "1.13.1"}})
    assert main(arguments) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "torch was 1.13.1 and is" in told
    assert "numpy was" not in told
