"""What `export evaluate` shows on a terminal, and the pictures beside its JSON file."""

from pathlib import Path
from typing import Any

from rich.console import Console

from evaluation import tables
from evaluation.plots import plot_evaluation
from export.evaluate import beside_reference


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures of `export.evaluate.evaluate`."""
    variants, serves, bundle = result["variants"], result["serves"], result["bundle"]
    tables.begin(result["data"]["texts"], result["data"]["left_out"]["copies"], console)
    others = dict(result["baselines"])
    if "against" in result:
        against = result["against"]
        others = {f"against {against['bundle']['name']} {against['variant']}": against} | others
    console.print(tables.standings({f"{bundle['name']} {name}": one for name, one in variants.items()} | others))
    for name, one in variants.items():
        for table in tables.details(one, name):
            console.print(table)
    tables.say([abstention_sentence(name, one["abstention"]) for name, one in variants.items()], console)
    for table in tables.groups(variants[serves], serves):
        console.print(table)
    keys = (*(beside_reference(name) for name in variants), "comparison")
    sentences = (result[key]["sentence"] for key in keys if key in result)
    tables.say((*result["baselines_left_out"], *sentences), console)


def abstention_sentence(name: str, found: dict[str, Any]) -> str:
    """What a variant's threshold does."""
    if not found["abstained_share"]:
        return f"{name}: abstains on nothing (below {found['below']:.3f}); {found['precision']:.1%} are right"
    precision = "nothing is left"
    if found["precision"] is not None:
        precision = f"the rest is right in {found['precision']:.1%} (at least {found['precision_at_least']:.1%})"
    return (
        f"{name}: abstains below {found['below']:.3f} on {found['abstained_share']:.1%}, of which "
        f"{found['precision_of_abstained']:.1%} would be right; {precision}"
    )


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw each variant as `training evaluate` does: `figures.int8.reliability.png` beside `figures.json`."""
    for name, one in result["variants"].items():
        plot_evaluation(one, file.with_suffix(f".{name}{file.suffix or '.json'}"))
