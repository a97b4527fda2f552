"""What is said of errors that a user can do something about."""

import pytest

from training.failures import what_to_do


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
