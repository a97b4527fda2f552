"""Hugging Face's Trainer, set up for the recipe."""

import re
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from contract.errors import InputError
from training.losses import Loss
from training.processes import processes
from training.recipe import Recipe
from training.sampler import EncodedReviews, EpochSampler

_LAYER = re.compile(r"\.layer\.(\d+)\.")
_TARGETS = ("labels", "stars", "teacher", "weight")  # what the loss reads, and the model does not
_PROCESS_WAIT_S = 24 * 3600  # the others wait while one measures


class RecipeTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with our order, our loss, and a learning rate for each layer."""

    sampler: EpochSampler
    loss: Loss
    layer_decay: float
    optimizer: Any

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - the Trainer's signature
        return self.sampler

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None  # noqa: ARG002, FBT001, FBT002
    ) -> Any:  # fmt: skip
        """The recipe's loss, a mean over rows."""
        targets: dict[str, Any] = {name: inputs.pop(name) for name in _TARGETS if name in inputs}
        outputs = model(**inputs)
        loss = self.loss(outputs, targets)
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> Any:
        """The Trainer's optimiser, its rate lowered from layer to layer towards the embeddings.

        Howard & Ruder 2018 (arXiv 1801.06146) call it discriminative fine-tuning.
        """
        if self.optimizer is None:
            trained = self.model if model is None else model
            decaying = set(self.get_decay_parameter_names(trained))
            groups: dict[tuple[int, bool], list[Any]] = {}
            for name, parameter in trained.named_parameters():
                place = layers_below_head(name, trained.config.num_hidden_layers), name in decaying
                groups.setdefault(place, []).append(parameter)
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, trained)
            self.optimizer = kind(
                [
                    {
                        "params": parameters,
                        "lr": self.args.learning_rate * self.layer_decay**below,
                        "weight_decay": self.args.weight_decay if decays else 0.0,
                    }
                    for (below, decays), parameters in groups.items()
                ],
                **options,
            )
        return self.optimizer


def layers_below_head(name: str, layers: int) -> int:
    """How far a parameter is from the head: 0 for heads and pooler, 1 for the last layer, and so on."""
    if match := _LAYER.search(name):
        return layers - int(match[1])
    return layers + 1 if "embeddings." in name else 0


def make_trainer(
    model: Any, tokenizer: Any, data: EncodedReviews, recipe: Recipe, folder: Path, loss: Loss
) -> RecipeTrainer:
    """A Trainer for the recipe that keeps its states in `folder`.

    Raises:
        InputError: If the step can't be divided as the recipe says, or the device lacks the precision.
    """
    trainer = RecipeTrainer(
        model=model,
        args=_arguments(recipe, folder),
        train_dataset=data,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.loss, trainer.layer_decay = loss, recipe.layer_decay
    trainer.loss_is_scaled_for_ga = False  # a mean over the rows at hand
    trainer.sampler = EpochSampler(
        data.lengths, recipe.batch_size, recipe.seed, group_by_length=recipe.group_by_length
    )
    trainer.remove_callback(PrinterCallback)  # `RunCallback` shows what there is to see
    return trainer


def _arguments(recipe: Recipe, folder: Path) -> TrainingArguments:
    rows, accumulated = _division(recipe.batch_size, recipe.micro_batch_size, processes())
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=accumulated,
        weight_decay=recipe.weight_decay,  # the Trainer spares biases and LayerNorm
        warmup_steps=recipe.warmup_ratio,  # below 1, it is a share
        lr_scheduler_type="linear",
        seed=recipe.seed,
        bf16=is_bf16(recipe.precision),
        use_cpu=not torch.cuda.is_available(),
        torch_compile=recipe.compile,
        eval_strategy="no",  # `RunCallback` measures, the way `evaluate` does
        logging_steps=0.01,  # of all steps: a hundred points in the plot
        logging_nan_inf_filter=False,  # a run that diverges shall be seen to
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=2,  # the one before, should the last be damaged
        remove_unused_columns=False,  # the loss reads what the model does not
        ddp_find_unused_parameters=False,
        ddp_timeout=_PROCESS_WAIT_S,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
    )


def _division(batch_size: int, micro_batch_size: int, count: int) -> tuple[int, int]:
    """Rows that a process takes at a time, and how often it does so in a step."""
    rows = micro_batch_size or max(1, batch_size // count)
    if batch_size % (rows * count):
        raise InputError(
            f"--batch-size {batch_size} can't be divided among {count} processes with {rows} rows at a time: "
            f"choose a multiple of {rows * count}"
        )
    return rows, batch_size // (rows * count)


def is_bf16(precision: str) -> bool:
    """Whether products are computed in bf16; weights and optimiser stay in fp32 either way.

    Raises:
        InputError: If bf16 is asked for and the GPU has none.
    """
    if torch.cuda.is_available():
        if precision == "bf16" and not torch.cuda.is_bf16_supported():
            raise InputError("this GPU has no bf16: use --precision fp32")
        return precision != "fp32" and torch.cuda.is_bf16_supported()
    has_bf16 = {"avx512_bf16", "amx_bf16"} & {name for name, has in torch.cpu.get_capabilities().items() if has}
    return precision == "bf16" or (precision == "auto" and bool(has_bf16))
