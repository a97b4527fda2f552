"""The model card, as Hugging Face's hub reads it."""

from typing import Any

from huggingface_hub import ModelCard

from contract.labels import LABELS, ORDER
from contract.training_record import TrainingRecord
from evaluation.figures import Evaluation
from training.report.card import model_card


def test_the_card_has_metadata_that_the_hub_reads(evaluation: Evaluation, record: dict[str, Any]) -> None:
    """Its YAML is valid and tells language, licence, library, task, base model, and the results."""
    data: Any = ModelCard(model_card("my <model>", evaluation, TrainingRecord.model_validate(record))).data
    told = data.language, data.license, data.library_name, data.pipeline_tag, data.base_model, data.metrics
    task = "text-classification"
    assert told == ("en", "unknown", "transformers", task, "tiny-bert", ["f1", "accuracy"])
    results = {result.metric_name: result.metric_value for result in data.eval_results or []}
    assert results == {
        "Macro-F1": evaluation.macro_f1,
        **{f"F1 of {name}": evaluation.by_class[name].f1 for name in (LABELS[label] for label in ORDER)},
        "Accuracy": evaluation.accuracy,
    }


def test_a_licence_that_is_known_is_stated(evaluation: Evaluation, record: dict[str, Any]) -> None:
    """`license` in the record is the model's."""
    card = model_card("a", evaluation, TrainingRecord.model_validate({**record, "license": "mit"}))
    data: Any = ModelCard(card).data
    assert data.license == "mit"
    assert "Not stated" not in card
