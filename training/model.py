"""Loading a tokenizer and a BERT: a base model to fine-tune, or a checkpoint to measure."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from training.data import LABELS
from training.encoding import read_tokens_max
from training.errors import TrainingError

_NEW_IN_A_CLASSIFIER = ("classifier.", "bert.pooler.")


def load_base(base_model: str, tokens_max: int) -> tuple[Any, Any]:
    """The tokenizer, and the model with a head of three classes: a new one, unless it had such a head.

    Args:
        base_model: A folder, or a name on the hub.
        tokens_max: The length that it must be able to read.

    Raises:
        TrainingError: If it can't be loaded, is no BERT, or is a BERT that can't read so much.
    """
    tokenizer, model, missing = _load(
        base_model, "Give --base-model the folder of a BERT, or a name on a hub in reach."
    )
    lacking = [name for name in missing if not name.startswith(_NEW_IN_A_CLASSIFIER)]
    if lacking:
        raise TrainingError(
            f"{base_model} lacks {len(lacking)} weights of a BERT ({min(lacking)}, ...): it would start "
            "from random numbers"
        )
    if tokens_max > model.config.max_position_embeddings:
        raise TrainingError(
            f"{base_model} reads {model.config.max_position_embeddings} tokens: --tokens-max can't be {tokens_max}"
        )
    if len(tokenizer) > model.config.vocab_size:
        raise TrainingError(
            f"the tokenizer of {base_model} has {len(tokenizer)} tokens, its model {model.config.vocab_size}: "
            "they do not belong together"
        )
    tokenizer.model_max_length = tokens_max
    return tokenizer, model


def load_checkpoint(folder: Path) -> tuple[Any, Any, int]:
    """The tokenizer, the model and the length of a checkpoint of ours.

    Raises:
        TrainingError: If the folder is none.
    """
    tokens_max = read_tokens_max(folder)
    tokenizer, model, missing = _load(
        str(folder), "Give --checkpoint what `python -m training fit --output` wrote."
    )
    if missing:
        raise TrainingError(f"{folder} lacks weights ({min(missing)}, ...): it is not a fine-tuned classifier")
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu"), tokens_max


def _load(source: str, advice: str) -> tuple[Any, Any, list[str]]:
    """The tokenizer, the model, and the names of weights that it had not and that are random numbers now."""
    disable_progress_bar()
    try:
        # The smallest file first: whether the hub is in reach, and whether it is a BERT, shows there.
        config = AutoConfig.from_pretrained(
            source, id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)}
        )
        _require_bert(source, config, advice)
        tokenizer = AutoTokenizer.from_pretrained(source)
        with _no_load_report():
            model, found = AutoModelForSequenceClassification.from_pretrained(
                source, config=config, dtype=torch.float32, output_loading_info=True
            )
    except TrainingError:
        raise
    except Exception as error:  # whatever safetensors, tokenizers, the hub or transformers find wrong
        absent = "" if Path(source).exists() else "there is no such folder, and of the hub: "
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise TrainingError(f"can't load {source}: {absent}{reason}. {advice}") from error
    return tokenizer, model, sorted(found["missing_keys"])


def _require_bert(source: str, config: Any, advice: str) -> None:
    if config.model_type != "bert":
        raise TrainingError(f"{source} is a {config.model_type}; export and worker serve BERT only. {advice}")


@contextlib.contextmanager
def _no_load_report() -> Iterator[None]:
    """Without transformers' report on weights: a new head is what we want, and the callers judge the rest."""

    def keep(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
