"""The processor that this process may use, which in a container is less than the host has."""

import os
import platform
from pathlib import Path

_VECTORS = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
THREADS_MAX = 1024
"""More than a worker has use for; each takes memory before it does anything."""
_CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = _CGROUP) -> int:
    """Cores to use at a time: those of the affinity, or of the container's quota, rounded up; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, -int(-quota // 1)))


def cpu_name() -> str:
    """The processor as the system calls it, and its vector extensions that change int8 arithmetic."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    had = facts.get("flags", facts.get("Features", "")).split()
    flags = [flag for flag in had if flag in _VECTORS]
    return " ".join(
        [facts.get("model name", platform.machine()), f"({', '.join(flags)})" if flags else ""]
    ).strip()


def _quota(cgroup: Path) -> float | None:
    """Cores that the container's quota is worth, of cgroups of version 2 or 1; None where there is none."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        except OSError:
            return None
    return int(quota) / int(period) if quota.isdecimal() and int(period) else None
