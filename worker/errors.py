"""What can stop a worker, each with the exit code that the outside sees (see docs/operations.md)."""

from contract.errors import ReviewSentimentError


class BundleRefusedError(ReviewSentimentError):
    """The bundle is incomplete, altered, or does not reproduce its golden texts on this device."""

    exit_code = 3


class KafkaUnfitError(ReviewSentimentError):
    """Kafka can't be reached or refuses us, or a topic is missing or unfit for the job."""

    exit_code = 4


class TooManyDeadLettersError(ReviewSentimentError):
    """The model fails on so many events that going on would empty the topic into the dead letters."""

    exit_code = 5


class ModelFailedError(ReviewSentimentError):
    """The device is lost or the model can't be run at all: nothing wrong with any single event."""

    exit_code = 6


class DeviceFullError(ModelFailedError):
    """Something else has taken the device's memory: what has fitted before does not fit now."""


class EventsExpiredError(ReviewSentimentError):
    """Unread events were deleted by the topic's retention before this group got to them."""

    exit_code = 7


class OverdueError(ReviewSentimentError):
    """A commit or a publication was not acknowledged in time: ending the process is the only safe way on."""

    exit_code = 8


class TransactionFencedError(OverdueError):
    """Our transactions are refused: one took too long, or another producer has our transactional id."""


class InputReplacedError(ReviewSentimentError):
    """The input topic is another one than was read before, or its log was cut off below what was read."""

    exit_code = 9


class InstanceFencedError(ReviewSentimentError):
    """Another member of the group has our `group_instance_id`."""

    exit_code = 10


def brief(error: BaseException) -> str:
    """An error in words: its kind and message, without the data that some kinds show in their `repr`."""
    return f"{type(error).__name__}: {error}"
