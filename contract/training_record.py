"""What `training.json` of a checkpoint says of the run, as far as other programs read it."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

TRAINING_FILE = "training.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def of(cls, value: JsonValue) -> Self:
        """What a JSON value says; what is no such record says nothing."""
        try:
            return cls.model_validate(value)
        except ValidationError:
            return cls()


class ReviewFile(BaseModel):
    """A file of reviews, by its name and its SHA-256 in hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    sha256: str


class DataSheet(_Record):
    """Which files reviews came from."""

    files: tuple[ReviewFile, ...] = ()

    def digests(self) -> set[str]:
        """The SHA-256 of each file."""
        return {file.sha256 for file in self.files}


class Distillation(_Record):
    """What a teacher answered besides the reviews with stars."""

    unlabelled: DataSheet | None = None


class Settings(_Record):
    """How a run was set up, as far as others ask; `leave_out` is the fold K/N of the training part not learnt."""

    leave_out: str = ""


class TrainingRecord(_Record):
    """A training run: its data, and how that was split. Older records may lack any of it."""

    base_model: str | None = None
    split: str | None = None
    data: DataSheet = DataSheet()
    validation_data: DataSheet | None = None
    distillation: Distillation | None = None
    settings: Settings = Settings()

    @classmethod
    def read(cls, checkpoint: Path) -> Self:
        """The record of a checkpoint; one that is missing or damaged says nothing."""
        try:
            return cls.model_validate_json((checkpoint / TRAINING_FILE).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def digests(self) -> set[str]:
        """The SHA-256 of each file that trained the model, selected it, or was answered by its teacher."""
        unlabelled = self.distillation.unlabelled if self.distillation else None
        sheets = (self.data, self.validation_data, unlabelled)
        return {digest for sheet in sheets if sheet for digest in sheet.digests()}
