"""Compile `requirements/*.txt` and what foreign tests install: pinned, hashed, without addresses of registries."""

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_FILES = {
    "all": ("cpu", "training", "completion", "tracing", "dev"),
    "worker-cpu": ("cpu",),
    "worker-cpu-tracing": ("cpu", "tracing"),
    "worker-gpu": ("gpu",),
    "worker-gpu-tracing": ("gpu", "tracing"),
    "training": ("training",),
}
_FOREIGN = ("optimum", "infinity")  # whose versions agree with none of ours: each has an environment of its own


def main() -> None:
    """Compile every file; `all` comes first and constrains the others, so that versions agree."""
    for name, extras in _FILES.items():
        chosen = [f"--extra={extra}" for extra in extras]
        constraint = [] if name == "all" else ["--constraints", "requirements/all.txt"]
        _compile("pyproject.toml", f"requirements/{name}.txt", [*chosen, *constraint])
    for name in _FOREIGN:
        _compile(f"tests/foreign/{name}.in", f"tests/foreign/{name}.txt", [])


def _compile(source: str, output: str, more: list[str]) -> None:
    options = ["--quiet", "--universal", "--upgrade", "--python-version=3.11", "--generate-hashes"]
    options += ["--no-emit-index-url", "--no-header", *more, "--output-file", output]
    subprocess.run([_ROOT / ".venv" / "bin" / "uv", "pip", "compile", *options, source], cwd=_ROOT, check=True)
    print(output)


if __name__ == "__main__":
    main()
