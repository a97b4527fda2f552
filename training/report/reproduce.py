"""The command that repeats a run, from its record."""

import shlex
from dataclasses import fields
from typing import Any

from training.distillation import DistillationRecipe
from training.recipe import Recipe
from training.selection import EVERYTHING


def command(name: str, record: dict[str, Any]) -> str:
    """A command line for the shell, with the settings that are no defaults.

    Files stand there by name, since paths say nothing elsewhere.

    Args:
        name: Of the checkpoint.
        record: What `training.json` holds.
    """
    taught, sheet = record.get("distillation"), record.get("data") or {}
    base_model = record.get("base_model", "BASE_MODEL")
    words = ["python", "-m", "training", "distill" if taught else "fit", "--data", *_files(sheet)]
    if isinstance(sheet.get("categories"), list):  # else all
        words += ["--categories", *sheet["categories"]]
    if taught:
        words += ["--teacher", *teachers(taught), "--student", base_model]
        words += ["--unlabelled", *_files(taught["unlabelled"])] if taught.get("unlabelled") else []
        words += _flags(
            {
                setting.name: taught[setting.name]
                for setting in fields(DistillationRecipe)
                if setting.name in taught
            }
        )
    else:
        words += ["--base-model", base_model]
    validation = record.get("validation_data")
    if validation:
        words += ["--validation", *_files(validation)]
    elif "split" in record:
        words += ["--split", record["split"]]
    return shlex.join([*words, *_flags(record.get("settings") or {}), "--output", name])


def teachers(taught: dict[str, Any]) -> list[str]:
    """The teachers' names, from what a record says of a distillation."""
    return [teacher["name"] for teacher in taught.get("teachers") or []] or ["TEACHER"]


def _files(sheet: dict[str, Any]) -> list[str]:
    return [file["name"] for file in sheet.get("files") or []] or ["FILES"]


def _flags(settings: dict[str, Any]) -> list[str]:
    defaults = {setting.name: setting.default for setting in (*fields(Recipe), *fields(DistillationRecipe))}
    defaults |= EVERYTHING.told()
    words = []
    for setting, value in settings.items():
        if setting in defaults and defaults[setting] == value:
            continue
        flag = setting.replace("_", "-")
        if isinstance(value, dict):
            words += [f"--{flag}", *(f"{name}={weight}" for name, weight in value.items())]
            continue
        words += [f"--{flag if value else f'no-{flag}'}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return words
