"""Layouts take turns, the slow ones drop out, and what wins is found again on the same kind of machine only."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.errors import UsageError
from tests.fakes import FakeClassifier
from worker import tuning
from worker.adapters.bundle import read_bundle
from worker.core.batching import PASS_TOKENS, Layout
from worker.errors import ModelFailedError
from worker.model import load_model
from worker.ports import OutOfDeviceMemoryError
from worker.settings import Settings
from worker.tune_command import tune
from worker.tuned import Choice, here, read_choices, require_writable, write_choice
from worker.tuning import Candidate, candidates, measure

CHOICE = Choice(
    bundle_sha256="a" * 64, cpu="Some CPU (avx2)", cores=2, onnxruntime="1.32", device="cpu", variant="int8",
    callers=2, threads=1, batch_tokens_max=1024, reviews_per_s=92.1, texts="64 of something",
)  # fmt: skip
ROWS = [[1, 2, 3]] * 8


class Clock:
    """A clock that only forward passes move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(tuning.time, "monotonic", lambda: self.now_s)  # type: ignore[attr-defined]


class Timed(FakeClassifier):
    def __init__(self, clock: Clock, pass_s: Sequence[float]) -> None:
        super().__init__()
        self._clock, self._pass_s, self.passes = clock, list(pass_s), 0

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self._clock.now_s += self._pass_s[min(self.passes, len(self._pass_s) - 1)]
        self.passes += 1
        return super().logits(rows)


def candidate(variant: str) -> Candidate:
    return Candidate(variant, Layout(1, 1, 8, 512))


def test_a_cpu_is_tried_from_one_pass_on_all_cores_to_one_on_each() -> None:
    """No core idle and none shared, whatever their number; no batch below the longest row."""
    layouts = {it.layout for it in candidates(["fp32"], "cpu", 6, rows_max=64, tokens_min=1024)}
    assert {(one.callers, one.threads) for one in layouts} == {(1, 6), (2, 3), (4, 1), (6, 1)}
    assert {one.tokens for one in layouts} == {1024, 2048, 4096}
    assert len(candidates(["fp32", "int8"], "cpu", 1, rows_max=64, tokens_min=512)) == 2 * 4
    on_a_gpu = {it.layout.callers for it in candidates(["fp16"], "cuda", 16, rows_max=1024, tokens_min=512)}
    assert on_a_gpu == {1, 2}


def test_what_is_far_behind_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are, until the time is over, and the median of their rounds counts."""
    clock = Clock(monkeypatch)
    passes = {"slow": Timed(clock, [5]), "even": Timed(clock, [1.1]), "noisy": Timed(clock, [1, 9, 1, 1, 1])}
    speeds = measure([candidate(name) for name in passes], lambda it: passes[it.variant], ROWS, budget_s=20)
    assert [it.variant for it in speeds] == ["noisy", "even", "slow"]
    assert (speeds[candidate("noisy")].median, speeds[candidate("noisy")].most) == (8, 8)
    assert speeds[candidate("noisy")].least == pytest.approx(8 / 9)
    assert passes["slow"].passes == speeds[candidate("slow")].rounds == 1
    assert passes["even"].passes == passes["noisy"].passes > 2


def test_three_rounds_are_measured_however_short_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single one would be taken for the truth."""
    clock = Clock(monkeypatch)
    timed = Timed(clock, [1])
    assert len(measure([candidate("a"), candidate("b")], lambda _: timed, ROWS, budget_s=0)) == 2
    assert timed.passes == 2 * 3


def test_a_file_has_one_choice_for_a_bundle_on_a_machine(tmp_path: Path) -> None:
    """The newest; those of others stay."""
    file = tmp_path / "tuning.json"
    other, newer = CHOICE.model_copy(update={"cores": 4}), CHOICE.model_copy(update={"callers": 1})
    with pytest.raises(UsageError, match="can't read"):  # a wrong mount must not pass for "nothing was measured"
        read_choices(file)
    for choice in (CHOICE, other, newer):
        write_choice(file, choice)
    assert read_choices(file) == [other, newer]


