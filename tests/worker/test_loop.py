"""Which ends of a worker say something of the records that it had."""

from worker.errors import DeviceFullError, KafkaUnfitError, ModelFailedError
from worker.loop import _says_nothing_of_records


def test_a_device_that_something_else_has_filled_says_nothing_of_records() -> None:
    """It counts as no death, or restarts on a full device would make poison of a record; a lost one does count."""
    ends = [
        None,
        DeviceFullError("full"),
        KafkaUnfitError("away"),
        ModelFailedError("lost"),
        RuntimeError("a bug"),
    ]
    assert [_says_nothing_of_records(end) for end in ends] == [True, True, True, False, False]
