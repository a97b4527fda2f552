"""The report and the model card: self-contained, true to the figures, and without a text of the data."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from contract.labels import LABELS, ORDER
from contract.training_record import ReviewFile, TrainingRecord
from evaluation.figures import ComparisonFigures, Evaluation, MeasuredData, read, written
from evaluation.formats import figure, percent
from evaluation.history import History
from evaluation.metrics import figures
from tests.evaluations import HISTORY, HOSTILE
from tests.review_files import fit_arguments
from tests.training.report.html_page import Page
from training.__main__ import main
from training.report.page import write_evaluation_report, write_report

NAMES = [LABELS[label] for label in ORDER]


@pytest.fixture
def report(tmp_path: Path, evaluation: Evaluation, record: dict[str, Any]) -> Path:
    """The folder of a report with all its parts."""
    write_report(tmp_path, "my <model>", evaluation, HISTORY, TrainingRecord.model_validate(record))
    return tmp_path


def _page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text())


def _assert_self_contained(html: str) -> Page:
    page = Page(html)
    fetched = [value for name in ("src", "href", "xlink:href", "srcset", "data") for value in page.values(name)]
    assert all(value and value.startswith("#") for value in fetched)
    assert set(re.findall(r"url\((.)|(@import)", html)) <= {("#", "")}
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert len(set(page.values("id"))) == len(page.values("id"))
    assert {value[1:] for value in fetched if value} <= set(page.values("id"))
    return page


def test_the_page_needs_nothing_but_itself(report: Path) -> None:
    """No script, no fetch, no link but to its own parts, which are all there; a policy tells the browser so."""
    page = _assert_self_contained((report / "report.html").read_text())
    assert "default-src 'none'" in str(page.values("content"))
    assert sum(tag == "svg" for tag, _ in page.elements) == 3
    assert sorted(file.name for file in report.iterdir()) == ["README.md", "report.html"]


def test_every_figure_is_that_of_the_evaluation(report: Path, evaluation: Evaluation) -> None:
    """The tables hold what was measured: by class, confusion, calibration, by group, beside baselines."""
    rows, bounds = _page(report).rows, evaluation.intervals
    assert evaluation.calibration
    assert evaluation.baselines
    for i, name in zip(ORDER, NAMES, strict=True):
        row, interval = evaluation.by_class[name], "\u2013".join(f"{b:.3f}" for b in bounds[f"f1_{name}"])
        scores = [f"{score:.3f}" for score in (row.precision, row.recall, row.f1)]
        assert [name, str(row.rows), *scores, interval] in rows
        cells = [evaluation.confusion[i][j] for j in ORDER]
        assert [name, *(f"{cell}{cell / row.rows:.1%}" for cell in cells)] in rows
    for part, title in ((evaluation.calibration.before, "as it is"), (evaluation.calibration.after, "scaled")):
        (found,) = [cells for cells in rows if cells[:1] == [title]]
        shown = [part.ece, *(part.by_answer[name].ece for name in NAMES), part.brier, part.loss]
        assert [cell.split()[0] for cell in found[1:]] == [f"{value:.3f}" for value in shown]
    for groups in (evaluation.by_category, evaluation.by_words, evaluation.by_stars):
        for key, group in groups.items():
            answered = [str(group.answered[name]) for name in NAMES]
            name = "401 or more" if key == "401-" else key
            assert [name, str(group.rows), f"{group.accuracy:.1%}", answered] in [
                [cells[0], cells[1], cells[-5], cells[-3:]] for cells in rows if len(cells) > 6
            ]
    for name, one in [("my <model>", evaluation), *evaluation.baselines.items()]:
        (found,) = [cells for cells in rows if cells[:1] == [name] and len(cells) == 9]
        assert [found[1], found[7]] == [f"{one.macro_f1:.3f}", f"{one.accuracy:.1%}"]


def test_the_headline_is_macro_f1_with_its_interval(report: Path, evaluation: Evaluation) -> None:
    """The first figure of the page is macro-F1, then its interval."""
    text = re.sub(r"\s+", " ", _page(report).text.split("Macro-F1")[1])
    low, high = evaluation.intervals["macro_f1"]
    assert text.startswith(f"{evaluation.macro_f1:.3f} 95 %: {low:.3f}\u2013{high:.3f}.")


def test_the_data_sheet_accounts_for_files_and_lines(report: Path) -> None:
    """Files with their hashes, classes, parts, and what was left out and where it was first."""
    page = _page(report)
    assert [f"{HOSTILE}.jsonl", "1,234", "ab" * 32] in page.rows
    assert ["no text", "7", "a.jsonl:3"] in page.rows
    assert ["positive", "1,000", "81.0%"] in [row[:3] for row in page.rows]
    assert ["training", "90", "0", "900", "990"] in page.rows
    assert "1 h 2 min" in page.text
    assert "2026-11-23 10:00 UTC" in page.text


def test_names_from_the_data_are_shown_as_they_are(report: Path) -> None:
    """Neither page nor card takes a category, a file or a model's name for markup."""
    page, card = _page(report), (report / "README.md").read_text()
    assert HOSTILE in page.text
    assert "my <model>" in page.text
    prose = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", card.split("---\n", 2)[2])
    assert not re.search(r"(?<!\\)<|(?<!\\)\]\(javascript", prose)


