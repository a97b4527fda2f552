"""Real weights and real rated sentences from public packages, for the demo and the tests."""

from dev.samples.encoders import ENCODERS, encoder_folder
from dev.samples.packages import SampleUnavailableError, minilm_folder
from dev.samples.sentences import RatedSentence, rated_sentences, split_by_review, write_reviews
from dev.samples.tiny import tiny_base_model

__all__ = [
    "ENCODERS",
    "RatedSentence",
    "SampleUnavailableError",
    "encoder_folder",
    "minilm_folder",
    "rated_sentences",
    "split_by_review",
    "tiny_base_model",
    "write_reviews",
]
