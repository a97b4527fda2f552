"""Reading a checkpoint: a Hugging Face folder with our encoding, golden pairs and training record."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from contract.encoding import ENCODING_FILE, TOKENIZER_FILE, Encoding
from contract.errors import UsageError, in_a_line
from contract.fields import Fields
from contract.labels import LABELS
from contract.training_record import TRAINING_FILE

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
GOLDEN_PAIRS_FILE = "golden_pairs.json"
METRICS_FILE = "metrics.json"
_NEEDED = (CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE, ENCODING_FILE, GOLDEN_PAIRS_FILE)
_JSON_OBJECT = TypeAdapter(dict[str, JsonValue])
_T = TypeVar("_T")


class _PairFields(BaseModel):
    model_config = ConfigDict(frozen=True)

    text: str
    title: str | None = None


class GoldenPair(BaseModel):
    """Fields of an event and the token ids that training saw for them."""

    model_config = ConfigDict(frozen=True)

    fields: _PairFields
    ids: list[int]


class Config(BaseModel):
    """What export must know of `config.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_type: str
    num_hidden_layers: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    max_position_embeddings: int = Field(ge=1)
    vocab_size: int = Field(ge=1)
    id2label: dict[int, str]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose small files were read and checked; the weights are only hashed."""

    folder: Path
    config: Config
    encoding: Encoding
    golden_pairs: tuple[GoldenPair, ...]
    training: dict[str, JsonValue]
    metrics: dict[str, JsonValue]
    weights_sha256: str

    @property
    def tokenizer_file(self) -> Path:
        """Where the tokenizer is."""
        return self.folder / TOKENIZER_FILE

    def golden_fields(self) -> list[Fields]:
        """The golden pairs' fields, as the worker's encoder takes them."""
        return [Fields(pair.fields.text, pair.fields.title) for pair in self.golden_pairs]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and check everything but the weights.

    Raises:
        UsageError: If the folder is not a checkpoint that training wrote; the message says what is wrong.
    """
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} is no checkpoint: {', '.join(missing)} missing. Point --checkpoint at the folder that "
            "`python -m training fit --output` wrote."
        )
    config = _parse(folder / CONFIG_FILE, TypeAdapter(Config))
    encoding = _parse(folder / ENCODING_FILE, TypeAdapter(Encoding))
    _check_config(folder, config, encoding)
    pairs = _parse(folder / GOLDEN_PAIRS_FILE, TypeAdapter(tuple[GoldenPair, ...]))
    if not pairs:
        raise UsageError(f"{folder / GOLDEN_PAIRS_FILE} holds no pair: train the checkpoint again.")
    with (folder / WEIGHTS_FILE).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    training, metrics = (_parse_optional(folder / name) for name in (TRAINING_FILE, METRICS_FILE))
    return Checkpoint(folder, config, encoding, pairs, training, metrics, digest)


def load_model(checkpoint: Checkpoint) -> Any:
    """The PyTorch model in fp32, ready for inference.

    Eager attention, because ONNX Runtime's optimiser recognises no other: with the default (sdpa) it fuses
    no attention at all and says nothing.

    Raises:
        UsageError: If the weights can't be loaded, or lack some: a head would silently be random numbers.
    """
    import torch  # noqa: PLC0415 - seconds of import, which wrong usage need not wait for
    from transformers import BertForSequenceClassification  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, facts = BertForSequenceClassification.from_pretrained(
            checkpoint.folder,
            attn_implementation="eager",
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # whatever safetensors, torch or transformers find wrong with the file
        raise UsageError(f"{checkpoint.folder / WEIGHTS_FILE} can't be loaded as a BERT: {error}") from error
    if absent := sorted(facts["missing_keys"]):
        raise UsageError(
            f"{checkpoint.folder / WEIGHTS_FILE} lacks {len(absent)} weights ({', '.join(absent[:3])}…): it is "
            "not a fine-tuned classifier. Run `python -m training fit` on it first."
        )
    return model.eval()


def _check_config(folder: Path, config: Config, encoding: Encoding) -> None:
    if config.model_type != "bert":
        raise UsageError(f"{folder} holds a {config.model_type!r} model; export takes model_type 'bert' only.")
    if config.id2label != dict(enumerate(LABELS)):
        raise UsageError(
            f"{folder / CONFIG_FILE} has id2label {config.id2label}; it must be {dict(enumerate(LABELS))}, or "
            "events would get wrong labels. Train with `python -m training fit`."
        )
    if encoding.tokens_max > config.max_position_embeddings:
        raise UsageError(
            f"{folder / ENCODING_FILE} says tokens_max {encoding.tokens_max}, but the model has "
            f"{config.max_position_embeddings} positions: lower tokens_max and train again."
        )


def _parse(file: Path, adapter: TypeAdapter[_T]) -> _T:
    try:
        return adapter.validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is not what training writes: {in_a_line(error)}") from error


def _parse_optional(file: Path) -> dict[str, JsonValue]:
    return _parse(file, _JSON_OBJECT) if file.is_file() else {}
