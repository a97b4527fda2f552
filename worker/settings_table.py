"""All settings as a table, for `python -m worker settings` and docs/settings.md."""

from worker.environment import variable
from worker.settings import Settings


def settings_table() -> str:
    """All settings as a Markdown table, with their defaults."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else f"`{_shown(field.default)}`"
        rows.append(f"| `{variable(name)}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    return "unset" if default is None else str(default).lower() if isinstance(default, bool) else f"{default}"
