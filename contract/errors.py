"""The errors that every program of the project ends with; the message says what to do about it."""


class WorkerError(Exception):
    """A reason to stop; `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(WorkerError):
    """A flag, a setting or a combination of settings is wrong."""

    exit_code = 2


class TrainingError(Exception):
    """The run can't go on; the message says what to do about it."""
