"""What the demo showed, in figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import accuracy_score, f1_score
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from dev.account import Account, Outcome, Position
from dev.demo.load import Sent
from dev.demo.prepare import HeldOut, Material
from dev.demo.view import mix_bar
from dev.hostile import Hostile

_VADER_CUT = 0.05  # of the compound score, as VADER's authors recommend


@dataclass(frozen=True)
class Summary:
    """The figures; `failures` is empty when every promise held."""

    records_in: int
    results: int
    dead_letters: int
    forwarded: int
    unsendable: int
    lost: int
    duplicated: int
    out_of_order: int
    hostile_as_expected: str
    accuracy: float
    macro_f1: float
    vader_accuracy: float
    vader_macro_f1: float
    held_out: int
    burst_records: int
    burst_per_second: float
    steady_per_second: float
    latency_ms: dict[str, float]
    labels: dict[str, int]
    processor: str
    failures: list[str]


def summarise(
    account: Account,
    sent: Mapping[Position, Sent],
    material: Material,
    *,
    burst: tuple[int, float],
    steady_per_second: float,
    latencies_s: Sequence[float],
    unsendable: int,
) -> Summary:
    """Account for every record and measure the answers.

    Args:
        account: What came out.
        sent: What went in.
        material: The held-out texts.
        burst: Records and seconds of the burst.
        steady_per_second: The rate of the steady phase.
        latencies_s: From each steady record's timestamp until a consumer had its result.
        unsendable: Records settled without an outcome, as the workers count them.
    """
    kinds = account.kinds()
    silent = {
        p for p, item in sent.items() if isinstance(item.what, Hostile) and item.what.expected == "unsendable"
    }
    lost = account.lost(sent.keys() - silent)
    wrong = _unexpected(account, sent)
    hostile = sum(isinstance(item.what, Hostile) for item in sent.values())
    quantiles = np.percentile(latencies_s, [50, 95, 99]) * 1000 if latencies_s else np.zeros(3)
    return Summary(
        records_in=len(sent),
        results=kinds["result"],
        dead_letters=sum(kinds.values()) - kinds["result"] - kinds["forwarded"],
        forwarded=kinds["forwarded"],
        unsendable=unsendable,
        lost=len(lost),
        duplicated=len(account.duplicated()),
        out_of_order=len(account.disorders),
        hostile_as_expected=f"{hostile - len(wrong)} of {hostile}",
        **_scores(account, sent, material.held_out),
        burst_records=burst[0],
        burst_per_second=burst[0] / burst[1],
        steady_per_second=steady_per_second,
        latency_ms={f"p{q}": round(float(ms), 1) for q, ms in zip((50, 95, 99), quantiles, strict=True)},
        labels=dict(Counter(o[0].event["sentiment"]["label"] for o in account.outcomes.values() if _scored(o))),
        processor=_processor(),
        failures=_broken(account, lost, wrong, len(silent), unsendable),
    )


def show(summary: Summary, material: Material, console: Console) -> None:
    """Print the figures."""
    table = Table(title="What became of it", show_header=False, expand=True)
    table.add_column(style="bold", width=22)
    table.add_column()
    s = summary
    counted = f"{s.results:,} results + {s.dead_letters} dead letters + {s.forwarded} forwarded"
    nothing = f" + {s.unsendable} with neither key nor value" if s.unsendable else ""
    table.add_row("records in", f"{s.records_in:,} = {counted}{nothing}")
    table.add_row("lost", f"{s.lost}   (duplicated {s.duplicated}, out of order {s.out_of_order})")
    table.add_row("hostile records", f"{s.hostile_as_expected} had the outcome that the contract names")
    table.add_row("macro-F1", f"{s.macro_f1:.3f}   (VADER {s.vader_macro_f1:.3f})")
    table.add_row("accuracy", f"{s.accuracy:.3f}   (VADER {s.vader_accuracy:.3f})")
    table.add_row("", f"on {s.held_out} held-out texts, labels from {material.labels_from}")
    table.add_row("burst", f"{s.burst_per_second:,.0f} records/s over {s.burst_records:,} records, two workers")
    latency = "  ".join(f"{name} {ms:.0f} ms" for name, ms in s.latency_ms.items())
    table.add_row("latency", f"{latency}   at a steady {s.steady_per_second:,.0f} records/s")
    table.add_row("labels", mix_bar(Counter(s.labels)))
    table.add_row("processor", s.processor)
    table.add_row("training report", f"{material.checkpoint}/report.html")
    console.print(table)
    for failure in s.failures:
        console.print(f"[red]broken promise:[/] {failure}")


def _scored(outcomes: Sequence[Outcome]) -> bool:
    return outcomes[0].kind == "result"


def _scores(account: Account, sent: Mapping[Position, Sent], held_out: Sequence[HeldOut]) -> dict[str, Any]:
    """Accuracy and macro-F1 of the model and of VADER on the held-out texts."""
    labels, answers = _answers(account, sent)
    truth, vader = [item.label for item in held_out], [_vader(item.text) for item in held_out]
    return {
        "accuracy": accuracy_score(labels, answers),
        "macro_f1": f1_score(labels, answers, average="macro"),
        "vader_accuracy": accuracy_score(truth, vader),
        "vader_macro_f1": f1_score(truth, vader, average="macro"),
        "held_out": len(held_out),
    }


def _broken(
    account: Account, lost: Sequence[Position], wrong: Sequence[str], silent: int, counted: int
) -> list[str]:
    """A sentence for each promise that did not hold."""
    failures = [f"lost: {lost[:5]}"] if lost else []
    failures += [f"duplicated: {account.duplicated()[:5]}"] if account.duplicated() else []
    failures += [*account.disorders[:5], *wrong]
    if counted != silent:
        failures.append(f"{silent} records without key and value, {counted} counted")
    return failures


def _unexpected(account: Account, sent: Mapping[Position, Sent]) -> list[str]:
    """Hostile records that came to something else than the contract says."""
    wrong = []
    for position, item in sent.items():
        if isinstance(item.what, Hostile) and item.what.expected != "unsendable":
            kinds = [outcome.kind for outcome in account.outcomes.get(position, [])]
            if kinds != [item.what.expected]:
                wrong.append(f"{item.what.name}: {kinds} instead of {item.what.expected}")
    return wrong


def _answers(account: Account, sent: Mapping[Position, Sent]) -> tuple[list[str], list[str]]:
    """True and answered labels of the first pass over the held-out texts."""
    pairs = [
        (item.what.label, account.outcomes[position][0].event["sentiment"]["label"])
        for position, item in sent.items()
        if isinstance(item.what, HeldOut) and item.phase == "first" and position in account.outcomes
    ]
    return [truth for truth, _ in pairs], [answer for _, answer in pairs]


def _vader(text: str, analyser: Any = SentimentIntensityAnalyzer()) -> str:  # noqa: B008 - one lexicon will do
    compound = analyser.polarity_scores(text)["compound"]
    return "positive" if compound >= _VADER_CUT else "negative" if compound <= -_VADER_CUT else "neutral"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else "unknown"
