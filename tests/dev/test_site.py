"""The site that Sphinx makes of the pages, as a browser would find it on a disk."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

_ROOT = Path(__file__).parents[2]
_LOADS = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}


class Page(HTMLParser):
    """What a page has anchors for, leads to, and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.anchors.add(value or "")
            elif name in {"href", "src", "data"}:
                (self.loaded if tag in _LOADS else self.links).add(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made as `make docs` makes it: a page that is in no menu and a link to nothing end it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-c", "docs"]
    made = subprocess.run(
        [*command, "-d", folder / "state", ".", folder / "site"],
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file.read_text()) for file in site.rglob("*.html")}


def test_every_page_is_in_the_site(pages: dict[Path, Page], site: Path) -> None:
    """With those that stand beside docs/, and the start at its root."""
    written = {file.relative_to(_ROOT).with_suffix(".html") for file in (_ROOT / "docs").rglob("*.md")}
    beside = {Path(f"{name}.html") for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY", "index")}
    assert {file.relative_to(site) for file in pages} == written | beside | {Path("search.html")}


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    """From file to file, so that the site works without a server."""
    dead = []
    for file, page in pages.items():
        for link in page.links | page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchors = pages[target].anchors if target in pages else {""}
            if not target.is_file() or unquote(parts.fragment) not in anchors:
                dead.append((file.name, link))
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    """No font, style, script or picture of another host: readers stay unobserved, and need no network."""
    loaded = {link for page in pages.values() for link in page.loaded}
    for style in site.rglob("*.css"):
        loaded |= set(re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", style.read_text()))
    assert "searchindex.js" in loaded, "the search needs no server either"
    assert [link for link in loaded if urlsplit(link).netloc] == []
