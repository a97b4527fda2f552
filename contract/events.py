"""What the worker writes, as pydantic models: the published contract, version 1.

`docs/contracts/` holds the JSON Schema and the AsyncAPI document generated from them (`python -m worker
contracts`). Within version 1 fields are only added.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

EVENT_TYPE = "review.sentiment.v1"
Label = Literal["negative", "neutral", "positive"]
Share = Annotated[float, Field(ge=0, le=1)]


class Reason(StrEnum):
    """Why a record became a dead letter: a closed list, explained in docs/operations.md.

    Bad input is found in `worker.core.decoding`, a failing model in `worker.pipeline`, and what the broker
    refuses in `worker.adapters.kafka_refusals`.
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


Timestamp = Annotated[AwareDatetime, PlainSerializer(iso_milliseconds, when_used="json")]


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", title=None)


class Probabilities(_Contract):
    """Calibrated probabilities of the three classes, rounded to six places."""

    negative: Share
    neutral: Share
    positive: Share


class ModelIdentity(_Contract):
    """Which model gave the answer; `sha256` is that of the bundle's `bundle.json`."""

    name: str
    version: str
    sha256: str
    variant: str
    provider: str


class Source(_Contract):
    """Where the event was read."""

    topic: str
    partition: int
    offset: int


class Sentiment(_Contract):
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


class Review(BaseModel):
    """An event of the input topic: any JSON object with a text; a raw Amazon review record works as it is.

    JSON is strict (RFC 8259): an event with NaN, which some libraries write for a missing value, is not JSON, and
    neither is one behind a byte order mark; both become dead letters.

    The text is the first of `text`, `reviewText`, `review_text` and `body` that is a non-blank string, or the
    one field that the worker is set to read. Everything else is carried through untouched.
    """

    model_config = ConfigDict(extra="allow", title="Review")

    text: str | None = None
    reviewText: str | None = None  # noqa: N815 - Amazon's own name
    review_text: str | None = None
    body: str | None = None
    title: str | None = None
    summary: str | None = None
