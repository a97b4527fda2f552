"""A variant serves if it keeps every limit, and the manifest says by how much."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from contract.variants import FP16, INT8
from export.gates.limits import Deviation, Gates, Result, Trial
from export.gates.loss import Estimate, Loss

FOUND = Deviation(
    texts=500, probability_delta_max=0.1, probability_delta_p99=0.05, label_agreement=0.99, batchings=20,
    batched_texts=250, flip_rate=0.001, neighbour_delta_max=0.01,
)  # fmt: skip


def result(deviation: Deviation = FOUND, **gates: Any) -> Result:
    trial = Trial("some CPU", deviation, golden_answers=[[0.2, 0.3, 0.5]], golden_delta=0.06, speed_ratio=2.345)
    return Result(INT8, Gates(batchings=20, **gates), 1000, 17, trial, {"products": 8})


@pytest.mark.parametrize(
    ("measured", "limit", "kept", "broken", "says"),
    [
        (
            "probability_delta_max",
            "probability_delta_max",
            0.1,
            0.099,
            "0.1 off PyTorch's, where 0.099 is",
        ),
        ("neighbour_delta_max", "neighbour_delta_max", 0.01, 0.009, "moves by 0.01 with the other texts"),
        ("label_agreement", "label_agreement_min", 0.99, 0.995, "keeps 99.00% of PyTorch's labels"),
        ("flip_rate", "flip_rate_max", 0.001, 0.0009, "0.100% of labels change with the batch"),
    ],
)
def test_each_limit_refuses_and_names_the_figure(
    measured: str, limit: str, kept: float, broken: float, says: str
) -> None:
    """At the limit a variant may serve, beyond it not; a figure that is no number keeps no limit."""
    assert result().refusal is None, "what has no limit always holds"
    at_limit, beyond = {limit: kept}, {limit: broken}
    assert result(FOUND, **at_limit).refusal is None
    assert says in (result(FOUND, **beyond).refusal or "")
    no_number: dict[str, Any] = {measured: float("nan")}
    assert result(replace(FOUND, **no_number), **at_limit).refusal is not None


SURE = Estimate(0.0, 0.0, 0.0)
LOST = Loss(1200, labels_kept=Estimate(0.99, 0.98, 1.0), macro_f1=SURE, ece_rise=SURE)
GATES: dict[str, float] = {"label_agreement_min": 0.98, "macro_f1_loss_max": 0.02, "ece_rise_max": 0.01}


def beside_reference(found: Loss, **deviation: Any) -> str | None:
    return replace(result(replace(FOUND, **deviation), **GATES), loss=found).refusal


@pytest.mark.parametrize(
    ("lost", "kept", "broken", "says"),
    [
        (
            "labels_kept",
            Estimate(0.97, 0.96, 0.98),
            Estimate(0.99, 0.97, 0.979),
            "keeps 97.90% of the reference's labels at most",
        ),
        ("macro_f1", Estimate(0.0, -0.02, 0.02), Estimate(0.01, -0.021, 0.04), "may lose 0.0210 of macro-F1"),
        ("ece_rise", Estimate(0.02, 0.01, 0.03), Estimate(0.02, 0.011, 0.03), "larger by 0.0110 at least"),
    ],
)
def test_what_users_lose_refuses_and_names_the_figure(
    lost: str, kept: Estimate, broken: Estimate, says: str
) -> None:
    """macro-F1 by its worse end: a loss must be known to be small. The others by the better: it must be sure."""
    at_limit, beyond, no_number = (
        replace(LOST, **dict[str, Any]({lost: it})) for it in (kept, broken, Estimate(*[float("nan")] * 3))
    )
    assert beside_reference(at_limit) is None
    assert says in (beside_reference(beyond) or "")
    assert beside_reference(no_number) is not None


def test_reviews_decide_over_texts_that_were_made_up() -> None:
    """From 200 on they may let a graph pass, from 1,000 on refuse it too; else the labels of the sample count."""
    lost = replace(LOST, macro_f1=Estimate(-0.1, -0.1, -0.1))
    assert beside_reference(LOST, label_agreement=0.9) is None
    assert beside_reference(replace(LOST, texts=200), label_agreement=0.9) is None
    for undecided in (replace(LOST, texts=199), replace(lost, texts=999)):
        assert "of PyTorch's labels" in (beside_reference(undecided, label_agreement=0.9) or "")
        assert beside_reference(undecided) is None
    assert "of macro-F1" in (beside_reference(replace(lost, texts=1000)) or "")


def test_the_warm_up_allows_what_was_measured_and_a_margin() -> None:
    """From the reference's answers, or a fixed difference; from its own, however far those are from it."""
    assert result(own_delta_max=0.03).golden_delta_max == pytest.approx(0.09)
    assert result(golden_delta_max=0.5).golden_delta_max == 0.5
    entry = result(own_delta_max=0.03).manifest_entry({}, temperature=1.0, abstain_below=0.0)
    assert entry.own_golden_delta_max == 0.03


def test_the_manifest_has_the_figures_that_were_measured() -> None:
    """The entry what a worker needs, the provenance all of them."""
    entry = result().manifest_entry({"f1": 0.5}, temperature=2.0, abstain_below=0.7)
    assert (entry.file, entry.device, entry.opset) == (INT8.file, INT8.device, 17)
    assert (entry.temperature, entry.abstain_below, entry.accuracy) == (2.0, 0.7, {"f1": 0.5})
    assert [entry.flip_rate, entry.golden_delta_max] == pytest.approx([0.001, 0.08])
    assert entry.parity.model_dump(exclude_none=True) == {
        "status": "passed", "device": "some CPU", "texts": 500, "probability_delta_max": 0.1,
        "label_agreement": 0.99,
    }  # fmt: skip
    said = result().measurements()
    assert said == {**asdict(FOUND), "golden_delta": 0.06, "speed_ratio": 2.35, "products": 8}


def test_a_graph_that_this_machine_cannot_run_is_neither_refused_nor_praised() -> None:
    """It says why nothing was measured; what the worker's warm-up allows is fixed beforehand."""
    untried = Result(FP16, Gates(batchings=3, golden_delta_max=0.02), 1000, 17, "no CUDA here", {"fused": 12})
    assert untried.refusal is None
    entry = untried.manifest_entry({}, temperature=1.0, abstain_below=0.0)
    assert entry.parity.model_dump(exclude_none=True) == {"status": "not-run", "reason": "no CUDA here"}
    assert (entry.device, entry.flip_rate, entry.golden_delta_max) == ("cuda", None, 0.02)
    assert entry.own_golden_delta_max is None, "it has no answers of its own"
    assert untried.measurements() == {"not_run": "no CUDA here", "fused": 12}
