"""What is asked of a fleet, and what its figures mean."""

import time

import pytest

from benchmarks.scaling import Part, Run, backlog_events, cores_used, device_speed, events_per_s, of_linear, row
from benchmarks.simulated_device import SimulatedDevice


def _run(workers: int, per_s: float) -> Run:
    return Run(workers, 1000, per_s, 0, 0, 500, (Part(per_s / workers, 100),) * workers)


def test_eight_devices_ask_for_half_of_what_the_host_carries() -> None:
    """So that the devices set the pace of every fleet, and not the cores that its workers share."""
    assert 8 * device_speed(8000) == 4000


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_a_backlog_lasts_as_long_for_every_fleet_and_is_the_same_in_each_partition(workers: int) -> None:
    """No worker is done before the others."""
    events = backlog_events(371.3, workers, 20)
    assert events / (371.3 * workers) == pytest.approx(20, rel=0.01)
    assert events % 8 == 0


def test_what_came_with_the_first_result_is_not_counted() -> None:
    """Nobody knows how long that took; from then on each counts."""
    assert events_per_s([1000, 1010, 1050, 2000, 3000]) == 1


def test_linear_is_so_many_times_one_worker() -> None:
    """Eight at four times the speed of one are at half; one is at all of it."""
    alone = _run(1, 100)
    assert of_linear(_run(8, 400), alone) == 0.5
    assert of_linear(alone, alone) == 1


def test_cores_used_are_those_of_all_that_runs() -> None:
    """1,000 events a second of 500 µs each keep half a core busy."""
    assert cores_used(_run(1, 1000)) == 0.5


def test_a_row_tells_medians_and_compares_rounds() -> None:
    """A fleet with one worker in the same round, since the machine's other work changes."""
    found = row([_run(2, 100), _run(2, 180), _run(2, 150)], [_run(1, 50), _run(1, 90), _run(1, 100)], 100)
    assert found == ["2", "150 (100 to 180)", "1.00", "0.75", "75 (50 to 90)", "100", "0.07"]


def test_a_simulated_device_does_one_call_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two callers at a time do not make it twice as fast."""
    slept_s: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    monkeypatch.setattr(time, "sleep", slept_s.append)
    device = SimulatedDevice(10)
    for _ in range(2):
        assert device.logits([[1, 2]] * 20).shape == (20, 3)
    assert slept_s == [2, 4]