@pytest.mark.parametrize("content", ["", "{}", '[{"callers": 0}]', "[1]", "[%s1]" % (500 * "1,")])
def test_another_file_is_refused(content: str, tmp_path: Path) -> None:
    """A mistake in a path must not be taken for "nothing was measured"."""
    (tmp_path / "tuning.json").write_text(content)
    with pytest.raises(UsageError, match="not what `python -m worker tune` writes") as error:
        read_choices(tmp_path / "tuning.json")
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="not what"):
        read_choices(Path("a\0b"))
    with pytest.raises(UsageError, match="can't write"):
        write_choice(tmp_path / "absent" / "tuning.json", CHOICE)
    with pytest.raises(UsageError, match="can't write"):
        write_choice(tmp_path / "tuning.json" / "tuning.json", CHOICE)


@pytest.mark.parametrize("name", ["callers", "threads", "batch_tokens_max"])
def test_numbers_that_no_machine_has_are_refused(name: str, tmp_path: Path) -> None:
    """As those of the settings are: a thread takes memory before it does anything."""
    (tmp_path / "tuning.json").write_text(json.dumps([{**CHOICE.model_dump(), name: 10**12}]))
    with pytest.raises(UsageError, match=f"0.{name}: Input should be less than"):
        read_choices(tmp_path / "tuning.json")


def test_a_disk_that_is_full_costs_no_other_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is what it was, and nothing is left beside it."""
    file = tmp_path / "tuning.json"
    write_choice(file, CHOICE)

    def fail(self: Path, content: bytes) -> int:
        with self.open("wb") as half:
            half.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_choice(file, CHOICE.model_copy(update={"cores": 4}))
    assert (read_choices(file), list(tmp_path.iterdir())) == ([CHOICE], [file])


def served(bundle: Path, file: Path | None = None, **more: Any) -> tuple[str, Layout]:
    model = load_model(Settings(bundle=bundle, device="cpu", tuning_file=file, **more))
    return model.variant, model.layout


def test_what_was_measured_serves_where_it_was_measured(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings win over it; another bundle, processor, quota or runtime makes it void."""
    monkeypatch.setattr("worker.model.cores", lambda: 4)
    tokens_max = read_bundle(bundle).manifest.encoding.tokens_max
    assert served(bundle)[1] == Layout(4, 1, 64, max(512, tokens_max), PASS_TOKENS["cpu"])
    assert served(bundle, threads=2)[1][:2] == (1, 2), "so many cores and no more"
    assert served(bundle, callers=3)[1][:2] == (3, 1)

    sha256, cpu, usable, runtime, _ = here(read_bundle(bundle), "cpu")
    valid = {"bundle_sha256": sha256, "cpu": cpu, "cores": usable, "onnxruntime": runtime, "variant": "fp32"}
    choice, file = CHOICE.model_copy(update=valid), tmp_path / "tuning.json"
    write_choice(file, choice)
    assert served(bundle, file) == ("fp32", Layout(2, 1, 64, 1024, PASS_TOKENS["cpu"]))
    assert served(bundle, file, callers=1, batch_tokens_max=2048)[1] == Layout(1, 1, 64, 2048, PASS_TOKENS["cpu"])
    write_choice(file, choice.model_copy(update={"variant": "another"}))
    assert served(bundle, file, variant="fp32")[0] == "fp32"
    with pytest.raises(UsageError, match="the bundle has no graph another; run `tune` again"):
        served(bundle, file)
    for other in ({"bundle_sha256": "b" * 64}, {"cpu": "Another"}, {"cores": 99}, {"onnxruntime": "9"}):
        elsewhere = tmp_path / f"{next(iter(other))}.json"
        write_choice(elsewhere, choice.model_copy(update=other))
        assert served(bundle, elsewhere)[1][:2] == (4, 1), other


