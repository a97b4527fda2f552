"""How much of the processor a worker may use, and what it is called."""

import os
from pathlib import Path

import pytest

from worker.cores import cores, cpu_name


@pytest.mark.parametrize(
    ("files", "usable"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, 8),
        ({"cpu.max": "garbage"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_a_containers_quota_counts_rounded_up(
    files: dict[str, str], usable: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of cgroups of version 2 or 1; never more than the affinity allows, and never none."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert cores(tmp_path) == usable


def test_this_machine_has_a_core() -> None:
    """As many as the scheduler lets this process use, or fewer."""
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_the_processor_is_named_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extensions that change int8 arithmetic, and no others; also where there is no /proc."""
    cpuinfo = "processor: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 sse avx512_vnni\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: cpuinfo)
    assert cpu_name() == "Some CPU (avx2, avx512_vnni)"

    def absent(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    assert cpu_name()
