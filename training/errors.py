"""What a user can get wrong."""


class TrainingError(Exception):
    """The run can't go on; the message says what to do about it."""
