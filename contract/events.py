"""What the worker writes, as pydantic models: the published contract, version 1.

`docs/contracts/` holds the JSON Schema and the AsyncAPI document generated from them (`python -m worker
contracts`). Within version 1 fields are only added.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema

EVENT_TYPE = "review.sentiment.v1"
Label = Literal["negative", "neutral", "positive"]
Share = Annotated[float, Field(ge=0, le=1)]


class Reason(StrEnum):
    """Why a record became a dead letter: a closed list, explained in docs/operations.md.

    Bad input is found in `worker.core.decoding`, a failing model in `worker.pipeline`, what the broker refuses in
    `worker.adapters.kafka_refusals`, and a record that kills workers in `worker.isolation`.
    """

    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_TEXT = "missing_text"
    TEXT_NOT_STRING = "text_not_string"
    BLANK_TEXT = "blank_text"
    SENTIMENT_PRESENT = "sentiment_present"
    TOO_LARGE = "too_large"
    OUTPUT_TOO_LARGE = "output_too_large"
    OUTPUT_REFUSED = "output_refused"
    MODEL_ERROR = "model_error"
    CRASHED_WORKER = "crashed_worker"


def iso_milliseconds(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as in `2026-11-23T10:00:00.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Validators may take a format as a remark, as JSON Schema allows: the pattern holds in all of them.
TIMESTAMP_SCHEMA: dict[str, JsonValue] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$",
}
SHA256_PATTERN = "^[0-9a-f]{64}$"
TOPIC_PATTERN = "^[a-zA-Z0-9._-]{1,249}$"
"""What Kafka allows as the name of a topic."""

Timestamp = Annotated[
    AwareDatetime, PlainSerializer(iso_milliseconds, when_used="json"), WithJsonSchema(TIMESTAMP_SCHEMA)
]
Name = Annotated[str, Field(min_length=1)]


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", title=None)


class Probabilities(_Contract):
    """Calibrated probabilities of the three classes, rounded to six places."""

    negative: Share
    neutral: Share
    positive: Share


class ModelIdentity(_Contract):
    """Which model gave the answer; `sha256` is that of the bundle's `bundle.json`."""

    name: Name
    version: Name
    sha256: str = Field(pattern=SHA256_PATTERN)
    variant: Name
    provider: Name


class Source(_Contract):
    """Where the event was read."""

    topic: str = Field(pattern=TOPIC_PATTERN, description="As Kafka allows names of topics.")
    partition: int = Field(ge=0, le=2**31 - 1)
    offset: int = Field(ge=0)


class Sentiment(_Contract):  # filled in by `worker.outcomes`
    """The member `sentiment` that the worker adds to an event."""

    label: Label
    confidence: Share = Field(description="The largest of the probabilities.")
    probabilities: Probabilities
    abstained: bool = Field(description="Whether the confidence is below the bundle's threshold.")
    tokens: int = Field(ge=2, description="Tokens fed to the model, special ones included.")
    truncated: bool = Field(description="Whether a part of the text was left out for its length.")
    model: ModelIdentity
    scored_at: Timestamp
    source: Source


class EnrichedReview(BaseModel):
    """An event of the output topic: the input's fields, untouched, and `sentiment`."""

    model_config = ConfigDict(extra="allow", title="EnrichedReview")

    sentiment: Sentiment
