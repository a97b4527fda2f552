"""What a person sees of an export."""

from io import StringIO

import pytest
from rich.console import Console

from contract.variants import FP16, FP32, INT8
from export.gates.limits import Deviation, Gates, Result, Trial
from export.progress import Progress

DEVIATION = Deviation(500, 0.012, 0.01, 0.9951, 20, 250, 0.00123, 0.001)


def progress() -> tuple[Progress, StringIO]:
    """One that writes into memory."""
    written = StringIO()
    return Progress(Console(file=written, width=120)), written


def test_a_step_ends_with_its_time_and_nothing_is_markup() -> None:
    """Names of files and models are shown as they are, whatever they hold."""
    shown, written = progress()
    with shown.step("reading [bold]x[/]") as done:
        done(3)
    shown.say("found [red]y[/]")
    shown.warn("odd [/z]")
    step, said, warned = written.getvalue().splitlines()
    assert step.startswith("✓ reading [bold]x[/] ")
    assert step.endswith(" s")
    assert (said, warned) == ("  found [red]y[/]", "! odd [/z]")


def test_a_step_that_fails_is_not_ticked_off() -> None:
    """What went wrong is said by who catches it."""
    shown, written = progress()
    with pytest.raises(ValueError, match="absent"), shown.step("reading"):
        int("absent")
    assert "✓" not in written.getvalue()


def test_the_table_shows_refused_variants_too() -> None:
    """With the figures that they were refused for."""
    shown, written = progress()
    tried, worse = Trial("some CPU", DEVIATION, [], 0.001, 1.0), Trial("some CPU", DEVIATION, [], 0.02, 2.5)
    passed = Result(FP32, Gates(batchings=3), 91_000_000, 17, tried, {})
    refused = Result(INT8, Gates(batchings=20, flip_rate_max=0.001), 23_000_000, 17, worse, {})
    untried = Result(FP16, Gates(batchings=3, golden_delta_max=0.02), 67_000_000, 17, "no CUDA here", {})
    shown.table([passed, refused, untried], "runs/[x]")
    rows = [line.split() for line in written.getvalue().splitlines()]
    assert ["fp32", "91.0", "0.01", "99.51%", "0.123%", "0.001", "1.00x"] in rows
    assert ["int8:", "refused", "23.0", "0.01", "99.51%", "0.123%", "0.02", "2.50x"] in rows
    assert ["fp16:", "not", "run", "here", "67.0"] in rows
