"""The model card: what someone needs who did not train the model."""

from typing import Any

from training.data import LABELS

_CARD = """\
---
language: en
library_name: transformers
pipeline_tag: text-classification
tags: [sentiment-analysis, product-reviews]
base_model: {base_model}
metrics: [f1, accuracy]
---

# {name}

Sentiment of product reviews: {labels}. Fine-tuned from `{base_model}` on star ratings (4-5 positive, 3 neutral,
0-2 negative). Look at macro-F1: positive reviews are so many that accuracy alone says little.

## Figures on {rows} validation texts

| | precision | recall | F1 | texts |
|---|---|---|---|---|
{rows_by_class}

Accuracy {accuracy:.3f}, **macro-F1 {macro_f1:.3f}**, cross-entropy {loss:.3f}.

![Loss](loss.png) ![Confusion](confusion.png)

## Data

{reviews} reviews: {by_class}; {training_rows} of them trained on. Lines left out: {rejected}.

## Encoding

The text alone, cut at the end to {tokens_max} tokens with the special ones. Special tokens that a text spells
out, such as "[SEP]", become the special ids themselves, as Hugging Face's tokenizers do by default.
`golden_pairs.json` holds texts with their ids, most of them from the data: treat it as you treat the data.

## Recipe

{recipe}

Trained in {elapsed_s:.0f} s on {processor}; all settings and versions are in `training.json`.
"""


def model_card(name: str, metrics: dict[str, Any], record: dict[str, Any]) -> str:
    """A model card in Markdown with Hugging Face's metadata."""
    sheet, settings = record["data"], record["settings"]
    return _CARD.format(
        name=name,
        base_model=record["base_model"],
        labels=", ".join(LABELS),
        rows=metrics["rows"],
        rows_by_class="\n".join(
            f"| {label} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['rows']} |"
            for label, row in metrics["by_class"].items()
        ),
        accuracy=metrics["accuracy"],
        macro_f1=metrics["macro_f1"],
        loss=metrics["loss"],
        reviews=sheet["reviews"],
        by_class=", ".join(f"{count} {label}" for label, count in sheet["by_class"].items()),
        training_rows=sum(record["parts"]["training"].values()),
        rejected=", ".join(f"{count} ({why})" for why, count in sheet["rejected"].items()) or "none",
        tokens_max=settings["tokens_max"],
        recipe="AdamW with linear warm-up and decay: "
        + ", ".join(f"{setting.replace('_', ' ')} {value}" for setting, value in settings.items())
        + ".",
        elapsed_s=record["elapsed_s"],
        processor=record["processor"],
    )
