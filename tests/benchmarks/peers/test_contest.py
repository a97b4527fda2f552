"""Peers in processes of their own: what they answer, and what becomes of one that fails."""

from importlib.metadata import version

import pytest

from benchmarks.peers.answering import Job
from benchmarks.peers.contest import Found, Peer, Way, contest, near_best

_JOB = Job(
    "", "", ["a", "b", "c"], [""] * 6, [[2], [0, 7, 7], [1, 7], [0, 7, 7, 7, 7], [1], [2, 7]], [], 2, rounds=3
)
_WAY, _BROKEN = Way("fake", "fp32", "2 x 1"), Way("fake", "broken", "2 x 1")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What comes of a peer that partly works, after three that don't."""
    folder = tmp_path_factory.mktemp("peers")
    nowhere = str(folder / "nowhere-1-py3-none-any.whl")
    peers = (
        Peer("absent", "tests.benchmarks.peers.none_such"),
        Peer("not to be installed", "tests.benchmarks.peers.fake_peer", (nowhere,)),
        Peer("dying", "tests.benchmarks.peers.dying_peer"),
        Peer("fake", "tests.benchmarks.peers.fake_peer"),
    )
    return contest(peers, _JOB, folder, lambda _: None)


def test_a_peer_gives_the_class_of_each_text_in_the_order_asked(found: Found) -> None:
    """Of every round, though it scores them sorted, in batches, several at a time, and prints other things."""
    assert found.labels[_WAY] == [2, 0, 1, 0, 1, 2]
    assert len(found.speeds[_WAY]) == _JOB.rounds - 1, "the first warms up"
    assert found.mib[_WAY] >= 0
    assert found.versions["fake"] == {"numpy": version("numpy")}


def test_what_fails_is_named_with_its_reason_and_stops_no_other(found: Found) -> None:
    """Where it can't be started or installed, or raises; where it ends its process, all of it has failed."""
    reasons = {
        Way("absent"): "none_such",
        Way("not to be installed"): "nowhere-1-py3-none-any.whl",
        Way("dying", "fp32", "2 x 1"): "ended with 3: Illegal instruction",
        Way("dying", "int8", "2 x 1"): "ended with 3: Illegal instruction",
        _BROKEN: "ArithmeticError: no such kernel",
    }
    assert set(found.failed) == set(reasons)
    assert all(reason in found.failed[way] for way, reason in reasons.items())
    assert list(found.speeds) == [_WAY]


def test_layouts_far_behind_are_not_measured_again() -> None:
    """Beside others of their peer in their precision alone; one bad round of two counts for nothing."""
    near, far, slow = Way("p", "int8", "1"), Way("p", "int8", "2"), Way("p", "fp32", "1")
    spoilt = Way("p", "int8", "3")
    speeds = {near: [100.0, 100.0], far: [80.0, 85.0], slow: [20.0, 20.0], spoilt: [95.0, 10.0]}
    assert near_best(speeds) == [near, slow, spoilt]
