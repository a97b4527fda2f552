"""What longer texts cost: forward passes over texts of one length each, and of lengths as they come.

Each graph of the bundle for CPUs, in the layout of a worker. The limit is the processor's own: the first product
of a feed-forward layer by itself, of as many tokens as a pass has, on each core at a time. Texts of one length are
cut out of real ones put end to end. All take turns, and medians count.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnx
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.events import event_values
from benchmarks.flops import flops
from benchmarks.operators import MICROSOFT, Operator, Question, session
from contract.fields import TEXT_FIELDS, Fields, first_text
from worker.adapters.bundle import Bundle, read_bundle
from worker.callers import Callers
from worker.core.batching import default_layout
from worker.cores import cores, cpu_name
from worker.model import load_encoder
from worker.tuning import Candidate, elapsed_s, loader

_LENGTHS = (8, 16, 32, 64, 128, 256, 512)
_TOKENS = 8_192  # of a round at each length: sixteen passes
_PRODUCTS = 64
_OUTPUT = Path("runs/benchmarks")
_AS_THEY_COME = "as they come"
_INT8_PRODUCT = "MatMulIntegerToFloat"
Rows = Sequence[Sequence[int]]


class Figures(NamedTuple):
    """What a graph does with texts of one kind, and what the processor does with its products alone."""

    graph: str
    texts: str
    tokens: float
    """Of a text, in the mean."""
    reviews_per_s: float
    tokens_per_s: float
    of_limit: float
    """Operations of the matrix products a second, as a share of the limit."""


def rows_of(length: int, stream: Sequence[int], tokens: int, begin: int, end: int) -> list[list[int]]:
    """Texts of so many token ids each, `begin` and `end` included, of so many tokens together.

    Args:
        length: Token ids of each.
        stream: Ids to cut them out of, which begin again where they are used up.
        tokens: Of all of them together, about.
        begin: What stands before each, [CLS].
        end: What stands after each, [SEP].
    """
    inner, count = length - 2, max(1, tokens // length)
    ids = np.resize(np.asarray(stream), count * inner).reshape(count, inner)
    return [[begin, *row, end] for row in ids.tolist()]


def kinds(bundle: Bundle, values: Sequence[bytes]) -> dict[str, Rows]:
    """Token ids of texts of each length that the bundle takes, and of these events as they are."""
    texts = [Fields(first_text(json.loads(value), TEXT_FIELDS) or "") for value in values]
    rows = [one.ids for one in load_encoder(bundle).encode(texts)]
    stream = list(chain.from_iterable(row[1:-1] for row in rows))
    begin, end, longest = rows[0][0], rows[0][-1], bundle.manifest.encoding.tokens_max
    some = {str(it): rows_of(it, stream, _TOKENS, begin, end) for it in _LENGTHS if it <= longest}
    return {**some, _AS_THEY_COME: rows}


def product(file: Path, config: Mapping[str, Any], tokens: int) -> Callable[[int], Any]:
    """The first product of a feed-forward layer, as this graph has it: int8 or fp32.

    Args:
        file: The graph.
        config: The model's `config.json`.
        tokens: Rows of the product's left side.
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    draw = np.random.default_rng(0)
    if any(node.op_type == _INT8_PRODUCT for node in onnx.load(file, load_external_data=False).graph.node):
        feed: dict[str, Any] = {"x": draw.integers(0, 256, (tokens, hidden)).astype(np.uint8)}
        constant: dict[str, Any] = {
            "w": draw.integers(-63, 64, (hidden, inner)).astype(np.int8), "step": np.array(0.02, np.float32),
            "wstep": np.full(inner, 0.01, np.float32), "zero": np.array(128, np.uint8),
        }  # fmt: skip
        ways = [Operator(_INT8_PRODUCT, "x w step wstep zero", domain=MICROSOFT)]
    else:
        feed = {"x": draw.normal(size=(tokens, hidden)).astype(np.float32)}
        constant = {"w": draw.normal(size=(hidden, inner)).astype(np.float32)}
        ways = [Operator("MatMul", "x w")]
    made = session(Question("product", feed, constant, {}), ways)
    return lambda _: made.run(["y"], feed)


