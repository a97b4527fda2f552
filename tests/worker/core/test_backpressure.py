"""When reading pauses."""

from worker.core.backpressure import BackPressure, Marks


def test_back_pressure_has_two_marks() -> None:
    """Reading pauses at the high mark of either measure and goes on at half of both."""
    pressure = BackPressure(Marks(records_high=100, bytes_high=1000))

    assert [pressure.update(*held) for held in [(99, 0), (100, 0), (51, 0), (50, 501), (50, 500), (0, 1000)]] == [
        False, True, True, True, False, True,
    ]  # fmt: skip
