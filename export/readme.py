"""The bundle's `README.md`: what a loader that is not the worker has to do to give the same answers."""

import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from contract import scoring
from contract.encoding import Encoding
from contract.manifest import BundleManifest, Golden
from contract.scoring import Temperature, probabilities
from contract.variants import REFERENCE
from worker.adapters.bundle import read_bundle

README_FILE = "README.md"

_TEXT = """# {name} {version}

A bundle of the review-sentiment worker, which reads all of it by itself. `bundle.json` lists its files with their
hashes and where it comes from; this page is not among them.

## In another loader

`model.onnx` loads in Optimum (`ORTModelForSequenceClassification`) and in ONNX Runtime. Such a loader differs from
the worker in four things:

- **Probabilities.** The softmax of the logits is not calibrated, in `golden.json` neither. The worker divides the
  logits by the temperatures below, which stand in `bundle.json`; {difference}
- **Threshold.** The worker marks answers of less confidence than `abstain_below` as abstained.
- **Encoding.** {encoding}
- **Speed.** On a CPU the worker forbids ONNX Runtime to fuse sums with their normalisations
  (`disabled_optimizers=["SkipLayerNormFusion"]`), which with version 1.32 makes a pass up to a quarter longer.

| variant | file | temperature of {labels} | `abstain_below` |
|---|---|---|---|
{rows}

What the worker does with the logits, `probabilities(logits, temperature)`:

```python
{scoring}

import json

with open("bundle.json", encoding="utf-8") as file:
    temperature = json.load(file)["variants"]["{reference}"]["temperature"]
```
"""


def write_readme(folder: Path) -> None:
    """Write the page of a bundle that is complete but for it.

    Raises:
        BundleRefusedError: If it is not.
    """
    bundle = read_bundle(folder)
    (folder / README_FILE).write_text(_page(bundle.manifest, bundle.goldens), encoding="utf-8")


def _page(manifest: BundleManifest, goldens: Sequence[Golden]) -> str:
    rows = [
        f"| {name} | `{variant.file}` | {_listed(variant.temperature)} | {variant.abstain_below:.4g} |"
        for name, variant in manifest.variants.items()
    ]
    return _TEXT.format(
        name=manifest.name,
        version=manifest.version,
        difference=_difference(goldens, manifest.variants[REFERENCE.name].temperature),
        encoding=_encoding(manifest.encoding),
        labels=", ".join(manifest.labels),
        rows="\n".join(rows),
        reference=REFERENCE.name,
        scoring=inspect.getsource(scoring).rstrip(),
    )


def _encoding(encoding: Encoding) -> str:
    reads, kept = "the text alone", "the first tokens"
    if encoding.template == "title+text":
        masked = ", a title that only counts stars being none" if encoding.star_titles == "masked" else ""
        reads = f"the title, a line break and the text{masked}"
    if encoding.truncation == "head+tail":
        kept = "a quarter from the beginning and the rest from the end"
    return (
        f"The worker reads {reads}, and keeps {kept} of what is longer than {encoding.tokens_max} tokens with the "
        "special ones. `golden.json` has texts with their ids."
    )


def _listed(temperature: Temperature) -> str:
    values = temperature if isinstance(temperature, tuple) else (temperature,) * 3
    return ", ".join(f"{value:.4g}" for value in values)


def _difference(goldens: Sequence[Golden], temperature: Temperature) -> str:
    if np.all(np.asarray(temperature) == 1):
        return "here they are 1, since no calibration reviews were given, and the probabilities are the same."
    own = np.array([golden.probabilities for golden in goldens])
    # The logarithm is the logits but for a number that is the same for all classes, which the softmax ignores.
    served = probabilities(np.log(np.maximum(own, np.finfo(np.float32).tiny)), temperature)
    return f"on the golden texts that moves a probability by up to {np.abs(served - own).max():.2f}, and no label."
