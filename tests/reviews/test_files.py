"""Files are whole or not there."""

import resource
from pathlib import Path

import pytest

from reviews.files import replacing, reserve


def test_a_new_file_takes_the_old_ones_place_when_all_went_well(tmp_path: Path) -> None:
    """Until then readers find the old one, and nothing stays beside it."""
    (file := tmp_path / "figures.json").write_text("old")
    with replacing(file) as new:
        new.write_text("new")
        assert file.read_text() == "old"
        assert new.parent == tmp_path, "a rename must not cross file systems"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("wrong")])
def test_a_failure_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    """Or none, where there was none."""
    (old := tmp_path / "old.json").write_text("old")

    def fail(file: Path) -> None:
        with replacing(file) as new:
            new.write_text("half")
            raise error

    for file in (old, tmp_path / "absent.json"):
        with pytest.raises(type(error)):
            fail(file)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_what_can_not_be_replaced_is_told_before_the_work(tmp_path: Path) -> None:
    """A folder, a link such as /dev/stdout, or a place where nothing can be written."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for file in (tmp_path, tmp_path / "link", tmp_path / "absent" / "file"):
        with pytest.raises(OSError, match=r"no plain file|there is no folder .*absent for file"), replacing(file):
            pytest.fail("the work began")
    assert [entry.name for entry in tmp_path.iterdir()] == ["link"]


def test_room_is_there_before_it_is_used(tmp_path: Path) -> None:
    """A file of the size, or an error; never a hole that kills the process which fills it."""
    reserve(tmp_path / "file", 100_000)
    status = (tmp_path / "file").stat()
    assert status.st_size == 100_000 <= status.st_blocks * 512
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # a disk that is full for this process alone
    try:
        with pytest.raises(OSError, match="File too large"):
            reserve(tmp_path / "large", 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
