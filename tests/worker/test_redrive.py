"""Which dead letters are chosen to go back, where to, and how that is told."""

from contract.events import Reason
from tests.faked_pipeline import outcome_builder
from worker.core.decoding import Rejection
from worker.core.headers import ERRORS, REASON
from worker.core.records import Partition, Record
from worker.redrive import Selection


def dead_letter(reason: Reason, number: int, offset: int = 0, topic: str = "in") -> Record:
    """As it is read."""
    record = Record(Partition(topic, number), 7, 1234, b"k", b"{")
    dead = outcome_builder().dead_letter(record, Rejection(reason, "?"), stage="decode")
    return Record(Partition("dlq", number), offset, 1234, b"k", b"{", tuple(dead.headers))


def test_what_goes_is_chosen_by_reason_topic_and_position() -> None:
    """To its own partition, or one of those that there still are; each is counted once."""
    selection = Selection("in", 4, {"blank_text"}, is_sent=lambda record, _: record.offset < 10)
    outgoing, told = selection.take(
        [
            dead_letter(Reason.BLANK_TEXT, 1, offset=9),  # has gone
            dead_letter(Reason.BLANK_TEXT, 1, offset=10),
            dead_letter(Reason.BLANK_TEXT, 6, offset=10),
            dead_letter(Reason.TOO_LARGE, 1, offset=10),  # was not asked for
            dead_letter(Reason.BLANK_TEXT, 1, offset=10, topic="other"),
            Record(Partition("dlq", 1), 10, 0, None, b"no dead letter", (("null", None),)),
            Record(Partition("dlq", 1), 10, 0, None, b"", ((ERRORS + "topic", b"in"), (REASON, b"\x1b[31m\n"))),
        ]
    )
    assert [(it.target, it.source.partition.number) for it in outgoing] == [(("in", 1), 1), (("in", 2), 6)]
    assert (told, selection.foreign) == ([], 3)
    assert [line.split() for line in selection.table("sent")] == [
        ["reason", "partition", "sent", "incomplete"],
        ["blank_text", "1", "1", "0"],
        ["blank_text", "6", "1", "0"],
        ["all", "2", "0"],
    ]
