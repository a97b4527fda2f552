"""What goes on around the steps of a run: progress, measuring, keeping the best, ending in good order."""

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from contract.errors import EndedBySignalError, InputError
from evaluation.figures import Evaluation, read, written
from evaluation.formats import figure
from reviews.progress import Progress
from training.checked import DamagedError, read_checked, require_sum, sha256_of, write_checked
from training.processes import any_says, is_main, told_by_main, wait_for_all
from training.resume import seal

_MEASURED_FILE = "measured.json"


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Shows progress, measures after each epoch, keeps the best weights, and lets a signal end the run.

    To be used as a context, in which SIGINT and SIGTERM are its own: the first ends the run after the step under
    way, the second at once. Each epoch's end is saved before it is measured, so measuring can end at once too.
    """

    def __init__(self, measure: Callable[[], Evaluation], progress: Progress, folder: Path, patience: int) -> None:
        """Accompany a run.

        Args:
            measure: Gives the figures of the model as it is; called in the main process only.
            progress: Where to show it.
            folder: Keeps the figures, and the best weights if there is patience.
            patience: Epochs without a better macro-F1 after which the run ends; 0 for no end but the last epoch's.
        """
        self.stopping = False
        self._measure, self._progress = measure, progress
        self._folder, self._patience = folder, patience
        self._measured, self._sums = _read(folder / _MEASURED_FILE)
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

    def settle(self, model: Any, step: int) -> tuple[int, Evaluation]:
        """Leave the weights that count in the model.

        Args:
            model: As it is after the last step.
            step: The last step.

        Returns:
            The step of those weights and their figures: the best ones where there is patience, else the last.
        """
        if step not in self._measured:  # the last epoch was cut short
            self._keep_figures(step, model)
        best = self._best() if self._patience else step
        if best != step:
            self._require_best(best)
            model.load_state_dict(load_file(self._best_file(best)))
        return best, self._measured[best]

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Take up the figures of the epochs before; measure the one whose measuring was interrupted."""
        self._measured = {step: figures for step, figures in self._measured.items() if step <= state.global_step}
        if self._patience and self._measured:
            self._require_best(self._best())
        if state.global_step and float(state.epoch).is_integer() and state.global_step not in self._measured:
            self._keep_figures(state.global_step, model)
        told = {entry["step"] for entry in state.log_history if "eval_loss" in entry}
        state.log_history += [_entry(step, of) for step, of in self._measured.items() if step not in told]
        control.should_training_stop |= self._is_over(state.global_step)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Show the bar of steps, at first and after each measurement."""
        self._progress.begin("training", state.max_steps, state.global_step)
        self._stepping = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Move the bar; save where an epoch or the run ends."""
        self._progress.reach(state.global_step, self._loss)
        self.stopping = any_says(self.stopping)  # or some would wait for those that have ended
        control.should_training_stop |= self.stopping
        control.should_save |= self.stopping or float(state.epoch).is_integer()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Seal what was saved: until then the state before it is the last one."""
        wait_for_all()  # each process saves its random numbers
        if is_main():
            seal(self._folder / f"checkpoint-{state.global_step}")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Remember the loss."""
        if logs and "loss" in logs:
            self._loss = f"loss {float(logs['loss']):.3f}"

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Measure, put it into the Trainer's log beside the training loss, and end a run that gets no better."""
        self._stepping = False
        if self.stopping:
            return
        self._keep_figures(state.global_step, model)
        figures = self._measured[state.global_step]
        state.log_history.append(_entry(state.global_step, figures))
        self._progress.say(
            f"epoch {state.epoch:g}: validation loss {figure(figures.loss)}, macro-F1 {figure(figures.macro_f1)}"
        )
        if self._is_over(state.global_step):
            self._progress.say(f"no better for {self._patience} epochs: ending with the weights of the best one")
            control.should_training_stop = True

    def _keep_figures(self, step: int, model: Any) -> None:
        """Weights first: figures without them would promise what is not there."""
        figures: Evaluation = told_by_main(self._measure() if is_main() else None)
        self._measured[step] = figures
        if not is_main():
            return
        if self._patience and self._best() == step:
            unwrapped = getattr(model, "module", model)
            file = self._best_file(step)
            save_file({name: value.contiguous() for name, value in unwrapped.state_dict().items()}, file)
            self._sums[file.name] = sha256_of(file)
        write_checked(
            self._folder / _MEASURED_FILE,
            {"figures": {step: written(one) for step, one in self._measured.items()}, "sums": self._sums},
        )
        if self._patience:
            self._remove_all_but(self._best(), self._best(before=step))

    def _remove_all_but(self, *steps: int) -> None:
        """A run that goes on from the state before the last one needs the best weights of that time too."""
        for file in self._folder.glob("best-*.safetensors"):
            if file not in {self._best_file(step) for step in steps}:
                file.unlink()

    def _best(self, before: int | None = None) -> int:
        """The step of the highest macro-F1, the first of equals; of those before a step where there are some."""
        steps = sorted(self._measured)
        some = [step for step in steps if before is None or step < before] or steps
        return max(some, key=lambda step: self._measured[step].macro_f1)

    def _best_file(self, step: int) -> Path:
        return self._folder / f"best-{step}.safetensors"

    def _require_best(self, step: int) -> None:
        try:
            require_sum(self._best_file(step), self._sums.get(self._best_file(step).name))
        except DamagedError as error:
            raise InputError(
                f"{error}. It holds the best weights so far, which can't be made again: remove {self._folder} to "
                "start again"
            ) from error

    def _is_over(self, step: int) -> bool:
        if not self._patience or not self._measured:
            return False
        return sum(self._best() < other <= step for other in self._measured) >= self._patience

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.stopping or not self._stepping:
            raise EndedBySignalError
        self.stopping = True
        self._progress.say("ending after this step, which will be saved; once more to end at once")


def _entry(step: int, figures: Evaluation) -> dict[str, float | None]:
    return {"step": step, "eval_loss": figures.loss, "eval_macro_f1": figures.macro_f1}


def _read(file: Path) -> tuple[dict[int, Evaluation], dict[str, str]]:
    """The figures of each measured step, and the sums of the files of best weights."""
    if not file.exists():
        return {}, {}
    try:
        told = read_checked(file)
    except DamagedError as error:
        raise InputError(
            f"{error}. It holds the figures of the epochs so far: remove {file.parent} to start again"
        ) from error
    return {int(step): read(figures) for step, figures in told["figures"].items()}, told["sums"]
