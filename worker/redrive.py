"""`python -m worker redrive`: send dead letters to the input topic again, or tell which would be sent."""

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from contract.events import Reason
from worker.adapters.kafka_dead_letters import DeadLetters
from worker.adapters.kafka_sink import KafkaSink
from worker.core.headers import ERRORS, REASON, Origin
from worker.core.records import Partition, Record
from worker.core.redriving import revived
from worker.errors import KafkaUnfitError
from worker.flags import Parser
from worker.outcomes import Kind, Outgoing
from worker.settings import Settings

log = structlog.get_logger(__name__)

_PROGRESS_EVERY_S = 5.0
_REASON = re.compile("[a-z_]{1,64}")
"""What may be one, of this version or another; anyone who may write to the topic could have written others."""


def parser() -> argparse.ArgumentParser:
    """What the command takes beside the settings of `run`."""
    flags = Parser(
        "redrive",
        description="Send the dead letters to the input topic again that no earlier run has sent. Without --send, "
        "only tell which. Needs no bundle.",
        epilog="""\
examples:
  python -m worker redrive                                       # how many, by reason and partition
  python -m worker redrive --reason too_large --send             # those of one cause, which is fixed
  python -m worker redrive --reason too_large --reason output_too_large --dead-letter-topic orders.dlq
""",
    )  # fmt: skip
    flags.add_argument(
        "--reason", action="append", default=[], choices=[str(it) for it in Reason], metavar="REASON",
        help="only those of this reason (docs/operations.md); repeatable; the others can be sent later",
    )  # fmt: skip
    flags.add_argument("--send", action="store_true", help="send them; at least once")
    return flags


@dataclass
class Selection:
    """Chooses what goes back, and counts it by reason and partition."""

    input_topic: str
    input_partitions: int
    reasons: Collection[str]
    """None for every one."""
    is_sent: Callable[[Record, str], bool]
    """Whether an earlier run has sent a dead letter of this reason."""
    chosen: Counter[tuple[str, int]] = field(default_factory=Counter)
    incomplete: Counter[tuple[str, int]] = field(default_factory=Counter)
    foreign: int = 0
    """Records that are no dead letters of the input topic."""

    def take(self, records: Iterable[Record]) -> tuple[list[Outgoing], list[str]]:
        """What to send of these, and a line about each that can't be sent as it was."""
        outgoing, told = [], []
        for dead in records:
            said = {name: (value or b"").decode("utf-8", "replace") for name, value in dead.headers}
            reason, number = said.get(REASON, ""), dead.partition.number
            if not _REASON.fullmatch(reason) or said.get(f"{ERRORS}topic") != self.input_topic:
                self.foreign += 1
                continue
            if (self.reasons and reason not in self.reasons) or self.is_sent(dead, reason):
                continue
            record = revived(dead)
            if isinstance(record, Record):
                self.chosen[reason, number] += 1
                # Its own partition, and not where its key would hash: producers differ in how they hash.
                target = Partition(self.input_topic, number % self.input_partitions)
                headers = [(name, value or b"") for name, value in record.headers]
                outgoing.append(Outgoing(Kind.DEAD_LETTER, record, target, record.value, headers))
            else:
                self.incomplete[reason, number] += 1
                origin = "/".join(said.get(f"{ERRORS}{name}", "?") for name in Origin._fields)
                lacking = ", ".join(sorted(record))
                told.append(f"{_place(dead)} is without its {lacking}; the record was {ascii(origin)[1:-1]}")
        return outgoing, told

    def table(self, chosen: str) -> list[str]:
        """A line for each reason and partition, and one for all; `chosen` heads the column of what was chosen."""
        lines = [f"{'reason':<18} {'partition':>9} {chosen:>10} {'incomplete':>10}"]
        for reason, number in sorted(self.chosen.keys() | self.incomplete.keys()):
            counts = f"{self.chosen[reason, number]:>10} {self.incomplete[reason, number]:>10}"
            lines.append(f"{reason:<18} {number:>9} {counts}")
        return [*lines, f"{'all':<18} {'':>9} {self.chosen.total():>10} {self.incomplete.total():>10}"]


def redrive(settings: Settings, reasons: Collection[str], *, send: bool) -> Iterator[str]:
    """Go through the dead letters up to the topic's present end, and send those that are chosen.

    Args:
        settings: Where, and which topics.
        reasons: Of the dead letters to send; none for every one.
        send: Whether to send them, and to write down that they are sent.

    Yields:
        Lines for people.

    Raises:
        KafkaUnfitError: If no broker answers or lets us in, a topic is missing, or the input topic refuses one.
        OverdueError: If one is not acknowledged in time.
    """
    with ExitStack() as stack:
        source = stack.enter_context(DeadLetters(settings, reasons))
        selection = Selection(settings.input_topic, source.input_partitions, reasons, source.is_sent)
        sink = KafkaSink(settings, source.message_bytes_max) if send else None
        if sink:
            stack.callback(sink.close)
        told_s = time.monotonic()
        for records in source.read():
            outgoing, told = selection.take(records)
            yield from told
            if sink:
                _publish(sink, outgoing)
                source.commit()
            if time.monotonic() - told_s > _PROGRESS_EVERY_S:
                told_s = time.monotonic()
                log.info("redriving", chosen=selection.chosen.total(), offsets_left=source.left())
        if sink:
            source.commit()  # also where there was nothing to read: those of these reasons are sent up to here
    yield from selection.table("sent" if send else "to send")
    yield from _remarks(settings, source, selection, send=send)


def _remarks(settings: Settings, source: DeadLetters, selection: Selection, *, send: bool) -> Iterator[str]:
    if selection.foreign:
        topics = f"{settings.dead_letter_topic} are no dead letters of {settings.input_topic}"
        yield f"{selection.foreign} records of {topics}, and stay"
    if source.from_start:
        yield f"{source.from_start} partitions from their beginning: {source.group} remembers no earlier run there"
    if source.cut_off:
        yield f"{source.cut_off} partitions end before what {source.group} remembers: what comes now counts as new"
    if not send:
        yield "nothing was sent: that takes --send"


def _publish(sink: KafkaSink, outgoing: Sequence[Outgoing]) -> None:
    """Send, and wait until the broker has them.

    Raises:
        KafkaUnfitError: If the input topic refuses one that it had before.
    """
    for fallen in sink.publish(outgoing):
        for item in sink.publish([fallen.outgoing]):  # alone, so that the broker names it
            said = item.refusal.detail if item.refusal else "no reason given"
            raise KafkaUnfitError(f"{_place(item.outgoing.source)} can't go back: {said}")


def _place(record: Record) -> str:
    return f"{record.partition.topic}/{record.partition.number}/{record.offset}"