def test_tune_measures_the_bundle_and_writes_what_a_worker_takes(bundle: Path, tmp_path: Path) -> None:
    """On the user's texts; the table has the default, and the worker serves what it says is fastest."""
    texts, file = tmp_path / "events.jsonl", tmp_path / "tuning.json"
    texts.write_text("".join(json.dumps({"text": f"it is a {n} cable"}) + "\n" for n in range(20)) + "garbage\n")
    settings = Settings(bundle=bundle, device="cpu")
    table = tune(settings, texts, 0.1, file)
    assert "← default" in table
    assert "20 of events.jsonl" in table
    assert f"WORKER_TUNING_FILE={file}" in table
    [choice] = read_choices(file)
    assert table.splitlines()[1].split()[:4] == [
        choice.variant, str(choice.callers), str(choice.threads), str(choice.batch_tokens_max)
    ]  # fmt: skip
    variant, layout = served(bundle, file)
    assert (variant, *layout[:2]) == (choice.variant, choice.callers, choice.threads)
    assert "WORKER_CALLERS=" in tune(settings, None, 0.1, None)


@pytest.mark.parametrize(("content", "says"), [(None, "can't read"), ("{}\n", "no line of")])
def test_texts_that_are_none_are_refused(content: str | None, says: str, bundle: Path, tmp_path: Path) -> None:
    """Before anything is measured."""
    if content is not None:
        (tmp_path / "texts").write_text(content)
    with pytest.raises(UsageError, match=says):
        tune(Settings(bundle=bundle, device="cpu"), tmp_path / "texts", 0, None)


def test_texts_are_looked_for_in_the_whole_file(bundle: Path, tmp_path: Path) -> None:
    """However much of its beginning is none."""
    (tmp_path / "texts").write_text("garbage\n" * 500 + json.dumps({"text": "it is a cable"}) + "\n")
    assert "1 of texts" in tune(Settings(bundle=bundle, device="cpu"), tmp_path / "texts", 0, None)


@pytest.mark.parametrize("output", ["absent/tuning.json", "damaged.json", "damaged.json/tuning.json", "folder"])
def test_where_nothing_can_be_written_nothing_is_measured(
    output: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute of measuring is not thrown away for a name."""
    (tmp_path / "damaged.json").write_text("[1]")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("worker.tune_command.measure", None)
    with pytest.raises(UsageError):
        tune(Settings(bundle=bundle, device="cpu"), None, 0, tmp_path / output)


def test_a_layout_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are measured all the same, and only a device that runs none of them is told as what it is."""
    clock = Clock(monkeypatch)
    fits, full = Timed(clock, [1]), Timed(clock, [1])
    monkeypatch.setattr(full, "logits", _out_of_memory)
    sessions = {"fits": fits, "full": full}
    speeds = measure([candidate(name) for name in sessions], lambda it: sessions[it.variant], ROWS, budget_s=0)
    assert [it.variant for it in speeds] == ["fits"]
    with pytest.raises(ModelFailedError, match="runs none of the layouts"):
        measure([candidate("full")], lambda _: full, ROWS, budget_s=0)


def _out_of_memory(rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    raise OutOfDeviceMemoryError(f"no room for {len(rows)}")


def test_windows_are_cut_as_a_worker_cuts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could fill fewer batches is shared out among the callers, or large batches would look slow."""
    timed = Timed(Clock(monkeypatch), [0])
    tuning.elapsed_s(timed, Layout(4, 1, 64, 512), ROWS)
    assert sorted(map(len, timed.batches)) == [2, 2, 2, 2]


@pytest.mark.parametrize("name", ["n" * 300, "locked/tuning.json"])
def test_a_place_that_can_not_be_looked_at_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is measured, by its name."""

    def exists(file: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(file))

    if "/" in name:  # as for a folder that may not be entered, which the user of a container may be spared
        monkeypatch.setattr(Path, "exists", exists)
    with pytest.raises(UsageError, match="can't write"):
        require_writable(tmp_path / name)
