"""Loading a tokenizer and a BERT: a base model to fine-tune, or a checkpoint to measure."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification
from transformers.utils.logging import disable_progress_bar

from contract.encoding import ENCODING_FILE, Encoding
from contract.errors import InputError
from contract.labels import LABELS
from training.encoding import read_encoding
from training.ordinal import star_head

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")
_NEW_IN_A_CLASSIFIER = ("classifier.", "bert.pooler.", "stars.")


class StarsBert(BertForSequenceClassification):  # type: ignore[misc]
    """A classifier with a second head for the stars, which holds what three classes can't: 4 is not 5, 1 not 2."""

    def __init__(self, config: Any, stars_loss: str) -> None:
        super().__init__(config)
        self.stars = star_head(stars_loss, config.hidden_size)
        self.post_init()

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, torch.Tensor]:
        """Logits of the classes, shape (rows, classes), and of the stars, (rows, outputs)."""
        pooled = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).pooler_output
        pooled = self.dropout(pooled)
        return {"logits": self.classifier(pooled), "stars": self.stars(pooled)}


def load_base(
    base_model: str, tokens_max: int, *, stars_loss: str | None = None, dropout: float = -1.0
) -> tuple[Any, Any]:
    """The tokenizer, and the model with a head of three classes: a new one, unless it had such a head.

    Args:
        base_model: A folder, or a name on the hub.
        tokens_max: The length that it must be able to read.
        stars_loss: Of a second head for the stars (`training.ordinal`); None for no such head.
        dropout: Of hidden states and attention; below 0, what the base model says.

    Raises:
        InputError: If it can't be loaded, is no BERT, or is a BERT that can't read so much.
    """
    tokenizer, model, missing = _load(
        base_model,
        "Give --base-model the folder of a BERT, or a name on a hub that is reachable.",
        StarsBert if stars_loss else BertForSequenceClassification,
        {} if dropout < 0 else {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout},
        **({"stars_loss": stars_loss} if stars_loss else {}),
    )
    lacking = [name for name in missing if not name.startswith(_NEW_IN_A_CLASSIFIER)]
    if lacking:
        raise InputError(
            f"{base_model} lacks {len(lacking)} weights of a BERT ({min(lacking)}, ...): it would start "
            "from random numbers"
        )
    if tokens_max > model.config.max_position_embeddings:
        raise InputError(
            f"{base_model} reads {model.config.max_position_embeddings} tokens: --tokens-max can't be {tokens_max}"
        )
    _require_one_vocabulary(base_model, tokenizer, model)
    tokenizer.model_max_length = tokens_max
    return tokenizer, model


def served(model: Any) -> Any:
    """The plain classifier of a trained model: without the head for the stars, if it has one."""
    if not isinstance(model, StarsBert):
        return model
    plain = BertForSequenceClassification(model.config)
    weights = {name: value for name, value in model.state_dict().items() if not name.startswith("stars.")}
    plain.load_state_dict(weights)
    return plain.to(model.device)


def load_checkpoint(folder: Path) -> tuple[Any, Any, Encoding]:
    """The tokenizer, the model and the encoding of a checkpoint of ours.

    Raises:
        InputError: If the folder is none.
    """
    encoding = read_encoding(folder)
    _require_our_labels(folder)
    tokenizer, model, missing = _load(
        str(folder),
        "Give --checkpoint what `python -m training fit --output` wrote.",
        BertForSequenceClassification,
    )
    if missing:
        raise InputError(f"{folder} lacks weights ({min(missing)}, ...): it is not a fine-tuned classifier")
    _require_one_vocabulary(str(folder), tokenizer, model)
    if not 2 < encoding.tokens_max <= model.config.max_position_embeddings:  # noqa: PLR2004 - two are special
        raise InputError(
            f"{folder / ENCODING_FILE} asks for {encoding.tokens_max} tokens, and the model reads 3 to "
            f"{model.config.max_position_embeddings}: the folder was changed after it was trained"
        )
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu"), encoding


def _load(
    source: str, advice: str, kind: Any, changes: dict[str, Any] | None = None, **head: Any
) -> tuple[Any, Any, list[str]]:
    """The tokenizer, the model, and the names of weights that it had not and that are random numbers now.

    Args:
        source: A folder, or a name on the hub.
        advice: What to do if it can't be loaded.
        kind: The model's class.
        changes: Of its config.
        **head: What else its class has to know.
    """
    disable_progress_bar()
    try:
        # The smallest file first: whether the hub is reachable, and whether it is a BERT, shows there.
        names = {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}
        config = AutoConfig.from_pretrained(source, **names, **(changes or {}))
        _require_bert(source, config, advice)
        _require_tokenizer(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        with _no_load_report():
            model, found = kind.from_pretrained(
                source,
                config=config,
                dtype=torch.float32,
                attn_implementation=_attention(),
                output_loading_info=True,
                **head,
            )
    except InputError:
        raise
    except Exception as error:  # whatever safetensors, tokenizers, the hub or transformers find wrong
        absent = "" if Path(source).exists() else "there is no such folder, and of the hub: "
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(f"can't load {source}: {absent}{reason}. {advice}") from error
    return tokenizer, model, sorted(found["missing_keys"])


def _require_tokenizer(source: str) -> None:
    """Without these files transformers makes up a tokenizer that knows no word."""
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise InputError(f"{source} has no tokenizer: copy {' or '.join(_TOKENIZER_FILES)} of the model there")


def _require_one_vocabulary(source: str, tokenizer: Any, model: Any) -> None:
    if len(tokenizer) > model.config.vocab_size:
        raise InputError(
            f"the tokenizer of {source} has {len(tokenizer)} tokens, its model {model.config.vocab_size}: "
            "they do not belong together"
        )


def _require_our_labels(folder: Path) -> None:
    """A head whose classes stand in another order would be measured as if it answered at random."""
    try:
        names = json.loads((folder / "config.json").read_bytes())["id2label"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # transformers says what is wrong with it
    if names != {str(label): name for label, name in enumerate(LABELS)}:
        raise InputError(f"{folder} answers {names}, and here classes are {dict(enumerate(LABELS))}")


def _attention() -> str:
    """Measured with bf16 on a CPU: eager attention trains up to 1.6 times as fast as PyTorch's fused one there."""
    return "sdpa" if torch.cuda.is_available() else "eager"


def _require_bert(source: str, config: Any, advice: str) -> None:
    if config.model_type != "bert":
        raise InputError(f"{source} is a {config.model_type}; export and worker serve BERT only. {advice}")


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
