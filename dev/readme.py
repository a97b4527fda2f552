"""The parts of the README that are generated from the code: the settings and the metrics."""

from pathlib import Path

from worker.adapters.metrics import Metrics
from worker.settings import settings_table

README = Path(__file__).parent.parent / "README.md"


def generated(text: str) -> str:
    """A README with its generated parts made anew, each between its two comments."""
    for name, content in {"settings": settings_table(), "metrics": metrics_table()}.items():
        start, end = f"<!-- {name}: generated -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = before + start + content + end + rest.partition(end)[2]
    return text


def metrics_table() -> str:
    """The worker's own metrics as a Markdown table."""
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    for family in Metrics().registry.collect():
        if family.name.startswith("sentiment_worker_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            rows.append(f"| `{name}` | {family.type} | {family.documentation} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    README.write_text(generated(README.read_text()))
