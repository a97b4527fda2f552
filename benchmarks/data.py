"""What reading, comparing, parting and encoding millions of reviews costs, in memory and time.

Synthetic records of the length of Amazon's reviews, in both layouts, with copies, near copies, titles and odd
lines, are read by a process of its own, whose peak memory is measured. The limit is 2 GB, whatever the number of
records; the baseline is all reviews in a list, with nothing compared. Rates are of CPU time, which a busy machine
does not stretch as it does the time on the clock, shown beside it.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from rich.console import Console
from rich.table import Table

from training.checkpoint import processor

_LIMIT_GB = 2.0
_WORDS, _POOL = 50_000, 20_000
_COPIES, _NEAR, _ODD, _TITLED = 0.03, 0.03, 0.01, 0.6
_STARS = ((5.0, 0.5), (4.0, 0.23), (3.0, 0.10), (2.0, 0.07), (1.0, 0.10))
_ODD_LINES = (
    b"{",
    b'{"reviewText": "no stars"}',
    b'{"overall": 5}',
    b'{"text": "x", "rating": 9}',
    b"[1]",
    b"\xff",
)


def main() -> int:
    """Make the records, run the stages in a process of their own, and show what they took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--child", choices=sorted(_CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        json.dump(_CHILDREN[options.child](options.files), sys.stdout)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.monotonic()
        files = make_records(Path(folder), options.records)
        Console().print(
            f"made {options.records:,} records in {time.monotonic() - started_s:.0f} s", highlight=False
        )
        stages, baseline = (_child(child, files, Path(folder)) for child in ("stages", "baseline"))
        repeat = _child("stages", files, Path(folder))
    _show(options.records, stages, repeat, baseline)
    return 0 if stages["peak_gb"] < _LIMIT_GB else 1