def test_no_text_of_the_data_is_written(report: Path, evaluation: Evaluation) -> None:
    """The hardest texts are customers' data: neither page nor card holds one."""
    assert evaluation.hardest
    for file in report.iterdir():
        assert "secret" not in file.read_text()


def test_figures_alone_are_enough(tmp_path: Path) -> None:
    """With no more than a confusion matrix and its figures there is a page, without empty sections."""
    labels = np.array([0, 1, 2, 1])
    bare = Evaluation(**vars(figures(labels, np.eye(3, dtype=np.float32)[labels])))
    write_report(tmp_path, "bare", bare, History(), TrainingRecord())
    page = _assert_self_contained((tmp_path / "report.html").read_text())
    assert not {"others", "calibration", "groups", "training", "data", "settings", "again"} & set(
        page.values("id")
    )
    assert {"short", "classes", "limits", "terms"} <= set(page.values("id"))
    assert "None" not in page.text


@pytest.mark.parametrize("part", ["evaluation", "record"])
def test_any_part_may_be_missing(
    tmp_path: Path, evaluation: Evaluation, record: dict[str, Any], part: str
) -> None:
    """Whatever key is left out, but the figures themselves, the page and the card are written."""
    whole = {"evaluation": written(evaluation), "record": record}
    needed = {"rows", "accuracy", "macro_f1", "by_class", "confusion"}
    for key in whole[part].keys() - needed:
        lacking = whole | {part: {name: value for name, value in whole[part].items() if name != key}}
        partial, run = read(lacking["evaluation"]), TrainingRecord.model_validate(lacking["record"])
        write_report(tmp_path, "partial", partial, History(), run)
        _assert_self_contained((tmp_path / "report.html").read_text())
        ModelCard.load(tmp_path / "README.md")


def test_the_gate_is_shown(tmp_path: Path, evaluation: Evaluation) -> None:
    """The page of an evaluation tells the decision and its reason, and the files that were measured on."""
    file = ReviewFile(name="t.jsonl", sha256="cd" * 32, reviews=700)
    result = replace(
        evaluation,
        checkpoint="new",
        data=MeasuredData(files=[file], copies_left_out=100),
        against=replace((evaluation.baselines or {})["VADER"], checkpoint="old"),
        comparison=ComparisonFigures(
            new=0.7, old=0.8, interval=(-0.2, 0.0), tolerance=0.01, difference=-0.1, passed=False,
            sentence="failed: because.",
        ),
    )  # fmt: skip
    write_evaluation_report(tmp_path / "page.html", result)
    page = _assert_self_contained((tmp_path / "page.html").read_text())
    assert "May be worse than old" in page.text
    assert "failed: because." in page.text
    assert "100 copies" in page.text
    assert ["t.jsonl", "700", "cd" * 32] in page.rows
    assert "again" not in page.values("id")


def test_a_run_ends_with_its_report(checkpoint: Path) -> None:
    """`fit` writes page and card, with the figures of `metrics.json`, and no text into the latter."""
    page = _assert_self_contained((checkpoint / "report.html").read_text())
    metrics = json.loads((checkpoint / "metrics.json").read_text())
    assert f"{metrics['macro_f1']:.3f}" in page.text
    assert {"training", "data", "settings", "again"} <= set(page.values("id"))
    assert "hardest" not in metrics
    results = ModelCard.load(checkpoint / "README.md").data.eval_results or []
    assert results[0].metric_value == metrics["macro_f1"]


def test_a_run_can_be_held_to_something(reviews: tuple[Path, Path], base_model: Path, tmp_path: Path) -> None:
    """VADER and TF-IDF stand beside the model, with a verdict; name, licence, size and speed are told."""
    checkpoint = tmp_path / "checkpoint"
    held_to = ["--baselines", "--macro-f1-min", "0.9"]
    named = ["--name", "tiny", "--license", "mit", "--base-model-name", "example/tiny"]
    assert main([*fit_arguments(reviews, base_model, checkpoint), *held_to, *named]) == 0
    page = _page(checkpoint)
    assert {"VADER", "TF-IDF + logistic regression", "tiny"} <= {row[0] for row in page.rows}
    assert "where at least 0.900 was asked for" in page.text
    assert "texts/s as measured here" in page.text
    card = ModelCard.load(checkpoint / "README.md").data
    assert (card.base_model, card.license) == ("example/tiny", "mit")
    assert [result.metric_type for result in card.eval_results or []]
    assert "--base-model example/tiny " in page.text
    record = TrainingRecord.read(checkpoint)
    assert (record.size_bytes, record.name) == ((checkpoint / "model.safetensors").stat().st_size, "tiny")


