"""`python -m dev.fuzz`: tries inputs on the path of a record for some minutes, and keeps one that breaks it."""

import argparse
import hashlib
import sys
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

_FOLDER = Path("runs/fuzz")
_EXAMPLES = 2000  # of one round with Hypothesis


def main() -> int:
    """Run the fuzzer; 1 when an input broke the path."""
    options = _parser().parse_args()
    _FOLDER.mkdir(parents=True, exist_ok=True)
    engine = _with_atheris if options.engine == "atheris" else _with_hypothesis
    return engine(options.minutes * 60, options.tokenizer)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument(
        "--engine", choices=["hypothesis", "atheris"], default="hypothesis",
        help="atheris is guided by coverage, and has to be installed: pip install atheris",
    )  # fmt: skip
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json; MiniLM's is fetched where none is given")
    return parser


def _with_hypothesis(duration_s: float, tokenizer: Path | None) -> int:
    from dev.fuzz.inputs import CORPUS_FILE, inputs, line_of, read_corpus  # noqa: PLC0415 - see _with_atheris
    from dev.fuzz.target import RecordPath  # noqa: PLC0415

    path, corpus = RecordPath(tokenizer or _default_tokenizer()), read_corpus(CORPUS_FILE)
    kinds: Counter[str] = Counter()
    last = b""

    @settings(
        max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(inputs(corpus))
    def try_one(data: bytes) -> None:
        nonlocal last
        last = data
        kinds.update(path.check(data))

    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        try:
            try_one()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            file = _FOLDER / f"crash-{hashlib.sha256(last).hexdigest()[:16]}"
            file.write_bytes(last)
            print(f"{error!r}\n{file} holds the input; as a line of {CORPUS_FILE}:\n{line_of(last)[:2000]}")
            return 1
    print(f"{kinds.total():,} outcomes, none that may not be: {dict(kinds.most_common())}")
    return 0


def _with_atheris(duration_s: float, tokenizer: Path | None) -> int:
    """Never returns: libFuzzer ends the process, with 0 when nothing was found."""
    import atheris  # noqa: PLC0415 - optional, and what it instruments must not have been imported before

    with atheris.instrument_imports(include=["contract", "worker", "dev.fuzz"]):
        from dev.fuzz.inputs import CORPUS_FILE, dictionary, read_corpus  # noqa: PLC0415
        from dev.fuzz.target import RecordPath  # noqa: PLC0415

    path, folder = RecordPath(tokenizer or _default_tokenizer()), _FOLDER / "corpus"
    folder.mkdir(exist_ok=True)
    for data in read_corpus(CORPUS_FILE):
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = _FOLDER / "dictionary"
    words.write_text(dictionary())
    limits = [f"-max_total_time={duration_s:.0f}", "-max_len=8192", "-timeout=60", "-rss_limit_mb=4096"]
    flags = [*limits, f"-artifact_prefix={_FOLDER}/", f"-dict={words}"]

    def try_one(data: bytes) -> None:
        path.check(data)

    atheris.Setup([sys.argv[0], *flags, str(folder)], try_one)
    atheris.Fuzz()
    return 0


def _default_tokenizer() -> Path:
    from dev.samples import minilm_folder  # noqa: PLC0415 - it would import what atheris is to instrument

    return minilm_folder() / "tokenizer.json"


if __name__ == "__main__":
    sys.exit(main())
