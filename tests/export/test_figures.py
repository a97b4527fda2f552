"""The figures of a bundle on their way to JSON."""

import json
from pathlib import Path

import numpy as np

from evaluation.comparison import compare
from evaluation.evaluate import evaluate_logits, ids_of, summarise
from export.confidence import AbstentionFigures
from export.figures import Against, BesideReference, BundleEvaluation, BundleIdentity, VariantEvaluation
from export.labelled import Labelled, Source
from reviews.review import Review


def test_the_keys_are_those_that_were_published() -> None:
    """Other programs read what `export evaluate --json` writes: names, nesting and order stay."""
    reviews = [Review(f"text {number}", number % 3, "x", 3.0) for number in range(30)]
    labels, logits = ids_of(reviews), np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    bundle = BundleIdentity(name="tiny", version="1", sha256="ab")
    abstention = AbstentionFigures(
        below=0.5, texts=30, abstained_share=0.0, coverage=1.0, precision=0.5, precision_at_least=0.4,
        precision_of_abstained=None,
    )  # fmt: skip
    evaluation = BundleEvaluation(
        bundle=bundle,
        serves="int8",
        variants={"int8": VariantEvaluation(**vars(evaluate_logits(reviews, logits)), abstention=abstention)},
        baselines={"constant": summarise(labels, labels * 0)},
        baselines_left_out=[],
        labelled=Labelled(reviews, Source([Path("t.jsonl")], "all", "--data", "--part"), [], {"copies": 0}),
        beside_reference={
            "int8": BesideReference(difference=0.0, interval=(0.0, 0.0), label_agreement=1.0, sentence="same")
        },
        against=Against(
            bundle=bundle,
            variant="fp32",
            figures=summarise(labels, labels),
            comparison=compare(labels, labels, labels, 3, tolerance=0).figures(),
        ),
    )
    written = json.loads(json.dumps(evaluation.record()))
    assert list(written) == [
        *("bundle", "serves", "variants", "baselines", "baselines_left_out", "data"),
        *("int8_beside_fp32", "against", "comparison"),
    ]
    assert written["bundle"] == {"name": "tiny", "version": "1", "sha256": "ab"}
    assert list(written["variants"]["int8"])[-5:] == [
        "by_category",
        "by_words",
        "by_stars",
        "hardest",
        "abstention",
    ]
    shares = ["abstained_share", "coverage", "precision", "precision_at_least", "precision_of_abstained"]
    assert list(written["variants"]["int8"]["abstention"]) == ["below", "texts", *shares]
    assert list(written["int8_beside_fp32"]) == ["difference", "interval", "label_agreement", "sentence"]
    assert list(written["against"])[:3] == ["bundle", "variant", "rows"]
    assert written["comparison"]["passed"] is True
