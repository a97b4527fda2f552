"""What `training.json` of a checkpoint says of the run, as far as other programs and reports read it."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, JsonValue, ValidationError

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
    """A file of reviews, by its name and its SHA-256 in hexadecimal; `reviews` counts its usable lines."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    sha256: str
    reviews: int | None = None


class SourceSheet(_Record):
    """What is known of the reviews of one source; `near_elsewhere` have a near duplicate in another."""

    reviews: int | None = None
    stars: dict[str, int] = {}
    words_mean: float | None = None
    copies: int | None = None
    near_elsewhere: int | None = None


class DataSheet(_Record):
    """Which files reviews came from, what they are, and how many lines were left out or odd, by reason.

    `rejected_first` and `odd_first` have the first line of each reason; `categories` are those asked for.
    `contradicting` texts have stars of more than one class; `sketch` is a sample of hashes (`reviews.seen`).
    """

    files: tuple[ReviewFile, ...] = ()
    reviews: int | None = None
    by_class: dict[str, int] = {}
    by_category: dict[str, int] = {}
    by_source: dict[str, SourceSheet] = {}
    with_title: int | None = None
    star_titles: int | None = None
    contradicting: int | None = None
    rejected: dict[str, int] = {}
    rejected_first: dict[str, str] = {}
    odd: dict[str, int] = {}
    odd_first: dict[str, str] = {}
    categories: tuple[str, ...] | Literal["all"] = "all"
    left_out_of_part: dict[str, int] = {}
    sketch: Base64Bytes = b""

    def digests(self) -> set[str]:
        """The SHA-256 of each file."""
        return {file.sha256 for file in self.files}


class Teacher(_Record):
    """A checkpoint that taught, by its folder's name."""

    name: str = ""


class _Settings(_Record):
    """Settings with a field are asked for one by one; all are kept."""

    model_config = ConfigDict(extra="allow")

    def given(self) -> dict[str, JsonValue]:
        """Every setting that was written, by name."""
        return self.model_dump(exclude_unset=True)


class Distillation(_Settings):
    """How a model was taught, and what a teacher answered besides the reviews with stars."""

    teachers: tuple[Teacher, ...] = ()
    unlabelled: DataSheet | None = None
    answered_out_of_fold: int | None = None


class Settings(_Settings):
    """How a run was set up; `leave_out` is the fold K/N of the training part not learnt."""

    leave_out: str = ""
    template: str | None = None
    star_titles: str | None = None
    truncation: str | None = None
    tokens_max: int | None = None
    early_stopping: int = 0
    source_weights: dict[str, float] = {}


class TrainingRecord(_Record):
    """A training run: its data, how that was split, and how it went. Older records may lack any of it.

    `name` is the model's, and `base_model` a name on the hub, or that of a folder that has none there. `parts`
    count reviews by class; `steps` are those of the run, of which the weights after `best_step` were kept;
    `texts_per_s` is the pace at which the validation part was measured on `device`.
    """

    name: str | None = None
    base_model: str | None = None
    base_model_is_folder: bool = False
    split: str | None = None
    data: DataSheet = DataSheet()
    validation_data: DataSheet | None = None
    distillation: Distillation | None = None
    settings: Settings = Settings()
    parts: dict[str, dict[str, int]] = {}
    steps: int | None = None
    best_step: int | None = None
    processes: int | None = None
    resumed_after_step: int | None = None
    elapsed_s: float | None = None
    versions: dict[str, str] = {}
    processor: str | None = None
    device: str | None = None
    precision: str | None = None
    finished_at: str | None = None
    license: str | None = None
    parameters: int | None = None
    size_bytes: int | None = None
    texts_per_s: float | None = None

    @classmethod
    def read(cls, checkpoint: Path) -> Self:
        """The record of a checkpoint; one that is missing or damaged says nothing."""
        try:
            return cls.model_validate_json((checkpoint / TRAINING_FILE).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def sheets(self) -> list[DataSheet]:
        """The data that trained the model, selected it, or was answered by its teacher."""
        unlabelled = self.distillation.unlabelled if self.distillation else None
        return [sheet for sheet in (self.data, self.validation_data, unlabelled) if sheet]
