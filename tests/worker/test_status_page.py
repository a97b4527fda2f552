"""What the status page shows, and what it never shows."""

from collections.abc import Mapping
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import ModelIdentity, Reason
from worker.core.history import DeadLetter, Sample, Totals
from worker.core.records import Partition
from worker.life import State
from worker.redaction import Shown
from worker.status_page import Status, render

MODEL = ModelIdentity(name="bge", version="1", sha256="9f" * 32, variant="int8", provider="CPUExecutionProvider")
_VOID = {"meta", "wbr", "link", "img", "br", "hr", "input", "rect", "polyline"}


def sample_status(partitions: int = 3, samples: int = 121, **changed: object) -> Status:
    """A worker in the middle of its work."""
    taken = [
        Sample(
            5.0 * n,
            Totals(
                read=500 * n, labels={"positive": 300 * n, "neutral": 50 * n, "negative": 100 * n},
                dead_letters=5 * n, batches=20 * n,
                stages={"queue": (9 * n, 4.0 * n), "infer": (9 * n, 0.9 * n), "commit": (0, 0.0)},
            ),
            {Partition("reviews", p): (n * (p + 1) * 37) % 900 for p in range(partitions)},
        )
        for n in range(samples)
    ]  # fmt: skip
    dead = [DeadLetter(1.7e9 + n, Reason.BLANK_TEXT, Partition("reviews", n % 3), 1000 + n) for n in range(5)]
    settings = [Shown("WORKER_BUNDLE", "/bundles/bge", False), Shown("WORKER_THREADS", "0", True)]
    values: dict[str, object] = {
        "state": "serving", "why": "in the group", "is_ready": True, "name": "worker-7", "version": "0.4.0",
        "uptime_s": 4000.0, "now_s": 5.0 * samples, "model": MODEL, "samples": taken, "dead_letters": dead,
        "settings": settings, **changed,
    }  # fmt: skip
    return Status(**values)  # type: ignore[arg-type]


class Page(HTMLParser):
    """The tags of a page, which have to be closed in order, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, Mapping[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.tags[-1][0] == "wbr":
            self.said[-1] += data
        else:
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def test_a_page_shows_what_the_worker_does() -> None:
    """State and why, rates of the last minute, lag, stages, labels, dead letters, model and settings."""
    text = Page(render(sample_status())).text
    for told in (
        "serving in the group", "up 1 h 6 min", "results a second 90", "reviews/2", "infer 100.0 ms",
        "positive 66.7%", "blank_text reviews/1/1004", "CPUExecutionProvider",
        "WORKER_BUNDLE /bundles/bge",
    ):  # fmt: skip
        assert told in text, told


@pytest.mark.parametrize("samples", [0, 1])
def test_a_page_without_data_says_so(samples: int) -> None:
    """From the first second of a start on: no model, no partition, nothing done."""
    status = sample_status(
        samples=samples, partitions=0, model=None, dead_letters=[], state=State.STARTING, why="loading"
    )
    text = Page(render(status)).text
    assert text.count("Nothing to show") == 6


def test_many_partitions_stay_one_page() -> None:
    """Those with most lag are shown, and the rest is summed up."""
    status = sample_status(partitions=500)
    page = render(status)
    assert "and 484 more with" in Page(page).text
    assert len(page) < 200_000


@given(st.text(alphabet=st.sampled_from("<>&\"'aé\n"), min_size=1))
def test_all_text_is_escaped(text: str) -> None:
    """Whatever a broker's words, a topic's or a setting's have in them: the same tags, and the text as it is."""
    plain, odd = (
        sample_status(
            samples=2, state=it, why=it, name=it, settings=[Shown(it, it, True)],
            model=MODEL.model_copy(update={"name": it}), dead_letters=[DeadLetter(0, it, Partition(it, 0), 0)],
        )
        for it in ("x", text)
    )  # fmt: skip
    assert [tag for tag, _ in Page(render(odd)).tags] == [tag for tag, _ in Page(render(plain)).tags]
    assert " ".join(text.split()) in Page(render(odd)).text


def test_a_page_needs_nothing_from_outside() -> None:
    """No script, no address, nothing that is fetched; and it comes again by itself."""
    page = render(sample_status())
    tags = Page(page).tags
    assert {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "form", "a", "object"} == set()
    assert not any(
        name in {"src", "href", "srcset"} or name.startswith("on") for _, attrs in tags for name in attrs
    )
    assert "url(" not in page
    assert "@import" not in page
    assert "://" not in page
    assert ("meta", {"http-equiv": "refresh", "content": "5"}) in tags
