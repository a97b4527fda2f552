"""Compile `requirements/*.txt` from pyproject.toml: pinned, hashed, and without the addresses of any registry."""

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_FILES = {
    "all": ("cpu", "training", "dev"),
    "worker-cpu": ("cpu",),
    "worker-gpu": ("gpu",),
    "training": ("training",),
}


def main() -> None:
    """Compile every file; `all` comes first and constrains the others, so that versions agree."""
    uv = _ROOT / ".venv" / "bin" / "uv"
    for name, extras in _FILES.items():
        chosen = [f"--extra={extra}" for extra in extras]
        constraint = [] if name == "all" else ["--constraints", "requirements/all.txt"]
        output = f"requirements/{name}.txt"
        options = ["--quiet", "--universal", "--upgrade", "--python-version=3.11", "--generate-hashes"]
        options += ["--no-emit-index-url", "--no-header", *chosen, *constraint, "--output-file", output]
        subprocess.run([uv, "pip", "compile", *options, "pyproject.toml"], cwd=_ROOT, check=True)
        print(output)


if __name__ == "__main__":
    main()
