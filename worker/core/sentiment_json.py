"""The member `sentiment` of a result as JSON, written without building a model of it for each event.

What it writes is what `contract.events.Sentiment` says, which a test holds it to; benchmarks/host_path.py has what
the difference is worth.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from contract.events import ModelIdentity, Probabilities
from worker.core.records import Record

_PLACES = 6  # of a probability


class Judgement(NamedTuple):
    """What an event is, and the JSON that says it."""

    label: str
    confidence: float
    abstained: bool
    json: bytes


class SentimentWriter:
    """Writes the judgement of one model's answers, all scored at one time."""

    def __init__(self, model: ModelIdentity, labels: Sequence[str], abstain_below: float, scored_at: str) -> None:
        """Write once what is the same in all of them.

        Args:
            model: Who answers.
            labels: In class-id order.
            abstain_below: The confidence below which an answer abstains.
            scored_at: RFC 3339 in UTC with milliseconds.
        """
        self._labels, self._abstain_below = labels, abstain_below
        self._order = [(name, labels.index(name)) for name in Probabilities.model_fields]
        self._rest = f'"model":{model.model_dump_json()},"scored_at":"{scored_at}","source":'

    def judge(self, record: Record, probabilities: Sequence[float], *, tokens: int, truncated: bool) -> Judgement:
        """The judgement of a record.

        Args:
            record: Where it was read.
            probabilities: By class id; finite.
            tokens: Fed to the model, special ones included.
            truncated: Whether a part of the text was left out.
        """
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        label, confidence = self._labels[best], round(probabilities[best], _PLACES)
        abstained = confidence < self._abstain_below
        shares = ",".join(f'"{name}":{round(probabilities[number], _PLACES)!r}' for name, number in self._order)
        topic, number = record.partition
        text = (
            f'{{"label":"{label}","confidence":{confidence!r},"probabilities":{{{shares}}},'
            f'"abstained":{_boolean(abstained)},"tokens":{tokens},"truncated":{_boolean(truncated)},{self._rest}'
            f'{{"topic":{_quoted(topic)},"partition":{number},"offset":{record.offset}}}}}'
        )
        return Judgement(label, confidence, abstained, text.encode())


def _boolean(value: bool) -> str:  # noqa: FBT001 - what it is about
    return "true" if value else "false"


@cache
def _quoted(topic: str) -> str:
    return json.dumps(topic)
