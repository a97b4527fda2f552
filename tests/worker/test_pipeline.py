"""The life of a window with the outside replaced."""

import json

import numpy as np
import pytest

from tests.faked_pipeline import P0, FakedPipeline, due, review
from worker.core.records import Partition
from worker.errors import DeviceFullError, ModelFailedError, TooManyDeadLettersError
from worker.passage import Submitted
from worker.ports import OutOfDeviceMemoryError


def test_every_record_has_one_outcome_in_record_order() -> None:
    """Sorting by length inside the window is invisible outside: results leave in the order read."""
    faked = FakedPipeline()
    texts = ["b" * (1 + n * 7 % 40) for n in range(30)]
    faked.receive([review(text) for text in texts])
    faked.pipeline.run(faked.window())

    assert [item.source.offset for item in faked.sink.written] == list(range(30))
    for item, text in zip(faked.sink.written, texts, strict=True):
        sentiment = json.loads(item.value or b"")["sentiment"]
        assert item.target == Partition("out", 0)
        assert sentiment["tokens"] == len(text) + 2
        assert sentiment["label"] == ("negative" if ord("b") % 3 == 2 else "x")
    assert all(len(batch) <= 8 for batch in faked.classifier.batches)
    assert due(faked) == {P0: 30}


def test_several_passes_at_a_time_answer_as_one_does() -> None:
    """Each record has the answer to its own text, in order, and a row that fails has no other's place."""
    texts = [chr(ord("a") + n % 20) * (1 + n * 7 % 40) + ("!" if n % 9 == 0 else "") for n in range(60)]
    answers = []
    for callers in (1, 4):
        faked = FakedPipeline(callers=callers)
        faked.classifier.fail["!"] = ValueError("boom")
        faked.receive([review(text) for text in texts])
        faked.pipeline.run(faked.window())
        sentiments = [json.loads(item.value or b"").get("sentiment") or {} for item in faked.sink.written]
        answers.append(
            [
                (item.source.offset, item.detail, sentiment.get("tokens"))
                for item, sentiment in zip(faked.sink.written, sentiments, strict=True)
            ]
        )
    assert answers[0] == answers[1]
    assert [offset for offset, _, _ in answers[0]] == list(range(60))


def test_a_window_takes_the_device_from_when_the_one_before_has_its_answers() -> None:
    """Windows that are on the device at the same time do not count it twice; a pause counts for none."""
    faked = FakedPipeline(records_max=1)
    faked.receive([review("a"), review("b"), review("c")])
    windows = [faked.pipeline.prepare(faked.window()) for _ in range(3)]
    answer = np.array([0.2, 0.3, 0.5])
    for window, (from_s, until_s) in zip(windows, [(100.0, 110.0), (101.0, 112.0), (120.0, 121.0)], strict=True):
        faked.pipeline.collect(Submitted(window, [[0]], iter([([answer], from_s, until_s)])))

    assert [window.times_s["infer"] for window in windows] == [10.0, 2.0, 1.0]


def test_poison_is_isolated_and_its_neighbours_are_scored() -> None:
    """A row that fails alone is a dead letter with the error's name; NaN counts as failure too."""
    faked = FakedPipeline()
    faked.classifier.fail["!"] = ValueError("boom")
    faked.receive([review(text) for text in ("a", "b!", "c", "d", "e?", "f")])
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["positive", "model_error", "neutral", "positive", "model_error", "neutral"]
    headers = dict(faked.sink.written[1].headers)
    assert headers["__connect.errors.exception.class.name"] == b"ValueError"
    assert headers["x-dlq-attempts"] == b"2"
    assert dict(faked.sink.written[4].headers)["__connect.errors.exception.class.name"] == b"FloatingPointError"


def test_a_batch_too_large_for_the_device_is_halved_and_remembered() -> None:
    """After running out of memory the next windows are planned smaller; nothing is lost or dead-lettered."""
    faked = FakedPipeline()
    faked.classifier.rows_max, faked.classifier.too_large = 2, OutOfDeviceMemoryError("no room")
    faked.receive([review("abcdefghijklmn")] * 8)
    faked.pipeline.run(faked.window())
    first = len(faked.classifier.batches)
    faked.receive([review("abcdefghijklmn")] * 8, first=8)
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["positive"] * 16
    assert max(map(len, faked.classifier.batches[first:])) < 8


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_row_that_has_fitted_before_is_no_dead_letter(tries: int) -> None:
    """Memory that something else takes for a moment costs a pause; for longer, the worker ends unsettled."""
    faked = FakedPipeline()
    faked.receive([review("b" * 9)])
    faked.pipeline.run(faked.window())
    faked.classifier.rows_max, faked.classifier.too_large = 0, OutOfDeviceMemoryError("no room")
    faked.classifier.too_large_times = tries
    faked.receive([review("a" * 9)], first=1)
    if tries < 3:
        faked.pipeline.run(faked.window())
        assert faked.kinds() == ["negative", "positive"]
        return
    with pytest.raises(DeviceFullError) as caught:
        faked.pipeline.run(faked.window())
    assert caught.value.exit_code == ModelFailedError.exit_code
    assert due(faked) == {P0: 1}, "nothing of it is settled"


def test_a_row_longer_than_all_before_is_a_dead_letter_with_its_attempts() -> None:
    """The device may be too small for it; so many attempts as it says, alone."""
    faked = FakedPipeline()
    faked.receive([review("b" * 9)])
    faked.pipeline.run(faked.window())
    faked.classifier.rows_max, faked.classifier.too_large = 0, OutOfDeviceMemoryError("no room")
    before = len(faked.classifier.batches)
    faked.receive([review("a" * 10)], first=1)
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["negative", "model_error"]
    assert int(dict(faked.sink.written[1].headers)["x-dlq-attempts"]) == len(faked.classifier.batches) - before


def test_a_lost_device_stops_the_pipeline_unsettled() -> None:
    """What says nothing about any record becomes nobody's dead letter."""
    faked = FakedPipeline()
    faked.classifier.fail["a"] = ModelFailedError("gone")
    faked.receive([review("a")])

    with pytest.raises(ModelFailedError):
        faked.pipeline.run(faked.window())
    assert faked.sink.written == []
    assert due(faked) == {}


def test_the_breaker_stops_after_settling() -> None:
    """A model that fails on most events ends the worker, with its dead letters written and committable."""
    faked = FakedPipeline()
    faked.classifier.fail["a"] = RuntimeError("bad deploy")
    faked.receive([review("a")] * 4)

    with pytest.raises(TooManyDeadLettersError, match="in/0"):
        faked.pipeline.run(faked.window())
    assert faked.kinds() == ["model_error"] * 4
    assert due(faked) == {P0: 4}


def test_bad_input_never_trips_the_breaker() -> None:
    """What upstream does wrong is normal life."""
    faked = FakedPipeline()
    faked.receive([b"not json"] * 50)
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["invalid_json"] * 50


def test_a_pass_without_numbers_counts_as_a_failure_of_the_model() -> None:
    """The metric that an alert looks at counts NaN as it does an exception."""
    faked = FakedPipeline()
    faked.classifier.logits = lambda rows: np.full((len(rows), 3), np.nan, np.float32)  # type: ignore[method-assign]
    faked.receive([review("a")])
    faked.pipeline.run(faked.window())
    assert faked.kinds() == ["model_error"]
    assert {type(error) for error in faked.telemetry.failures} == {FloatingPointError}
