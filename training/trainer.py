"""Hugging Face's Trainer, set up for the recipe, with the two things that it lacks.

These are an order of the data that a resumed run repeats, and an end by Ctrl-C that loses no step.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from torch.utils.data import Dataset, Sampler
from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from training.errors import TrainingError
from training.progress import Progress
from training.recipe import Recipe

_GROUPED_BATCHES = 50  # are sorted by length together: like lengths in a batch, yet another mix every epoch


class EncodedReviews(Dataset[dict[str, Any]]):
    """Token ids with their class; batches are padded to their own longest row."""

    def __init__(self, rows: Sequence[Sequence[int]], labels: Sequence[int]) -> None:
        self.rows, self._labels = rows, labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.rows[index], "labels": self._labels[index]}


class EpochOrder(Sampler[int]):
    """A random order that depends on seed and epoch alone, so that a resumed run sees what it had not seen yet.

    The Trainer's own length groups take the order from the global random state, which is another one after a
    restart.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, *, group_by_length: bool) -> None:
        self._lengths, self._batch_size, self._seed = lengths, batch_size, seed
        self._group_by_length = group_by_length
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """What accelerate calls before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        randomly = torch.Generator().manual_seed(self._seed + self._epoch)
        order = torch.randperm(len(self), generator=randomly).tolist()
        if not self._group_by_length:
            return iter(order)
        size = self._batch_size * _GROUPED_BATCHES
        groups = (order[start : start + size] for start in range(0, len(order), size))
        batches = [batch for group in groups for batch in self._batches(group)]
        # A short batch must be the last, or the DataLoader would cut across all that follow.
        last = [batches.pop()] if len(batches[-1]) < self._batch_size else []
        mixed = [batches[index] for index in torch.randperm(len(batches), generator=randomly).tolist()]
        return iter([index for batch in mixed + last for index in batch])

    def _batches(self, group: list[int]) -> list[list[int]]:
        by_length = sorted(group, key=lambda index: self._lengths[index], reverse=True)
        return [
            by_length[start : start + self._batch_size] for start in range(0, len(by_length), self._batch_size)
        ]


class OrderedTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with `EpochOrder` for its order."""

    order: EpochOrder

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - the Trainer's signature
        return self.order


class Watch(TrainerCallback):  # type: ignore[misc]
    """Shows progress, measures after each epoch, and lets a signal end the run with its last step saved.

    To be used as a context, in which SIGINT and SIGTERM are its own: the first ends the run after the step under
    way, the second at once. Each epoch's end is saved before it is measured, so measuring can end at once too.
    """

    def __init__(self, measure: Callable[[], dict[str, Any]], progress: Progress) -> None:
        self.stopping = False
        self._measured: tuple[int, dict[str, Any]] = (-1, {})
        self._measure, self._progress = measure, progress
        self._stepping = False
        self._loss = ""
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._handlers = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def figures_after(self, step: int) -> dict[str, Any]:
        """The figures after the last step, measured unless they were: a run may be resumed at its very end."""
        return self._measured[1] if self._measured[0] == step else self._measure()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Show the bar of steps, at first and after each measurement."""
        self._progress.begin("training", state.max_steps, state.global_step)
        self._stepping = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Move the bar; save where an epoch or the run ends."""
        self._progress.reach(state.global_step, self._loss)
        control.should_training_stop |= self.stopping
        control.should_save |= self.stopping or float(state.epoch).is_integer()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Remember the loss."""
        if logs and "loss" in logs:
            self._loss = f"loss {float(logs['loss']):.3f}"

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Measure, and put it into the Trainer's log beside the training loss."""
        self._stepping = False
        if self.stopping:
            return
        metrics = self._measure()
        self._measured = state.global_step, metrics
        state.log_history.append({"step": state.global_step, "eval_loss": metrics["loss"]})
        self._progress.say(
            f"epoch {state.epoch:g}: validation loss {metrics['loss']:.3f}, macro-F1 {metrics['macro_f1']:.3f}"
        )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.stopping or not self._stepping:
            raise KeyboardInterrupt
        self.stopping = True
        self._progress.say("ending after this step, which will be saved; once more to end at once")


def make_trainer(model: Any, tokenizer: Any, data: EncodedReviews, recipe: Recipe, folder: Path) -> OrderedTrainer:
    """A Trainer for the recipe that keeps its states in `folder`."""
    trainer = OrderedTrainer(
        model=model,
        args=_arguments(recipe, folder),
        train_dataset=data,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    lengths = [len(row) for row in data.rows]
    trainer.order = EpochOrder(lengths, recipe.batch_size, recipe.seed, group_by_length=recipe.group_by_length)
    trainer.remove_callback(PrinterCallback)  # `Watch` shows what there is to see
    return trainer


def _arguments(recipe: Recipe, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        per_device_train_batch_size=recipe.batch_size,
        weight_decay=recipe.weight_decay,  # the Trainer spares biases and LayerNorm
        warmup_steps=recipe.warmup_ratio,  # below 1, it is a share
        lr_scheduler_type="linear",
        seed=recipe.seed,
        bf16=_is_bf16(recipe.precision),
        use_cpu=recipe.precision == "bf16" and not torch.cuda.is_available(),  # or the Trainer asks for a GPU
        eval_strategy="no",  # `Watch` measures, the way `evaluate` does
        logging_steps=0.01,  # of all steps: a hundred points in the plot
        logging_nan_inf_filter=False,  # a run that diverges shall be seen to
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=1,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
    )


def _is_bf16(precision: str) -> bool:
    """Whether products are computed in bf16; weights and optimiser stay in fp32 either way."""
    has_gpu = torch.cuda.is_available()
    if precision == "bf16" and has_gpu and not torch.cuda.is_bf16_supported():
        raise TrainingError("this GPU has no bf16: use --precision fp32")
    return precision == "bf16" or (precision == "auto" and has_gpu and torch.cuda.is_bf16_supported())
