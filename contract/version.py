"""The version of the project, as `--version` tells it."""

VERSION = "0.4.0"
"""The same as pyproject.toml's; a program that runs from a checkout is installed nowhere to be asked."""
