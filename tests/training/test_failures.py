"""What is said of errors that a user can do something about."""

import errno
from pathlib import Path
from typing import Any

import pytest

from tests.review_files import fit_arguments
from training.__main__ import main
from training.callback import RunCallback
from training.failures import what_to_do

Files = tuple[Path, Path]


@pytest.mark.parametrize("said", ["No space left on device (os error 28)", "basic_ios::clear: iostream error"])
def test_a_full_disk_is_recognised_in_other_libraries_words(said: str) -> None:
    """Safetensors and PyTorch raise errors of their own."""
    assert "the disk is full" in str(what_to_do(RuntimeError(said)))


def test_a_process_that_is_left_alone_points_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong is said once, by the process that it went wrong in."""
    lost = RuntimeError("[../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:3141")
    assert what_to_do(lost) is None
    monkeypatch.setenv("RANK", "1")
    assert "another process" in str(what_to_do(lost))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "lower --micro-batch-size"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "--micro-batch-size",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "--micro-batch-size"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos"), "the disk is full"),
    ],
)
def test_a_run_out_of_something_says_how_to_go_on(
    error: Exception, said: str, reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Out of memory or disk: code 2, what helps, and that --resume goes on from the last good state."""
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "out"), "--save-steps", "5"]

    def fail(self: RunCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 7:
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(RunCallback, "on_step_end", fail)
        assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "saved at step 5; the same command with --resume goes on" in told
    assert main([*arguments, "--resume"]) == 0


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    """What a user can't fix is not dressed up as advice."""
    assert what_to_do(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
