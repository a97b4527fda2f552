"""The headers of what goes out: the input's, and each of ours once."""

from hypothesis import given
from hypothesis import strategies as st

from worker.core.headers import Origin, first_origin, of_dead_letter, of_result

NAMES = st.sampled_from([
    "trace", "content-type", "content-type-of-theirs", "ce_id", "ce", "x-dlq-reason", "x-dlq-attempts",
    "x-worker-session", "x-worker", "__connect.errors.topic", "__connect.name",
])  # fmt: skip
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3)))
KEPT_BY_ALL = {"trace", "content-type-of-theirs", "ce", "x-worker", "__connect.name"}


@given(HEADERS)
def test_what_is_not_ours_stays_as_it_is_and_in_order(headers: list[tuple[str, bytes | None]]) -> None:
    """Names, values and order, also of repeated names; a null value is empty then."""
    theirs = [(name, value or b"") for name, value in headers if name in KEPT_BY_ALL]
    assert [item for item in of_result(headers) if item[0] in KEPT_BY_ALL] == theirs
    assert [item for item in of_dead_letter(headers) if item[0] in KEPT_BY_ALL] == theirs


@given(HEADERS)
def test_nothing_of_ours_is_left_under_its_name(headers: list[tuple[str, bytes | None]]) -> None:
    """A result has none of them, and loses none; a dead letter has those of the event, none of a failure."""
    ours = {
        "content-type",
        "ce_id",
        "x-dlq-reason",
        "x-dlq-attempts",
        "x-worker-session",
        "__connect.errors.topic",
    }
    result = of_result(headers)
    assert not ours & {name for name, _ in result}
    assert len(result) == len(headers)
    assert ours & {name for name, _ in of_dead_letter(headers)} <= {"content-type", "ce_id"}


def test_an_origin_needs_a_reason_and_all_of_its_place() -> None:
    """Bytes that are no text, or numbers that are none, are no origin."""
    here = Origin("in", "0", "7")
    whole = [
        ("__connect.errors.topic", b"t"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"4"),
    ]
    assert first_origin([*whole, ("x-dlq-reason", b"r")], here) == ("t", "3", "4")
    assert first_origin(whole, here) == here
    assert first_origin([*whole[:2], ("__connect.errors.offset", b"\xff"), ("x-dlq-reason", b"r")], here) == here
    assert first_origin([], here) == here


def test_an_origin_that_no_cluster_can_have_is_none() -> None:
    """Bytes that are no text get three times as long as text, and what we add to a dead letter stays short."""
    here = Origin("in", "0", "7")
    for name, said in {"topic": b"\xff" * 250, "partition": b"9" * 30, "offset": b"9" * 30}.items():
        origin = {"topic": b"t", "partition": b"3", "offset": b"4", name: said}
        headers = [(f"__connect.errors.{part}", value) for part, value in origin.items()]
        assert first_origin([*headers, ("x-dlq-reason", b"r")], here) == here
