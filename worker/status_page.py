"""The status page: what a worker does and why, on one page without scripts, addresses or a review's text."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from contract.events import ModelIdentity
from contract.labels import LABELS, ORDER
from worker.core.history import DeadLetter, Rates, Sample, Totals, rates, stage_seconds
from worker.core.records import Partition
from worker.redaction import Shown
from worker.status_style import STYLE

_REFRESH_S = 5
_PARTITIONS_SHOWN = 16
_RATE_SAMPLES = 12  # over which the present rate is a mean: a minute
_WIDTH, _HEIGHT = 600, 120  # of a chart's own coordinates; its place stretches it


@dataclass(frozen=True)
class Status:
    """All that the page shows."""

    state: str
    why: str
    is_ready: bool
    name: str
    """Which worker it is, among those of its group."""
    version: str
    uptime_s: float
    now_s: float
    """By the clock of the samples."""
    model: ModelIdentity | None
    samples: Sequence[Sample]
    dead_letters: Sequence[DeadLetter]
    settings: Sequence[Shown]


def render(status: Status) -> str:
    """The page in HTML."""
    title = f"{status.state} · {status.name}"
    parts = [
        _head(status),
        _tiles(status),
        '<div class="grid">',
        _throughput(status),
        _lag(status.samples),
        _stages(status.samples),
        _labels(status.samples),
        _dead_letters(status.dead_letters),
        _model(status.model),
        "</div>",
        _settings(status.settings),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{_REFRESH_S}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(status: Status) -> str:
    good = "good" if status.is_ready else "bad"
    told = escape(f"review-sentiment {status.version} as {status.name}, up {_duration(status.uptime_s)}")
    return (
        f'<header><h1><span class="badge {good}">{escape(status.state)}</span> {escape(status.why)}</h1>'
        f"<p>{told}</p></header>"
    )


def _tiles(status: Status) -> str:
    recent = status.samples[-_RATE_SAMPLES - 1 :]
    found = rates([recent[0], recent[-1]]) if len(recent) > 1 else []
    newest = status.samples[-1] if status.samples else Sample(0, Totals(), {})
    told = [
        ("results a second", _number(found[0].results if found else 0), "in the last minute"),
        ("lag", _number(sum(newest.lag.values())), "records without an outcome"),
        ("partitions", _number(len(newest.lag)), "owned"),
        ("read", _number(newest.totals.read), "since the start"),
        ("results", _number(newest.totals.results), "since the start"),
        ("dead letters", _number(newest.totals.dead_letters), "since the start"),
    ]
    tiles = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><small>{escape(of)}</small></div>"
        for name, value, of in told
    )
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _throughput(status: Status) -> str:
    found = rates(status.samples)
    if not found:
        return _section("Throughput", _nothing("the second sample is still to come"))
    top = max(max(it.read, it.results, it.dead_letters) for it in found) or 1
    lines = "".join(_line(found, name, top) for name in ("read", "results", "dead_letters"))
    legend = _legend([("read", "read"), ("results", "results"), ("dead_letters", "dead letters")])
    span = _duration(status.now_s - found[0].at_s)
    return _section(
        "Throughput",
        f'<p class="axis">{escape(_number(top))} records a second</p>{_svg(lines, "Records a second")}'
        f'<p class="axis ends"><span>{escape(span)} ago</span><span>now</span></p>{legend}',
    )


def _line(found: Sequence[Rates], name: str, top: float) -> str:
    return _polyline([(it.at_s, getattr(it, name)) for it in found], top, f"s-{name}")


def _lag(samples: Sequence[Sample]) -> str:
    if not samples or not samples[-1].lag:
        return _section("Lag by partition", _nothing("no partition is owned"))
    newest = sorted(samples[-1].lag.items(), key=lambda item: (-item[1], item[0]))
    top = max(max(sample.lag.values(), default=0) for sample in samples) or 1
    rows = [
        f"<tr><td>{_breakable(_named(partition))}</td><td class=chart>{_spark(samples, partition, top)}</td>"
        f"<td class=n>{escape(_number(records))}</td></tr>"
        for partition, records in newest[:_PARTITIONS_SHOWN]
    ]
    rest = newest[_PARTITIONS_SHOWN:]
    more = f"and {len(rest)} more with {_number(sum(records for _, records in rest))} records" if rest else ""
    table = _table(("partition", f"up to {_number(top)}", "records"), rows, numbers=1)
    return _section("Lag by partition", table + (f"<p>{escape(more)}</p>" if more else ""))


def _spark(samples: Sequence[Sample], partition: Partition, top: float) -> str:
    points = [(sample.at_s, float(sample.lag[partition])) for sample in samples if partition in sample.lag]
    return _svg(_polyline(points, top, "s-lag"), f"Lag of {_named(partition)}", "spark")


def _stages(samples: Sequence[Sample]) -> str:
    found = stage_seconds(samples)
    if not found:
        return _section("Stages", _nothing("no window was answered in this time"))
    longest = max(mean_s for _, mean_s in found.values()) or 1
    rows = [
        f"<tr><td>{escape(stage)}</td><td class=chart>{_bar(mean_s / longest)}</td>"
        f"<td class=n>{escape(_milliseconds(mean_s))}</td><td class=n>{escape(_number(times))}</td></tr>"
        for stage, (times, mean_s) in found.items()
    ]
    return _section("Stages", _table(("stage", "", "mean", "times"), rows, numbers=2))


def _labels(samples: Sequence[Sample]) -> str:
    before = samples[0].totals.labels if samples else {}
    after = samples[-1].totals.labels if samples else {}
    names = [LABELS[number] for number in ORDER]
    counts = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    total = sum(counts.values())
    if not total:
        return _section("Labels", _nothing("no result in this time"))
    x, parts = 0.0, []
    for name, count in counts.items():
        width = count / total * _WIDTH
        parts.append(f'<rect class="f-{name}" x="{x:.1f}" y="0" width="{width:.1f}" height="{_HEIGHT}"/>')
        x += width
    legend = _legend([(name, f"{name} {count / total:.1%} ({_number(count)})") for name, count in counts.items()])
    return _section("Labels", _svg("".join(parts), "Share of each label", "stack") + legend)


def _dead_letters(found: Sequence[DeadLetter]) -> str:
    if not found:
        return _section("Last dead letters", _nothing("none since the start"))
    rows = [
        f"<tr><td>{_clock(it.at_s)}</td><td>{_breakable(it.reason)}</td>"
        f"<td class=code>{_breakable(f'{_named(it.partition)}/{it.offset}')}</td></tr>"
        for it in reversed(found)
    ]
    return _section("Last dead letters", _table(("UTC", "reason", "topic/partition/offset"), rows))


def _model(model: ModelIdentity | None) -> str:
    if model is None:
        return _section("Model", _nothing("it is being loaded"))
    rows = (f"<tr><td>{escape(name)}</td><td class=code>{escape(str(value))}</td></tr>" for name, value in model)
    return _section("Model", _table((), rows))


def _settings(settings: Iterable[Shown]) -> str:
    items = (
        f'<li class="{"default" if it.is_default else "set"}"><span>{_breakable(it.name)}</span>'
        f"<span>{_breakable(it.value)}</span></li>"
        for it in settings
    )
    told = "<p>First what was set, then the defaults.</p>"
    return _section("Settings", f'{told}<ul class="settings code">{"".join(items)}</ul>')


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _nothing(why: str) -> str:
    return f'<p class="nothing">Nothing to show: {escape(why)}.</p>'


def _table(head: Sequence[str], rows: Iterable[str], *, numbers: int = 0) -> str:
    """A table, of which so many columns at the right are numbers."""
    first = len(head) - numbers
    cells = "".join(
        f"<th{' class=n' if place >= first else ''}>{escape(name)}</th>" for place, name in enumerate(head)
    )
    top = f"<thead><tr>{cells}</tr></thead>" if cells else ""
    return f'<div class="scroll"><table>{top}<tbody>{"".join(rows)}</tbody></table></div>'


def _legend(items: Iterable[tuple[str, str]]) -> str:
    entries = (f'<li><i class="b-{name}"></i>{escape(text)}</li>' for name, text in items)
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _svg(body: str, label: str, kind: str = "plot") -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _polyline(points: Sequence[tuple[float, float]], top: float, kind: str) -> str:
    if not points:
        return ""
    first_s, span_s = points[0][0], (points[-1][0] - points[0][0]) or 1
    placed = " ".join(
        f"{(at_s - first_s) / span_s * _WIDTH:.1f},{_HEIGHT - 2 - value / top * (_HEIGHT - 4):.1f}"
        for at_s, value in points
    )
    return f'<polyline class="{kind}" points="{placed}"/>'


def _bar(share: float) -> str:
    bar = f'<rect width="{share * 100:.1f}" height="1"/>'
    return f'<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none">{bar}</svg>'


def _breakable(text: str) -> str:
    """Text that narrow screens break where a name's parts meet."""
    return re.sub("(?<=[/_.])(?=.)", "<wbr>", escape(text))


def _named(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"


def _number(value: float) -> str:
    return f"{value:,.1f}" if 0 < abs(value) < 10 and value != int(value) else f"{value:,.0f}"  # noqa: PLR2004


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def _duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S")
