"""What `export evaluate` shows on a terminal, and the pictures beside its JSON file."""

from pathlib import Path

from rich.console import Console

from evaluation import tables
from evaluation.figures import Figures
from evaluation.findings import verdict
from evaluation.plots import plot_evaluation
from export.confidence import AbstentionFigures
from export.figures import BundleEvaluation


def show(result: BundleEvaluation, console: Console) -> None:
    """Print the figures of a bundle."""
    tables.begin(len(result.labelled.reviews), result.labelled.left_out["copies"], console)
    columns: dict[str, Figures] = {f"{result.bundle.name} {name}": one for name, one in result.variants.items()}
    if against := result.against:
        columns[f"against {against.bundle.name} {against.variant}"] = against.figures
    console.print(tables.standings(columns | result.baselines))
    for name, one in result.variants.items():
        for table in tables.details(one, name):
            console.print(table)
    tables.say([abstention_sentence(name, one.abstention) for name, one in result.variants.items()], console)
    for table in tables.groups(result.variants[result.serves], result.serves):
        console.print(table)
    sentences = [one.sentence for one in result.beside_reference.values()]
    gates = [against.comparison.sentence] if against else []
    if judged := verdict(result.variants[result.serves]):
        gates.append(f"{result.serves}: {judged.sentence()}")
    tables.say((*result.baselines_left_out, *sentences, *gates), console)


def abstention_sentence(name: str, found: AbstentionFigures) -> str:
    """What a variant's threshold does."""
    if not found.abstained_share:
        return f"{name}: abstains on nothing (below {found.below:.3f}); {found.precision:.1%} are right"
    precision = "nothing is left"
    if found.precision is not None:
        precision = f"the rest is right in {found.precision:.1%} (at least {found.precision_at_least:.1%})"
    return (
        f"{name}: abstains below {found.below:.3f} on {found.abstained_share:.1%}, of which "
        f"{found.precision_of_abstained:.1%} would be right; {precision}"
    )


def plot(result: BundleEvaluation, file: Path) -> None:
    """Draw each variant as `training evaluate` does: `figures.int8.reliability.png` beside `figures.json`."""
    for name, one in result.variants.items():
        plot_evaluation(one, file.with_suffix(f".{name}{file.suffix or '.json'}"))
