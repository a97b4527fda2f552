"""What the figures of a run mean, in sentences: for the person who decides about the model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from contract.labels import LABELS, ORDER
from contract.training_record import TrainingRecord
from evaluation.figures import Evaluation, Figures, Group
from evaluation.formats import count, figure, interval, listed, percent, temperatures
from evaluation.formats import group as group_name
from evaluation.history import History

_ROWS_MIN = 50  # of a group that is worth a sentence
_CLASS_ROWS_MIN = 100  # below, the interval of its F1 is some 0.2 wide
_F1_MIN = 0.5
_GAP_MAX = 0.02  # between confidence and accuracy
_LOSS_RISE_MAX = 0.1  # a share of the lowest one
_BEHIND_MAX = 0.01  # of macro-F1 behind the best epoch
_STILL_RISING = 0.01  # of macro-F1 in the last epoch


Kind = Literal["warning", "good", "note"]
_KINDS: tuple[Kind, ...] = get_args(Kind)  # in the order in which they are read


@dataclass(frozen=True)
class Finding:
    """A sentence about the model with its heading: good news, a note, or something to weigh before deploying."""

    kind: Kind
    title: str
    text: str

    def sentence(self) -> str:
        """The heading and the text in a line."""
        return f"{self.title}: {self.text[0].lower()}{self.text[1:]}"


def findings(evaluation: Evaluation, history: History, record: TrainingRecord) -> list[Finding]:
    """The verdict, then all that can be said from what is there; parts that are missing are not spoken of."""
    kept = record.best_step or record.steps
    said = [
        *_beside_baselines(evaluation),
        *_beside_another(evaluation),
        *_classes(evaluation),
        *_mistakes(evaluation),
        *_confidence(evaluation),
        *_groups(evaluation),
        *_few_texts(evaluation),
        *_end_of_run(history, kept),
        *_chosen_on_these(record),
    ]
    first = verdict(evaluation)
    return [*([first] if first else []), *sorted(said, key=lambda finding: _KINDS.index(finding.kind))]


def verdict(evaluation: Evaluation) -> Finding | None:
    """Whether macro-F1 is what was asked for, in a sentence; None if nothing was."""
    wanted = evaluation.macro_f1_min
    if wanted is None:
        return None
    low, high = evaluation.intervals.get("macro_f1", (0.0, 1.0))
    text = f"Macro-F1 is {figure(evaluation.macro_f1)}, where at least {figure(wanted)} was asked for. "
    if reaches(evaluation):
        return Finding("good", "Good enough", f"{text}So is the lower end of its 95 % interval, {figure(low)}.")
    if high < wanted:
        below = f"Its whole 95 % interval is below: up to {figure(high)}."
        return Finding("warning", "Not good enough", text + below)
    unsure = f"Its 95 % interval, {interval((low, high))}, is on both sides: more texts would tell."
    return Finding("warning", "Perhaps not good enough", text + unsure)


def reaches(evaluation: Evaluation) -> bool:
    """Whether macro-F1 is surely what was asked for: the lower end of its 95 % interval is, or nothing was."""
    wanted = evaluation.macro_f1_min
    return wanted is None or evaluation.intervals.get("macro_f1", (0.0, 1.0))[0] >= wanted


def _beside_baselines(evaluation: Evaluation) -> Iterator[Finding]:
    if not evaluation.baselines:
        return
    name, best = max(evaluation.baselines.items(), key=lambda item: item[1].macro_f1)
    ahead = evaluation.macro_f1 - best.macro_f1
    text = f"Macro-F1 {figure(evaluation.macro_f1)} against {figure(best.macro_f1)} of {name}. "
    low = evaluation.intervals.get("macro_f1", (0.0, 1.0))[0]
    high = best.intervals.get("macro_f1", (0.0, 1.0))[1]
    if ahead <= 0:
        yield Finding("warning", "No better than a baseline", f"{text}What is simpler does as well.")
    elif low > high:
        yield Finding("good", "Better than every baseline", f"{text}Their 95 % intervals do not touch.")
    else:
        overlap = "Their 95 % intervals overlap: more texts would tell whether it really is."
        yield Finding("note", "Ahead of every baseline, but not by much", text + overlap)


def _beside_another(evaluation: Evaluation) -> Iterator[Finding]:
    comparison, against = evaluation.comparison, evaluation.against
    if comparison:
        name = (against and against.checkpoint) or "the other model"
        kind: Kind = "good" if comparison.passed else "warning"
        title = f"May take the place of {name}" if comparison.passed else f"May be worse than {name}"
        yield Finding(kind, title, f"The gate has {comparison.sentence}")


def _classes(figures: Figures) -> Iterator[Finding]:
    """The neutral class, which is the hardest of most models, and the weakest one, if it is another."""
    by_class = figures.by_class
    weakest = min(by_class, key=lambda name: by_class[name].f1)
    for name in dict.fromkeys(("neutral", weakest)):
        row, answered = by_class[name], figures.confusion[LABELS.index(name)]
        if not row.rows:
            continue
        others = [
            f"{percent(answered[label] / row.rows)} are called {LABELS[label]}"
            for label in ORDER
            if LABELS[label] != name
        ]
        yield Finding(
            "note" if row.f1 >= _F1_MIN else "warning",
            f"F1 of {name}{', the weakest class' if name == weakest else ''}: {figure(row.f1)}",
            f"Of the {name} texts, {percent(row.recall)} are recognised, {listed(others)}. Of its answers "
            f"“{name}”, {percent(row.precision)} are right.",
        )


def _mistakes(figures: Figures) -> Iterator[Finding]:
    cells = [
        (figures.confusion[true][answer], LABELS[true], LABELS[answer])
        for true in ORDER
        for answer in ORDER
        if true != answer
    ]
    wrong = sum(cell[0] for cell in cells)
    if not wrong:
        return
    most, true, answer = max(cells)
    text = f"The most frequent one: {true} texts called {answer} ({percent(most / wrong)} of all mistakes). "
    if figures.off_by_two is not None:
        text += f"In {percent(figures.off_by_two)} of all texts it is off by two: negative for positive, or "
        text += "the other way round. These are what people notice."
    yield Finding("note", f"{count(wrong)} of {count(figures.rows)} answers are wrong", text)


def _confidence(evaluation: Evaluation) -> Iterator[Finding]:
    calibration = evaluation.calibration
    if not calibration:
        return
    before, after = calibration.before, calibration.after
    rows = max(1, sum(dot.rows for dot in before.reliability))
    said = sum(dot.rows * dot.confidence for dot in before.reliability) / rows
    right = sum(dot.rows * dot.accuracy for dot in before.reliability) / rows
    text = (
        f"It says {percent(said)} on average and is right in {percent(right)} of the texts (ECE "
        f"{figure(before.ece)}). Scaled with a temperature of {temperatures(calibration.temperatures)}, ECE "
        f"is {figure(after.ece)}; the answers stay the same."
    )
    if abs(said - right) <= _GAP_MAX:
        yield Finding("good", "Its confidence is about right on average", text)
    else:
        yield Finding("warning", f"It is {'over' if said > right else 'under'}confident", text)


def _groups(evaluation: Evaluation) -> Iterator[Finding]:
    if len(evaluation.by_category) == 1:
        text = "How the model does elsewhere is not known from these texts."
        yield Finding("note", f"All texts are of one category: {next(iter(evaluation.by_category))}", text)
    for part, what in ((evaluation.by_category, "category"), (evaluation.by_words, "length in words")):
        scores = {name: one.macro_f1 for name, one in _with_enough(part).items() if one.macro_f1 is not None}
        if len(scores) > 1:
            worst, best = min(scores, key=scores.__getitem__), max(scores, key=scores.__getitem__)
            yield Finding(
                "note",
                f"Weakest {what}: {group_name(worst)}, macro-F1 {figure(scores[worst])}",
                f"Best: {group_name(best)}, {figure(scores[best])}; at least {_ROWS_MIN} texts each.",
            )
    stars = _with_enough(evaluation.by_stars)
    if len(stars) > 1:
        worst = min(stars, key=lambda name: stars[name].accuracy)
        text = f"Only {percent(stars[worst].accuracy)} of {count(stars[worst].rows)} such reviews are right."
        yield Finding("note", f"Hardest ratings: {worst} stars", text)


def _few_texts(figures: Figures) -> Iterator[Finding]:
    few = {name: row.rows for name, row in figures.by_class.items() if row.rows < _CLASS_ROWS_MIN}
    if few:
        bounds = figures.intervals.get("macro_f1")
        said = f" Macro-F1 may as well be anything in {interval(bounds)}." if bounds else ""
        title = f"Few texts: {listed(f'{rows} {name}' for name, rows in few.items())}"
        yield Finding("warning", title, f"Of so few the figures are rough.{said}")


def _end_of_run(history: History, kept: int | None) -> Iterator[Finding]:
    yield from _worse_than_another(history, kept)
    measured = [epoch for epoch in history.epochs if kept is None or epoch.step <= kept]
    if len(measured) < 2:  # noqa: PLR2004 - a course has two points
        return
    lowest, last = min(measured, key=lambda epoch: epoch.eval_loss), measured[-1]
    rise = last.eval_loss / lowest.eval_loss - 1
    if rise > _LOSS_RISE_MAX:
        yield Finding(
            "note",
            "It became surer than it became better",
            f"The validation loss rose by {percent(rise)} after step {lowest.step}. Fewer epochs, or scaling, "
            "give better probabilities; macro-F1 tells whether the answers suffered.",
        )
    gain = last.eval_macro_f1 - measured[-2].eval_macro_f1
    if gain > _STILL_RISING and last is history.epochs[-1]:
        text = f"Macro-F1 rose by {figure(gain)} in the last epoch: more epochs may make it better."
        yield Finding("note", "It was still learning", text)


def _worse_than_another(history: History, kept: int | None) -> Iterator[Finding]:
    if not history.epochs:
        return
    best = max(history.epochs, key=lambda epoch: epoch.eval_macro_f1)
    its = next((epoch for epoch in history.epochs if epoch.step == kept), history.epochs[-1])
    behind = round(best.eval_macro_f1 - its.eval_macro_f1, 3)  # as it is shown
    if behind > 0:
        yield Finding(
            "warning" if behind > _BEHIND_MAX else "note",
            "Another epoch was better",
            f"Macro-F1 was {figure(best.eval_macro_f1)} after step {count(best.step)}, and is "
            f"{figure(its.eval_macro_f1)} after step {count(its.step)}, whose weights are the model. "
            "`--early-stopping` keeps the best ones; or end with that epoch.",
        )


def _chosen_on_these(record: TrainingRecord) -> Iterator[Finding]:
    if record.settings.early_stopping:
        yield Finding(
            "note",
            "The weights were chosen by these very texts",
            "Of the weights after each epoch, those of the highest macro-F1 on the validation part were kept, so "
            "the figures flatter a little. `python -m training evaluate` measures on texts that chose nothing.",
        )


def _with_enough(groups: dict[str, Group]) -> dict[str, Group]:
    return {name: group for name, group in groups.items() if group.rows >= _ROWS_MIN}


_LIMITS = (
    "Not for other texts than product reviews in English: mails, chats, other languages were not measured.",
    "Not for what a review says of each thing: a text has one answer, also if it praises one, damns another.",
    "Not for decisions about people, such as who wrote a review, without someone who reads it.",
    "Irony is often taken at its word.",
    "Stars are the labels, and people do not always write what they rate: some mistakes are the stars'.",
    "Where the shares of your classes differ from these, look at the balanced figures, and at each class.",
    "The figures are the checkpoint's, in fp32. A quantised graph is another model, which export measures.",
)


def limits(evaluation: Evaluation, record: TrainingRecord) -> list[str]:
    """When not to use the model, and what its figures do not say."""
    tokens_max = record.settings.tokens_max
    few = [name for name, group in evaluation.by_category.items() if group.rows < _ROWS_MIN]
    cut = "the middle is" if record.settings.truncation == "head+tail" else "the end is"
    said = [*_LIMITS]
    if tokens_max:
        said.append(f"Of texts of more than {tokens_max} tokens {cut} not read.")
    if few:
        said.append(f"Fewer than {_ROWS_MIN} texts were measured of {listed(few)}: their figures say little.")
    return said