@pytest.mark.parametrize(
    ("star_titles", "said"), [("masked", "treated as no title"), ("read", "read all the same")]
)
def test_sources_and_star_titles_are_told(
    star_titles: str, said: str, tmp_path: Path, evaluation: Evaluation, record: dict[str, Any]
) -> None:
    """Each source has a row with its weight; what became of star titles is said where titles are read."""
    record["settings"] |= {"star_titles": star_titles, "source_weights": {"shop": 0.5}, "leave_out": ""}
    write_report(tmp_path, "m", evaluation, History(), TrainingRecord.model_validate(record))
    assert said not in _page(tmp_path).text, "the template reads no title"
    record["settings"] |= {"template": "title+text"}
    write_report(tmp_path, "m", evaluation, History(), TrainingRecord.model_validate(record))
    page = _page(tmp_path)
    assert f"123 titles are nothing but a count of stars, such as “Five Stars”, and were {said}" in page.text
    assert ["shop", "1,000", "1: 34, 5: 966", "8.5", "3", "77", "0.5"] in page.rows
    assert [HOSTILE, "234", "3: 234", "40.0", "0", "2", "1"] in page.rows
    assert not [row for row in page.rows if row[:1] == ["leave_out"]], "what is not set has no row"


@pytest.mark.parametrize(
    ("learnt", "measured", "said"),
    [
        (1234, None, ["1,234 texts have stars of more than one class"]),
        (1, 2, ["1 text has stars", "2 texts of the files it was measured on have stars"]),
        (0, 0, []),
        (None, None, []),
    ],
)
def test_texts_with_contradicting_stars_are_told(
    learnt: int | None, measured: int | None, said: list[str], tmp_path: Path, evaluation: Evaluation,
    record: dict[str, Any],
) -> None:  # fmt: skip
    """Their number stands with the data, of the files measured on too; older records do not know it."""
    record["data"]["contradicting"] = learnt
    record["validation_data"] = {**record["data"], "contradicting": measured}
    write_report(tmp_path, "m", evaluation, History(), TrainingRecord.model_validate(record))
    text = " ".join(_page(tmp_path).text.split())

    assert [one for one in said if one not in text] == []
    assert text.count("stars of more than one class") == len(said)


def test_the_page_has_what_a_decision_needs(
    tmp_path: Path, evaluation: Evaluation, record: dict[str, Any]
) -> None:
    """A verdict on what was asked for, precision by coverage, size, speed and licence."""
    record |= {"license": "mit", "parameters": 33_360_000, "size_bytes": 133_440_000, "texts_per_s": 1234.5}
    judged = replace(evaluation, macro_f1_min=0.5)
    write_report(tmp_path, "m", judged, History(), TrainingRecord.model_validate(record))
    page = _page(tmp_path)

    assert "Good enough" in page.text
    assert "33,360,000 weights, 133.4 MB" in page.text
    assert "1,234 texts/s" in page.text
    assert [row[:3] for row in page.rows].count(["100.0%", "600", "none"]) == 1
    whole, *_, surest = evaluation.coverage
    assert whole.precision == evaluation.accuracy
    assert surest.kept == 300
    assert surest.precision > whole.precision > whole.precision_at_least
    shares = [percent(share).replace("\u202f", "") for share in (surest.precision, surest.precision_at_least)]
    assert ["50.0%", "300", figure(surest.below), *shares] in page.rows


def test_what_nobody_said_is_asked_for(report: Path) -> None:
    """Without a macro-F1 that is good enough, or a licence, the page says how to state them."""
    text = _page(report).text
    assert "--macro-f1-min" in text
    assert "--license states it" in text


def test_a_base_model_that_is_a_mere_folder_is_no_name_on_the_hub(
    tmp_path: Path, evaluation: Evaluation, record: dict[str, Any]
) -> None:
    """The command names a folder, and the card's metadata nothing; a name on the hub stands in both."""
    hub = TrainingRecord.model_validate(record | {"base_model": "BAAI/bge-small-en-v1.5"})
    folder = TrainingRecord.model_validate(record | {"base_model_is_folder": True})
    for run, base_model, flag in (
        (hub, "BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
        (folder, None, "./tiny-bert"),
    ):
        write_report(tmp_path, "m", evaluation, History(), run)
        assert ModelCard.load(tmp_path / "README.md").data.base_model == base_model
        assert f"--base-model {flag} " in _page(tmp_path).text
    assert "and the base model\u2019s folder" in _page(tmp_path).text
