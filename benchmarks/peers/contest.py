"""Peers in processes of their own, which take turns, so that a busy neighbour on the machine slows all alike."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, NamedTuple, Self

from benchmarks.peers.answering import Job

_ROOT = Path(__file__).parent.parent.parent
_SILENT_S = 900.0
"""A peer that has not answered by then has failed; quantising a BERT-base takes minutes."""
_KEPT_SHARE = 0.9
"""Of the best median of a peer in a precision: a layout that is slower is not measured again."""


class Peer(NamedTuple):
    """A way of others, or ours, to run the checkpoint.

    Attributes:
        name: As people know it.
        module: That calls `benchmarks.peers.answering.answer`.
        packages: Of its environment, as pip takes them; without any it runs in this one.
    """

    name: str
    module: str
    packages: tuple[str, ...] = ()


class Way(NamedTuple):
    """A peer in a precision and a layout; both are empty for what concerns the whole peer."""

    peer: str
    precision: str = ""
    layout: str = ""


class PeerError(Exception):
    """A peer can't be installed, or did not do what it was asked."""


@dataclass
class Found:
    """What came of it.

    Attributes:
        speeds: Texts a second of each round, without the first, which warms up.
        labels: Classes of the texts of the rounds that it took part in, in their order.
        mib: By how much its process has grown over all of them, loading included.
        versions: Of each peer's packages.
        failed: Why a way, or a peer, is not among the others.
    """

    speeds: dict[Way, list[float]] = field(default_factory=dict)
    labels: dict[Way, list[int]] = field(default_factory=dict)
    mib: dict[Way, float] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: dict[Way, str] = field(default_factory=dict)


class _Running:
    """A peer's process."""

    def __init__(self, peer: Peer, environments: Path) -> None:
        environments.mkdir(parents=True, exist_ok=True)
        name = peer.module.rpartition(".")[2]
        self._log = environments / f"{name}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                [_python(peer, environments / name), "-m", peer.module],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=_ROOT,
                env=os.environ | {"PYTHONPATH": str(_ROOT), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"},
            )  # fmt: skip

    def ask(self, question: object) -> Any:
        """Its answer.

        Raises:
            PeerError: If it answers that it failed, or has ended, or is silent for too long.
        """
        assert self._process.stdin  # noqa: S101 - both are pipes
        assert self._process.stdout  # noqa: S101
        silent = threading.Timer(_SILENT_S, self._process.kill)
        silent.start()
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            silent.cancel()
        if not line.endswith("\n"):
            code, said = self._process.wait(), self._log.read_text(errors="replace").strip().splitlines()
            raise PeerError(f"ended with {code}: {said[-1] if said else 'without a word'}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # it holds nothing that is not ours
        self._process.communicate()


def contest(peers: Sequence[Peer], job: Job, environments: Path, told: Callable[[str], None]) -> Found:
    """Have all of them score the job, in turns; one that fails is named, and never stops the others.

    Args:
        peers: Whose modules are asked.
        job: What to score, in two rounds at least; layouts that are far behind in one are left out of the next.
        environments: A folder for those that need one of their own, and for what the peers print.
        told: Is told how it goes.
    """
    found, running = Found(), dict[str, _Running]()
    with ExitStack() as stack:
        for peer in peers:
            told(f"starting {peer.name}")
            try:
                running[peer.name] = stack.enter_context(_Running(peer, environments))
                offer = running[peer.name].ask(asdict(job))
            except (PeerError, OSError) as error:
                found.failed[Way(peer.name)] = str(error)
                continue
            found.versions[peer.name] = offer["versions"]
            found.speeds |= {Way(peer.name, *names): [] for names in offer["ways"]}
        left = list(found.speeds)
        for number in range(job.rounds):
            told(f"round {number} of {job.rounds - 1}: {len(left)} layouts")
            for way in left:
                _measure(way, number, running[way.peer], found)
            if number:
                left = near_best({way: found.speeds[way] for way in left if way in found.speeds})
    return found


def near_best(speeds: dict[Way, list[float]]) -> list[Way]:
    """Those whose best round is near the best median of their peer in their precision."""
    best: dict[tuple[str, str], float] = {}
    for way, each in speeds.items():
        best[way[:2]] = max(best.get(way[:2], 0.0), median(each))
    return [way for way, each in speeds.items() if max(each) >= _KEPT_SHARE * best[way[:2]]]


def _measure(way: Way, number: int, running: _Running, found: Found) -> None:
    if way not in found.speeds:  # failed while it warmed up
        return
    try:
        answer = running.ask([*way[1:], number])
    except PeerError as error:
        found.failed[way] = str(error)
        del found.speeds[way]
        return
    if number:
        found.speeds[way].append(len(answer["labels"]) / answer["elapsed_s"])
    found.labels.setdefault(way, []).extend(answer["labels"])
    found.mib[way] = found.mib.get(way, 0.0) + answer["mib"]


def _python(peer: Peer, environment: Path) -> Path:
    """The interpreter of a peer's environment, which is made unless it is there already."""
    if not peer.packages:
        return Path(sys.executable)
    python, stamp = environment / "bin" / "python", environment / ".installed"
    if not (stamp.is_file() and stamp.read_text() == str(peer.packages)):
        uv = Path(sys.executable).with_name("uv")
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
        _run(uv, "pip", "install", "--quiet", "--python", python, *peer.packages)
        stamp.write_text(str(peer.packages))
    return python


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - uv
    if done.returncode:
        raise PeerError(f"can't be installed: {' '.join(done.stderr.split())}")
