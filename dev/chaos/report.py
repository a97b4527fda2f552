"""What a run came to: a table, a JSON file, and a picture."""

import json
import os
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

from dev.chaos.run import Outcome, Plan
from dev.chaos.schedule import Kind

mpl.use("Agg")
import matplotlib.pyplot as plt


def write(outcome: Outcome, plan: Plan, folder: Path, *, seed: int | None) -> None:
    """Write `report.json` and `chaos.svg` into a folder."""
    verdict = asdict(outcome.verdict)
    del verdict["broken"]  # in the evidence
    report = {
        "delivery": plan.delivery,
        "duration_s": plan.duration_s,
        "seed": seed,
        **_environment(),
        "faults": len(outcome.faults),
        "faults_alone": sum(fault["alone"] for fault in outcome.faults),
        **verdict,
        "recovery_s": {"median": outcome.recovery_s_median, "max": outcome.recovery_s_max},
        "peak_worker_mib": outcome.peak_bytes // 2**20,
        "exit_codes": outcome.exit_codes,
        "schedule": outcome.faults,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    _draw(outcome, plan, folder / "chaos.svg")


def show(outcome: Outcome, plan: Plan, console: Console) -> None:
    """The table that ends a run."""
    verdict = outcome.verdict
    table = Table(title=f"chaos, {plan.delivery}, {len(outcome.faults)} faults", show_header=False)
    rows = {
        "inputs": f"{verdict.inputs:,} = {verdict.results:,} results + {verdict.dead_letters:,} dead letters",
        "lost": str(verdict.lost),
        "duplicated": str(verdict.duplicated),
        "out of order": str(verdict.out_of_order),
        "poison by chance": str(verdict.poison_by_chance),
        "recovery": f"median {outcome.recovery_s_median:.1f} s, max {outcome.recovery_s_max:.1f} s",
        "peak memory": f"{outcome.peak_bytes / 2**20:.0f} MiB a worker",
        "violations": "\n".join(outcome.verdict.violations) or "none",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    recovery = Table("fault", "times", "recovery, s: median", "max", "not seen")
    for kind in sorted({fault["kind"] for fault in outcome.faults}):
        seconds = [fault["recovery_s"] for fault in outcome.faults if fault["kind"] == kind]
        seen = [it for it in seconds if it is not None]
        told = (f"{statistics.median(seen):.1f}", f"{max(seen):.1f}") if seen else ("-", "-")
        recovery.add_row(kind, str(len(seconds)), *told, str(len(seconds) - len(seen)))
    console.print(recovery)


def _draw(outcome: Outcome, plan: Plan, file: Path) -> None:
    samples = outcome.samples
    times = [sample.at_s for sample in samples]
    figure, (lag, rate) = plt.subplots(2, 1, figsize=(12, 6), sharex=True)
    lag.plot(times, [sample.lag for sample in samples], color="tab:red", linewidth=1)
    lag.set_ylabel("inputs without an outcome")
    step = 4  # samples: two seconds
    rates = [
        (late.outcomes - early.outcomes) / (late.at_s - early.at_s)
        for early, late in zip(samples, samples[step:], strict=False)
    ]
    rate.plot(times[step:], rates, color="tab:blue", linewidth=1)
    rate.axhline(plan.per_second, color="grey", linewidth=0.5, linestyle="--")
    rate.set_ylabel("outcomes per second")
    rate.set_xlabel("seconds")
    colours = dict(zip(Kind, plt.get_cmap("tab20").colors, strict=False))
    seen: set[str] = set()
    for fault in outcome.faults:
        kind = Kind(fault["kind"])
        for axes in (lag, rate):
            label = str(kind) if axes is lag and kind not in seen else None
            axes.axvline(fault["at_s"], color=colours[kind], alpha=0.8, linewidth=1, label=label)
        seen.add(kind)
    figure.suptitle(
        f"{plan.delivery}: {outcome.verdict.inputs:,} inputs, lost {outcome.verdict.lost}, "
        f"duplicated {outcome.verdict.duplicated}, out of order {outcome.verdict.out_of_order}"
    )
    if seen:
        figure.legend(loc="lower center", ncols=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.savefig(file)
    plt.close(figure)


def _environment() -> dict[str, Any]:
    """Where the figures come from."""
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {"processor": names[0] if names else "unknown", "cores": os.cpu_count()}