def measure(bundle: Bundle, texts: Mapping[str, Rows], rounds: int) -> list[Figures]:
    """The figures of each graph with each kind of texts."""
    layout = default_layout("cpu", cores())
    layout = layout._replace(tokens=max(layout.tokens, bundle.manifest.encoding.tokens_max))
    load, graphs = loader(bundle, "cpu"), bundle.servable("cpu")
    classifiers = {name: load(Candidate(name, layout)) for name in graphs}
    config = json.loads((bundle.folder / "config.json").read_text())
    files = {name: bundle.folder / bundle.variant(name).file for name in graphs}
    products = {name: product(file, config, layout.tokens) for name, file in files.items()}
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    alone: dict[str, list[float]] = defaultdict(list)
    callers = Callers(layout.callers)
    for _ in track(range(rounds + 1), "rounds, the first to warm up", console=Console(stderr=True)):
        for name, classifier in classifiers.items():
            started_s = time.perf_counter()
            list(callers.map(products[name], range(_PRODUCTS)))
            alone[name].append(time.perf_counter() - started_s)
            for kind, rows in texts.items():
                taken[name, kind].append(elapsed_s(classifier, layout, rows))
    work = 2 * layout.tokens * config["hidden_size"] * config["intermediate_size"] * _PRODUCTS
    limits = {name: work / median(each[1:]) for name, each in alone.items()}
    found = []
    for (name, kind), seconds in taken.items():
        lengths, elapsed = [len(row) for row in texts[kind]], median(seconds[1:])
        share = flops(lengths, config) / elapsed / limits[name]
        tokens = sum(lengths)
        found.append(Figures(name, kind, tokens / len(lengths), len(lengths) / elapsed, tokens / elapsed, share))
    return found


def drawn(found: Sequence[Figures]) -> Figure:
    """Tokens a second by the length of the texts, beside the limit; lengths as they come are at their mean."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for number, graph in enumerate(dict.fromkeys(it.graph for it in found)):
        ours, colour = [it for it in found if it.graph == graph], f"C{number}"
        same = [it for it in ours if it.texts != _AS_THEY_COME]
        axes.plot([it.tokens for it in same], [it.tokens_per_s for it in same], "o-", color=colour, label=graph)
        axes.plot([it.tokens for it in same], [it.tokens_per_s / it.of_limit for it in same], "--", color=colour,
                  label=f"{graph}, its limit")  # fmt: skip
        mixed = [it for it in ours if it.texts == _AS_THEY_COME]
        axes.plot([it.tokens for it in mixed], [it.tokens_per_s for it in mixed], "D", color=colour, mfc="none",
                  label=f"{graph}, {_AS_THEY_COME}")  # fmt: skip
    axes.set(xscale="log", ylim=(0, None), xlabel="tokens of a text", ylabel="tokens/s")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    lengths = sorted({int(it.texts) for it in found if it.texts != _AS_THEY_COME})
    axes.set_xticks(lengths, [str(length) for length in lengths], minor=False)
    axes.minorticks_off()
    figure.legend(frameon=False, loc="outside right upper")
    return figure


def main() -> None:
    """Measure, show and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lengths", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("runs/demo/bundle"))
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; default: rated sentences")
    parser.add_argument("--events", type=int, default=256, help="of lengths as they come (default: %(default)d)")
    parser.add_argument("--rounds", type=int, default=5, help="after one to warm up (default: %(default)d)")
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    found = measure(bundle, kinds(bundle, event_values(options.data, options.events)), options.rounds)
    _OUTPUT.mkdir(parents=True, exist_ok=True)
    told = {"cpu": cpu_name(), "cores": cores(), "figures": [it._asdict() for it in found]}
    (_OUTPUT / "lengths.json").write_text(json.dumps(told, indent=2) + "\n")
    drawn(found).savefig(_OUTPUT / "lengths.svg")
    table = Table(title=f"Forward passes by length · {cpu_name()}, {cores()} cores")
    for title in ("graph", "texts", "tokens of one", "reviews/s", "tokens/s", "of the limit"):
        table.add_column(title, justify="left" if title in {"graph", "texts"} else "right")
    for it in found:
        figures = (f"{it.tokens:.0f}", f"{it.reviews_per_s:.1f}", f"{it.tokens_per_s:,.0f}", f"{it.of_limit:.0%}")
        table.add_row(it.graph, it.texts, *figures)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
