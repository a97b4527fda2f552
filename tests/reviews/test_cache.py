"""What is in the cache is whole, whatever happened while it was made."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from contract.errors import InputError
from reviews.cache import cache_folder, fingerprint, kept


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path))
    return tmp_path


def write(folder: Path) -> None:
    (folder / "content").write_text("whole")


def folders(cache: Path) -> list[str]:
    return [entry.name for entry in (cache / "things").iterdir() if entry.is_dir()]


def test_what_was_made_is_found_again(own_cache: Path) -> None:
    """The same kind and name is made once."""
    first = kept("things", "name", write)
    assert first == own_cache / "things" / "name" == kept("things", "name", lambda _: pytest.fail("made again"))
    assert (first / "content").read_text() == "whole"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("wrong"), OSError(errno.EIO, "broken")])
def test_an_interruption_leaves_nothing(own_cache: Path, error: BaseException) -> None:
    """Whatever ended it, no part is left, and the error is the one that was raised."""

    def fail(folder: Path) -> None:
        write(folder)
        raise error

    with pytest.raises(type(error)):
        kept("things", "name", fail)
    assert folders(own_cache) == []


def test_a_full_disk_says_what_to_do(own_cache: Path) -> None:
    """The message names the folder and the setting; nothing is left there."""

    def fill(folder: Path) -> None:
        write(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=f"no room left in {own_cache}/things: .*REVIEW_SENTIMENT_CACHE"):
        kept("things", "name", fill)
    assert folders(own_cache) == []


def test_what_a_killed_process_left_is_removed(own_cache: Path) -> None:
    """It is never taken for whole, and goes when something else is made; what still runs stays."""
    code = "import time; from reviews.cache import kept; kept('things', 'killed', lambda folder: time.sleep(99))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        while not (own_cache / "things" / "killed.partial").is_dir():
            time.sleep(0.01)
        kept("things", "meanwhile", write)
        assert sorted(folders(own_cache)) == ["killed.partial", "meanwhile"]
        process.send_signal(signal.SIGKILL)
    kept("things", "later", write)
    assert sorted(folders(own_cache)) == ["later", "meanwhile"]


def test_who_comes_second_waits(own_cache: Path) -> None:
    """Two that want the same make it once."""
    made, begun = [], threading.Event()

    def slowly(folder: Path) -> None:
        begun.set()
        time.sleep(0.2)
        made.append(folder)

    first = threading.Thread(target=kept, args=("things", "name", slowly))
    first.start()
    begun.wait()
    kept("things", "name", slowly)
    first.join()
    assert len(made) == 1


def test_without_a_name_or_a_folder_nothing_is_kept(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be named, or where nothing can be written, is made in a temporary folder."""
    (own_cache / "file").touch()
    assert (kept("things", None, write) / "content").exists()
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(own_cache / "file"))
    assert (kept("things", "name", write) / "content").exists()
    assert [entry.name for entry in own_cache.iterdir()] == ["file"]


def test_the_folder_is_the_named_one_or_the_users(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    """REVIEW_SENTIMENT_CACHE, or the user's caches as the system has them."""
    assert cache_folder() == own_cache
    monkeypatch.delenv("REVIEW_SENTIMENT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/review-sentiment")


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may be a bare number without HOME: what is made lasts as long as the process."""
    for name in ("REVIEW_SENTIMENT_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)

    assert cache_folder() is None
    assert (kept("things", "name", write) / "content").exists()


def test_fingerprints_tell_settings_apart() -> None:
    """Equal for equal settings, in whatever order a mapping has its keys."""
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})
