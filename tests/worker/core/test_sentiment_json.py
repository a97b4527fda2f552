"""The judgement that is written is the contract's."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contract.events import ModelIdentity, Probabilities, Sentiment, Source, iso_milliseconds
from contract.labels import LABELS
from worker.core.records import Partition, Record
from worker.core.sentiment_json import SentimentWriter

_SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3)
_NAMES = st.text(min_size=1, max_size=20)


@given(
    probabilities=_SHARES,
    abstain_below=st.floats(0, 1),
    names=st.tuples(_NAMES, _NAMES, _NAMES, _NAMES),
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,249}", fullmatch=True),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    tokens=st.integers(2, 512),
    truncated=st.booleans(),
)
def test_it_is_what_the_contract_says(
    probabilities: list[float],
    abstain_below: float,
    names: tuple[str, str, str, str],
    topic: str,
    partition: int,
    offset: int,
    tokens: int,
    truncated: bool,
) -> None:
    """Read by the contract's model it is the same sentiment, with its members in the same order and no other."""
    name, version, variant, provider = names
    model = ModelIdentity(name=name, version=version, sha256="0a" * 32, variant=variant, provider=provider)
    scored_at = datetime(2026, 11, 23, 10, 0, 0, 123_000, tzinfo=UTC)
    writer = SentimentWriter(model, LABELS, abstain_below, iso_milliseconds(scored_at))

    judgement = writer.judge(
        Record(Partition(topic, partition), offset, 0, None, b"{}"),
        probabilities,
        tokens=tokens,
        truncated=truncated,
    )

    shares = dict(zip(LABELS, (round(share, 6) for share in probabilities), strict=True))
    expected = Sentiment(
        label=LABELS[probabilities.index(max(probabilities))],
        confidence=max(shares.values()),
        probabilities=Probabilities(**shares),
        abstained=max(shares.values()) < abstain_below,
        tokens=tokens,
        truncated=truncated,
        model=model,
        scored_at=scored_at,
        source=Source(topic=topic, partition=partition, offset=offset),
    )
    assert Sentiment.model_validate_json(judgement.json) == expected
    assert judgement[:3] == (expected.label, expected.confidence, expected.abstained)
    ours, theirs = (json.loads(it, object_pairs_hook=list) for it in (judgement.json, expected.model_dump_json()))
    assert ours == theirs, "each member once, in the order of the contract"
