"""Whether each outcome is its own input's: the probabilities of its text scored alone, or its bytes put aside."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from contract.fields import TEXT_FIELDS, TITLE_FIELDS, Fields, first_text
from contract.labels import LABELS
from contract.scoring import probabilities
from dev.account import Account, Outcome, Position
from dev.chaos.load import Sent
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier, available_device
from worker.adapters.encoder import TokenizersEncoder

PROBABILITY_DELTA_MAX = 1e-4
"""Between a text scored alone and among others; no graph of a bundle lets a text's neighbours move it further."""
_MEMBER = b',"sentiment":'

Shares = Mapping[str, float]
"""The probability of each label."""


class ScoredAlone:
    """What a bundle says of an event by itself, by the variant that a worker on this machine serves."""

    def __init__(self, bundle_folder: Path) -> None:
        """Load the bundle.

        Raises:
            ReviewSentimentError: If it can't serve here.
        """
        device, bundle = available_device("auto"), read_bundle(bundle_folder)
        variant = bundle.variant(bundle.choose_variant(device))
        self._temperature = variant.temperature
        self._encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
        self._classifier = OnnxClassifier(bundle.folder / variant.file, device=device)
        self._known: dict[Fields, Shares] = {}

    def __call__(self, value: bytes) -> Shares:
        """The probabilities of an event that has a text."""
        event = json.loads(value, parse_int=float)  # any number of digits
        fields = Fields(first_text(event, TEXT_FIELDS) or "", first_text(event, TITLE_FIELDS))
        if fields not in self._known:
            (encoded,) = self._encoder.encode([fields])
            (shares,) = probabilities(self._classifier.logits([encoded.ids]), self._temperature)
            self._known[fields] = dict(zip(LABELS, map(float, shares), strict=True))
        return self._known[fields]


def not_their_own(sent: Mapping[Position, Sent], account: Account, alone: Callable[[bytes], Shares]) -> list[str]:
    """The outcomes that answer another input than the one at their position, each in words.

    Args:
        sent: Every input.
        account: Every outcome.
        alone: The probabilities of an event by itself.
    """
    return [
        f"{outcome.written} for {position}: {wrong}"
        for position, outcomes in sorted(account.outcomes.items())
        if position in sent
        for outcome in outcomes
        if (wrong := _wrong(outcome, sent[position], alone))
    ]


def _wrong(outcome: Outcome, sent: Sent, alone: Callable[[bytes], Shares]) -> str:
    """What shows that an outcome is another input's; empty if nothing does."""
    if outcome.kind != "result":
        # A value that its topic does not take is left out of a dead letter, and a hash stands for it.
        return "" if outcome.value in {sent.value, b""} else "the value is another input's"
    if outcome.value is None or sent.value is None or sent.expected != "result":
        return ""  # the verdict has words for that
    end = sent.value.rindex(b"}")
    if not (outcome.value.startswith(sent.value[:end] + _MEMBER) and outcome.value.endswith(sent.value[end:])):
        return "without its sentiment it is not the input, byte for byte"
    found, expected = outcome.event["sentiment"]["probabilities"], alone(sent.value)
    if any(abs(found[label] - expected[label]) > PROBABILITY_DELTA_MAX for label in LABELS):
        rounded = {label: round(share, 6) for label, share in expected.items()}
        return f"probabilities {found}, but {rounded} for its text scored alone"
    return ""
