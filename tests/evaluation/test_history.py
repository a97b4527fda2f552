"""The Trainer's log, as reports read it."""

from evaluation.history import EpochEntry, History, StepEntry


def test_steps_and_epochs_are_told_apart() -> None:
    """In their order, whatever else the Trainer logs."""
    log = [
        {"step": 1, "loss": 0.9, "learning_rate": 1e-5, "grad_norm": 3.0, "epoch": 0.5},
        {"step": 2, "loss": 0.8, "learning_rate": 2e-5},
        {"step": 2, "eval_loss": 0.7, "eval_macro_f1": 0.6},
        {"step": 2, "train_runtime": 1.5, "train_loss": 0.85},
    ]
    assert History.of(log) == History(
        steps=[
            StepEntry(step=1, loss=0.9, learning_rate=1e-5),
            StepEntry(step=2, loss=0.8, learning_rate=2e-5),
        ],
        epochs=[EpochEntry(step=2, eval_loss=0.7, eval_macro_f1=0.6)],
    )
    assert History.of([]) == History()
