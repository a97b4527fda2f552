"""Writing a bundle so that its final name never shows half of one."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from contract.encoding import ENCODING_FILE
from contract.errors import UsageError
from contract.manifest import GOLDEN_FILE, MANIFEST_FILE, BundleManifest, FileDigest, Golden
from export.checkpoint import Checkpoint

_COPIED = ("tokenizer.json", "config.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
"""Of the checkpoint, where present: what the worker needs, and what lets transformers and optimum load it."""


def check_output(output: Path, *, overwrite: bool) -> None:
    """Find out before the work whether the bundle could be put there.

    Raises:
        UsageError: If something is there already, or it is no place for a folder.
    """
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists: choose another --output, or replace it with --overwrite.")
    if (
        output.exists()
        and not (output / MANIFEST_FILE).is_file()
        and (not output.is_dir() or any(output.iterdir()))
    ):
        raise UsageError(f"{output} is no bundle, so --overwrite leaves it alone: choose another --output.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"no folder can be made at {output.parent}: {error}") from error


@contextmanager
def staging_folder(output: Path) -> Iterator[Path]:
    """A temporary folder beside `output`, so that the final rename stays on one file system.

    Raises:
        UsageError: If it can't be made.
    """
    # Named before it is made, so that no signal comes while it is there and nobody knows its name.
    folder = output.parent / f".{output.name}.{secrets.token_hex(8)}.incomplete"
    try:
        try:
            folder.mkdir()
            folder.chmod(0o755)  # a strict umask would keep the worker's user out
        except OSError as error:
            raise UsageError(f"nothing can be written beside {output}: {error}") from error
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_contents(folder: Path, checkpoint: Checkpoint, goldens: Sequence[Golden]) -> None:
    """Write everything but the graphs, which lie there already, and the manifest."""
    for name in _COPIED:
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    (folder / ENCODING_FILE).write_text(checkpoint.encoding.model_dump_json(indent=2) + "\n", encoding="utf-8")
    items = ",\n".join(golden.model_dump_json() for golden in goldens)
    (folder / GOLDEN_FILE).write_text(f"[\n{items}\n]\n", encoding="utf-8")


def digests(folder: Path) -> dict[str, FileDigest]:
    """Size and hash of every file of the bundle but the manifest, each flushed to the disk."""
    found: dict[str, FileDigest] = {}
    for path in sorted(path for path in folder.iterdir() if path.name != MANIFEST_FILE):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        found[path.name] = FileDigest(bytes=path.stat().st_size, sha256=sha256)
    return found


def write_manifest(folder: Path, manifest: BundleManifest) -> None:
    """Write `bundle.json`, the last file of a bundle."""
    path = folder / MANIFEST_FILE
    with path.open("w", encoding="utf-8") as file:
        file.write(manifest.model_dump_json(indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(folder)


def publish(folder: Path, output: Path, *, overwrite: bool) -> None:
    """Give a complete folder its final name.

    An older bundle is moved aside first and deleted last: a reader between the two renames finds no
    bundle, never half of one, and a failure puts the old one back.

    Raises:
        UsageError: If `output` appeared meanwhile.
    """
    check_output(output, overwrite=overwrite)
    aside = folder.with_suffix(".old")
    replacing = output.exists()
    if replacing:
        output.rename(aside)
    try:
        folder.rename(output)
    except OSError:
        if replacing:
            aside.rename(output)
        raise
    _sync_folder(output.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
