"""One bad record must not fail its neighbours: a failing batch is retried, then halved."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")
Answer = TypeVar("Answer")


def run_isolating(
    rows: Sequence[Row],
    run: Callable[[Sequence[Row]], Sequence[Answer]],
    *,
    attempts: int = 2,
    fatal: tuple[type[Exception], ...] = (),
    too_large: tuple[type[Exception], ...] = (),
) -> list[Answer | Exception]:
    """Run a batch; if it fails `attempts` times, run its halves, down to the rows that fail alone.

    Args:
        rows: The batch.
        run: Gives one answer a row, in order, or raises.
        attempts: Tries of the same rows before they are halved.
        fatal: Exceptions that say nothing of the rows and are passed on.
        too_large: Exceptions that halve at once, because the same size would fail again; a row alone has all its
            attempts.

    Returns:
        For each row its answer, or the exception with which it fails alone.
    """
    failure: Exception | None = None
    for _ in range(attempts):
        try:
            answers = run(rows)
        except fatal:
            raise
        except too_large as error:
            failure = error
            if len(rows) > 1:
                break
        except Exception as error:  # noqa: BLE001 - whatever the runtime says of these rows
            failure = error
        else:
            if len(answers) != len(rows):
                raise AssertionError(f"{len(answers)} answers to {len(rows)} rows: this is a bug")
            return list(answers)
    if failure is None:
        raise ValueError("attempts must be at least 1")
    if len(rows) == 1:
        return [failure]
    middle = len(rows) // 2
    options = {"attempts": attempts, "fatal": fatal, "too_large": too_large}
    halves = (rows[:middle], rows[middle:])
    return [answer for half in halves for answer in run_isolating(half, run, **options)]  # type: ignore[arg-type]
