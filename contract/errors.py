"""The errors that every program of the project ends with; the message says what to do about it."""


class ReviewSentimentError(Exception):
    """A reason to stop; `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(ReviewSentimentError):
    """A flag, a setting or a combination of settings is wrong."""

    exit_code = 2


class InputError(UsageError):
    """Files, a folder or a model that were named can't be used, or a run with them can't go on."""
