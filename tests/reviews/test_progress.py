"""What a person sees of a long run where there is no terminal: a line now and then, on stderr."""

import pytest

from reviews import progress
from reviews.progress import Progress


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr(progress, "time", own)
    return own


def test_a_line_every_ten_seconds_and_no_more(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what goes on, how far it is, and what was noted."""
    with Progress() as shown:
        shown.begin("reading", 100)
        for done in range(0, 101, 10):
            clock.now_s += 4
            shown.reach(done, "loss [0.5]" if done == 50 else "")
    said = capsys.readouterr()
    assert said.err.splitlines() == ["reading 20 of 100", "reading 50 of 100  loss [0.5]", "reading 80 of 100"]
    assert said.out == ""


def test_batches_are_followed_one_by_one(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """All come, in order; what is counted are their items, once they are done with."""
    with Progress() as shown:
        batches = []
        for batch in shown.follow("scoring", [[1, 2], [3], []], 3):
            batches.append(batch)
            clock.now_s += 11
    assert batches == [[1, 2], [3], []]
    assert capsys.readouterr().err.splitlines() == ["scoring 2 of 3", "scoring 3 of 3", "scoring 3 of 3"]


def test_only_what_was_waited_for_has_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a moment's work nobody asks how fast it was."""
    shown = Progress()
    shown.rate("read", 1000, "lines", 9.9)
    shown.rate("read", 50_000, "lines", 20)
    assert capsys.readouterr().err == "read 50,000 lines in 20 s: 2,500/s\n"


def test_quiet_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """And there is nothing to reach before something began."""
    with Progress(quiet=True) as shown:
        with pytest.raises(RuntimeError, match="begin first"):
            shown.reach(1)
        shown.begin("reading", 2)
        clock.now_s += 11
        shown.reach(1)
    assert capsys.readouterr() == ("", "")