def make_records(folder: Path, records: int) -> list[Path]:
    """The same records every time: half of 2014 and compressed, half of 2023 and plain."""
    files = [folder / "Old.jsonl.gz", folder / "New.jsonl"]
    lines = _lines(records)
    with gzip.open(files[0], "wb", compresslevel=1) as old, files[1].open("wb") as new:
        for number, line in enumerate(lines):
            (old if number < records // 2 else new).write(line + b"\n")
    return files


def _lines(records: int) -> Iterator[bytes]:
    randomly = np.random.default_rng(2018)
    words = [_word(number) for number in range(_WORDS)]
    pool: list[list[str]] = []
    names = (("reviewText", "overall", "summary"), ("text", "rating", "title"))
    stars = randomly.choice([star for star, _ in _STARS], size=records, p=[share for _, share in _STARS])
    for number in range(records):
        kind = randomly.random()
        if kind < _ODD:
            yield _ODD_LINES[number % len(_ODD_LINES)]
            continue
        if pool and kind < _ODD + _COPIES + _NEAR:
            text = list(pool[randomly.integers(len(pool))])
            if kind < _ODD + _NEAR:
                text[randomly.integers(len(text))] = words[randomly.integers(_WORDS)]
            else:
                text[0] = text[0].upper()
        else:
            length = int(np.clip(randomly.lognormal(3.9, 0.9), 1, 3000))  # a median of 49 words, a mean of 74
            ranks = np.minimum(randomly.zipf(1.3, length), _WORDS) - 1
            text = [words[rank] for rank in ranks]
            pool.append(text) if len(pool) < _POOL else pool.__setitem__(int(randomly.integers(_POOL)), text)
        fields = names[number >= records // 2]
        record: dict[str, Any] = {"asin": f"B{number:09d}", fields[0]: " ".join(text), fields[1]: stars[number]}
        if randomly.random() < _TITLED:
            record[fields[2]] = " ".join(text[:5])
        yield json.dumps(record).encode()


def _word(number: int) -> str:
    """A word of its own for each number; frequent ones are short."""
    letters = "etaoinshrdlucmfw"
    word = letters[number % 16]
    while number := number // 16:
        word += letters[number % 16]
    return word


def _child(name: str, files: Sequence[Path], folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.data", "--child", name, "--files", *map(str, files)]
    environment = {**os.environ, "REVIEW_SENTIMENT_CACHE": str(folder / "cache")}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)  # noqa: S603 - ourselves
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _stages(files: Sequence[Path]) -> dict[str, Any]:
    """Of each stage, seconds on the clock and of the CPU, and the peak memory after it."""
    from reviews.corpus import read_corpus  # noqa: PLC0415 - the other child shall not pay for it
    from reviews.splits import SPLITS  # noqa: PLC0415
    from training.tokens import tokenise  # noqa: PLC0415

    steps: dict[str, tuple[float, float, float]] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        started_s, cpu_s = time.monotonic(), time.process_time()
        result = work()
        steps[name] = time.monotonic() - started_s, time.process_time() - cpu_s, _peak_gb()
        return result

    corpus = step("read and compare", lambda: read_corpus(files))
    parts = step("four parts", lambda: {name: corpus.split(name) for name in SPLITS})
    step("look at every review", lambda: sum(len(review.text) for review in corpus.reviews))
    step("token ids of train", lambda: tokenise(parts["train"].reviews, _word_ids, "benchmark"))
    return {
        "steps": steps,
        "peak_gb": _peak_gb(),
        "left_out": {name: dict(part.apart) for name, part in parts.items()},
        "reviews": {name: len(part.reviews) for name, part in parts.items()},
        "rejected": sum(corpus.rejected.values()),
    }


def _baseline(files: Sequence[Path]) -> dict[str, Any]:
    """All reviews in a list, and nothing compared."""
    from reviews.reading import read_line  # noqa: PLC0415

    started_s, cpu_s, reviews = time.monotonic(), time.process_time(), []
    for file in files:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                try:
                    reviews.append(read_line(line, file.stem)[0])
                except ValueError:
                    continue
    return {"step": (time.monotonic() - started_s, time.process_time() - cpu_s, _peak_gb())}


_CHILDREN = {"stages": _stages, "baseline": _baseline}


def _word_ids(reviews: Sequence[Any]) -> list[list[int]]:
    """Stands for a tokenizer, whose time is another question."""
    return [[crc32(word.encode()) % 30_522 for word in review.text.split()[:510]] for review in reviews]


def _peak_gb() -> float:
    """The most memory this process ever had, mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kilobytes, on Linux


def _show(records: int, stages: dict[str, Any], repeat: dict[str, Any], baseline: dict[str, Any]) -> None:
    console = Console(width=100)
    table = Table(title=f"{records:,} records on one core of {processor()}")
    for name in ("", "clock, s", "CPU, s", "records/s of CPU", "peak, GB", "again, clock, s"):
        table.add_column(name, justify="left" if not name else "right")
    every = np.sum(list(stages["steps"].values()), axis=0)
    again_s = {name: clock_s for name, (clock_s, _, _) in repeat["steps"].items()}
    rows = {
        **stages["steps"],
        "all": (every[0], every[1], stages["peak_gb"]),
        "baseline: a list": baseline["step"],
    }
    for name, (clock_s, cpu_s, peak_gb) in rows.items():
        again = {**again_s, "all": sum(again_s.values())}.get(name)
        rate = f"{records / cpu_s:,.0f}"
        told = "" if again is None else f"{again:.1f}"
        table.add_row(name, f"{clock_s:.1f}", f"{cpu_s:.1f}", rate, f"{peak_gb:.2f}", told)
    console.print(table)
    console.print(f"reviews {stages['reviews']}, lines rejected {stages['rejected']}", highlight=False)
    console.print(f"left out of parts {stages['left_out']}", highlight=False)
    verdict = "held" if stages["peak_gb"] < _LIMIT_GB else "BROKEN"
    console.print(f"limit of {_LIMIT_GB:g} GB: {verdict}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
