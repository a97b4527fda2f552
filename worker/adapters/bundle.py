"""Reading and verifying a bundle: nothing of it is used before its hashes hold."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from contract.encoding import ENCODING_FILE, TOKENIZER_FILE, Encoding
from contract.errors import in_a_line
from contract.manifest import GOLDEN_FILE, MANIFEST_FILE, BundleManifest, Golden, Variant
from contract.variants import PREFERRED, Device
from worker.errors import BundleRefusedError

_NEEDED = (ENCODING_FILE, GOLDEN_FILE, TOKENIZER_FILE)


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk. `sha256` is that of `bundle.json`, and so stands for every file."""

    folder: Path
    manifest: BundleManifest
    sha256: str
    goldens: tuple[Golden, ...]

    @property
    def tokenizer_file(self) -> Path:
        """Where the tokenizer is."""
        return self.folder / TOKENIZER_FILE

    def choose_variant(self, device: Device, wanted: str = "auto") -> str:
        """The variant to serve on `device` (`cpu` or `cuda`): the one asked for, or the best that passed.

        Raises:
            BundleRefusedError: If there is none.
        """
        variants = self.manifest.variants
        if wanted != "auto":
            if wanted not in variants:
                raise BundleRefusedError(f"{self.folder} has no variant {wanted!r}, only {', '.join(variants)}")
            return wanted
        if not (servable := self.servable(device)):
            raise BundleRefusedError(f"{self.folder} has no variant for {device}; export one with --variants")
        return servable[0]

    def servable(self, device: Device) -> list[str]:
        """The variants that may serve on `device`, the best first."""
        # The reference runs on every provider; what is made for CUDA can't have been checked without it and is
        # checked at warm-up instead.
        variants = self.manifest.variants
        return [
            name
            for name in PREFERRED[device]
            if name in variants and (device == "cuda" or variants[name].parity.status == "passed")
        ]

    def variant(self, name: str) -> Variant:
        """The manifest's entry of a variant."""
        return self.manifest.variants[name]


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and check every file's size and hash.

    Raises:
        BundleRefusedError: If anything is missing, altered or of another format.
    """
    try:
        raw = (folder / MANIFEST_FILE).read_bytes()
        manifest = BundleManifest.model_validate_json(raw)
        for name in _NEEDED:
            if name not in manifest.files:
                raise BundleRefusedError(f"{folder / MANIFEST_FILE} does not list {name}; export the bundle again")
        for name, digest in manifest.files.items():
            _check_file(folder, name, digest.bytes, digest.sha256)
        encoding = Encoding.model_validate_json((folder / ENCODING_FILE).read_bytes())
        goldens = TypeAdapter(tuple[Golden, ...]).validate_json((folder / GOLDEN_FILE).read_bytes())
    except OSError as error:
        raise BundleRefusedError(
            f"{folder} is no bundle: {error}. Make one with `python -m export bundle`."
        ) from error
    except ValueError as error:
        raise BundleRefusedError(f"{folder} is not a bundle of format 1: {in_a_line(error)}") from error
    if encoding != manifest.encoding:
        raise BundleRefusedError(f"{ENCODING_FILE} and {MANIFEST_FILE} of {folder} disagree on the encoding")
    if not goldens:
        raise BundleRefusedError(
            f"{GOLDEN_FILE} of {folder} has no texts to check the model with; export it again"
        )
    return Bundle(folder, manifest, hashlib.sha256(raw).hexdigest(), goldens)


def _check_file(folder: Path, name: str, size_bytes: int, sha256: str) -> None:
    # By its name alone: a file may be a link to anywhere, as those of a cache are, since its hash is checked.
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BundleRefusedError(f"{name} lies outside the bundle {folder}")
    path = folder / name
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if path.stat().st_size != size_bytes or actual != sha256:
        raise BundleRefusedError(f"{path} was altered after the export: its SHA-256 is not the manifest's")
