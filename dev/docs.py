"""The parts of docs/ that are generated from the code: the settings and the metrics."""

from pathlib import Path

from worker.adapters.metrics_table import metrics_table
from worker.settings_table import settings_table

DOCS = Path(__file__).parent.parent / "docs"


TABLES = {"settings": settings_table, "metrics": metrics_table}
"""What makes the table of each page."""


def generated(name: str, text: str) -> str:
    """A page with its table made again from the code, between the two comments that mark it."""
    start, end = f"<!-- {name}: generated -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"docs/{name}.md has lost the comments around its table")
    return before + start + TABLES[name]() + end + after


if __name__ == "__main__":
    for table in TABLES:
        page = DOCS / f"{table}.md"
        page.write_text(generated(table, page.read_text()))
