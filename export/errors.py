"""What can stop an export. Wrong input is the worker's `UsageError` (exit code 2)."""

from contract.errors import ReviewSentimentError


class CheckpointRefusedError(ReviewSentimentError):
    """The checkpoint is readable, but what came out of it did not pass a gate, so there is no bundle."""

    exit_code = 3
