"""The command line: `python -m dev.chaos run | rolling | selftest`."""

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console

from dev.chaos import report
from dev.chaos.bundle import tiny_bundle
from dev.chaos.run import Plan, run
from dev.chaos.sabotage import SABOTAGES, scenario
from dev.chaos.schedule import Kind, crash_free, schedule
from dev.kafka import KafkaUnavailableError

_TAIL_S = 10.0


def main() -> int:
    """Run a command; 1 when a promise was broken, or when a sabotage was not noticed."""
    options = _parser().parse_args()
    console = Console()
    folder = Path("runs/chaos").absolute()
    bundle = options.bundle or tiny_bundle(folder / "model")
    try:
        if options.command == "selftest":
            return _selftest(folder, bundle, console, options.only)
        if options.command == "rolling":
            faults = crash_free(options.count)
            plan = Plan(faults[-1].at_s + _TAIL_S, faults, options.delivery, complete=True)
        else:
            duration_s = options.minutes * 60
            mix = [kind for kind in Kind if kind.option in options.faults] if options.faults else list(Kind)
            plan = Plan(duration_s, schedule(options.seed, duration_s, mix), options.delivery)
        return _run(plan, folder / f"{options.command}-{plan.delivery}", bundle, console, options.seed)
    except KafkaUnavailableError as error:
        console.print(f"no Kafka to break: {error}")
        return 4
    except KeyboardInterrupt:
        console.print("interrupted: nothing is left running")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.chaos")
    parser.add_argument("--bundle", type=Path, help="the model to serve; a tiny one is made where none is given")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (("run", "faults by a seed"), ("rolling", "restarts and scalings in good order")):
        command = commands.add_parser(name, help=meaning)
        command.add_argument("--delivery", choices=["at-least-once", "exactly-once"], default="at-least-once")
        command.add_argument("--seed", type=int, default=1)
        if name == "run":
            command.add_argument("--minutes", type=float, default=5)
            command.add_argument(
                "--faults", nargs="+", choices=[kind.option for kind in Kind], metavar="FAULT",
                help=f"these instead of all: {', '.join(kind.option for kind in Kind)}",
            )  # fmt: skip
        else:
            command.add_argument("--count", type=int, default=20)
    selftest = commands.add_parser("selftest", help="sabotaged workers, each of which has to be caught")
    selftest.add_argument("--only", choices=sorted(SABOTAGES))
    return parser


def _run(plan: Plan, folder: Path, bundle: Path, console: Console, seed: int) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    outcome = run(plan, folder, bundle, console.print)
    report.write(outcome, plan, folder, seed=seed)
    report.show(outcome, plan, console)
    console.print(f"{folder}/report.json, chaos.svg and the workers' logs")
    return 1 if outcome.verdict.violations else 0


def _selftest(folder: Path, bundle: Path, console: Console, only: str | None) -> int:
    """Each sabotage, and beside it the same run with honest workers: caught means that only the first is."""
    missed, honest = [], set()
    for name in [only] if only else SABOTAGES:
        found = _try(scenario(name), folder / "selftest" / name, bundle, console)
        caught = [it for it in found if SABOTAGES[name].breaks in it]
        console.print(f"{name}: {'caught: ' + caught[0] if caught else 'NOT CAUGHT'}")
        missed += [] if caught else [name]
        control = scenario(name, sabotaged=False)
        if (control.faults, control.delivery) in honest:
            continue
        honest.add((control.faults, control.delivery))
        found = _try(control, folder / "selftest" / f"{name}-honest", bundle, console)
        console.print(f"honest workers in the same run: {found[0] if found else 'nothing found'}")
        missed += [f"{name}, honest"] if found else []
    console.print(f"the harness was wrong on {missed}" if missed else "every sabotage was caught")
    return 1 if missed else 0


def _try(plan: Plan, folder: Path, bundle: Path, console: Console) -> tuple[str, ...]:
    console.rule(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
    outcome = run(plan, folder, bundle, console.print)
    report.write(outcome, plan, folder, seed=None)
    return outcome.verdict.violations


if __name__ == "__main__":
    sys.exit(main())
