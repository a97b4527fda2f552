"""The command that repeats a run, from its record."""

import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from pydantic import JsonValue

from contract.training_record import DataSheet, TrainingRecord
from training.distillation import DistillationRecipe
from training.recipe import Recipe
from training.selection import EVERYTHING


def command(name: str, record: TrainingRecord) -> str:
    """A command line for the shell, with the settings that are no defaults.

    Files and a base model's folder stand there by name, since paths say nothing elsewhere: it is for a folder that
    holds them. The output is another, since the checkpoint may lie there too.

    Args:
        name: Of the checkpoint.
        record: Of its run.
    """
    taught, sheet = record.distillation, record.data
    base_model = record.base_model or "BASE_MODEL"
    if record.base_model_is_folder:
        base_model = f"./{base_model}"  # else it would be looked up on the hub
    words = ["python", "-m", "training", "distill" if taught else "fit", "--data", *_files(sheet)]
    if sheet.categories != "all":
        words += ["--categories", *sheet.categories]
    if taught:
        teachers = [teacher.name for teacher in taught.teachers] or ["TEACHER"]
        words += ["--teacher", *teachers, "--student", base_model]
        words += ["--unlabelled", *_files(taught.unlabelled)] if taught.unlabelled else []
        given = taught.given()
        words += _flags(
            {setting.name: given[setting.name] for setting in fields(DistillationRecipe) if setting.name in given}
        )
    else:
        words += ["--base-model", base_model]
    if record.validation_data:
        words += ["--validation", *_files(record.validation_data)]
    elif record.split:
        words += ["--split", record.split]
    return shlex.join(
        [*words, *_flags(settings_of(record)), *_named(record), "--output", f"{Path(name).name}-again"]
    )


def settings_of(record: TrainingRecord) -> dict[str, JsonValue]:
    """The settings of a run, those of the recipe first and in its order."""
    given = record.settings.given()
    known = [*(setting.name for setting in fields(Recipe)), *EVERYTHING.told()]
    return {name: given[name] for name in (*known, *given) if name in given}


def _named(record: TrainingRecord) -> list[str]:
    given = {"--name": record.name, "--license": record.license}
    return [word for flag, value in given.items() if value for word in (flag, value)]


def _files(sheet: DataSheet) -> list[str]:
    return [file.name for file in sheet.files] or ["FILES"]


def _flags(settings: Mapping[str, JsonValue]) -> list[str]:
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
