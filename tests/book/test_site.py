"""The built website: nothing leads nowhere, nothing comes from elsewhere, nothing is without words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup, Tag

pytestmark = pytest.mark.site

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
EXECUTED = ROOT / "_build" / "jupyter_execute"
THEME_PAGES = {"genindex", "search", "py-modindex"}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no website in {SITE}: run `make book` first", pytrace=False)


def chapters() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


@cache
def anchors(path: Path) -> frozenset[str]:
    return frozenset(str(tag[key]) for key in ("id", "name") for tag in soup(path).find_all(attrs={key: True}))


def pages() -> list[Path]:
    return sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)


def article(path: Path) -> Tag:
    found = soup(path).find("article")
    return found if isinstance(found, Tag) else soup(path)


def named(path: Path) -> str:
    return path.relative_to(SITE).as_posix()


def links() -> Iterator[tuple[Path, str]]:
    for path in pages():
        for tag in soup(path).find_all(["a", "link", "script", "img", "source", "iframe"]):
            for key in ("href", "src"):
                if tag.get(key):
                    yield path, str(tag[key])


def test_every_chapter_of_the_contents_is_a_page() -> None:
    assert [name for name in chapters() if not (SITE / f"{name}.html").is_file()] == []


def test_internal_links_and_anchors_resolve() -> None:
    broken = []
    for path, link in links():
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        fragment = unquote(parts.fragment)
        if not target.is_file():
            broken.append(f"{named(path)} -> {link}")
        elif fragment and target.suffix == ".html" and fragment not in anchors(target):
            broken.append(f"{named(path)} -> {link} (no such anchor)")
    assert sorted(set(broken)) == []


def test_the_front_door_leads_to_the_index_page() -> None:
    assert "book/index.html" in (SITE / "index.html").read_text()


def test_nothing_is_fetched_from_another_server() -> None:
    foreign = []
    for path in pages():
        for tag in soup(path).find_all(["script", "link", "img", "iframe", "source", "video", "audio", "object"]):
            address = str(tag.get("src") or tag.get("href") or tag.get("data") or "")
            if re.match(r"(https?:)?//", address) and tag.get("rel") != ["canonical"]:
                foreign.append(f"{named(path)}: {address}")
        for tag in soup(path).find_all(["script", "style"]):
            for address in re.findall(
                r"""(?:import\s*\(?|from\s*|url\()\s*["']?(https?://[^"')\s]+)""", tag.get_text()
            ):
                foreign.append(f"{named(path)}: {address}")
        for tag in soup(path).find_all(attrs={"style": re.compile(r"url\(\s*[\"']?(https?:)?//")}):
            foreign.append(f"{named(path)}: {tag['style']}")
    for script in (SITE / "_static").rglob("*.js"):
        for address in re.findall(
            r"""(?:import\(|importScripts\(|fetch\(|\.src\s*=)\s*["'`]((?:https?:)?//[^"'`]+)""", script.read_text()
        ):
            foreign.append(f"{named(script)}: {address}")
    for style in (SITE / "_static").rglob("*.css"):
        for address in re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", style.read_text()):
            foreign.append(f"{named(style)}: {address}")
    assert sorted(set(foreign)) == []


def test_every_page_has_a_title_and_one_first_heading() -> None:
    for path in pages():
        if named(path) == "index.html":
            continue
        title = soup(path).title
        assert title is not None and title.get_text(strip=True), named(path)
        assert len(article(path).find_all("h1")) == 1 or path.stem in THEME_PAGES, named(path)


def test_headings_never_skip_a_level() -> None:
    for name in chapters():
        levels = [int(tag.name[1]) for tag in article(SITE / f"{name}.html").find_all(re.compile("^h[1-6]$"))]
        skipped = [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]
        assert skipped == [], name


def test_every_image_says_what_it_shows() -> None:
    silent = [
        f"{named(path)}: {tag.get('src')}"
        for path in pages()
        for tag in soup(path).find_all("img")
        if not str(tag.get("alt") or "").strip() and tag.get("role") != "presentation"
    ]
    assert silent == []


def test_every_table_has_a_caption_and_headers() -> None:
    for name in chapters():
        for table in article(SITE / f"{name}.html").find_all("table"):
            where = f"{name}: {table.get_text(' ', strip=True)[:60]}"
            heading = table.find_previous(re.compile("^h[1-6]$"))
            named_by_heading = heading is not None and heading.get_text().startswith("Before you start")
            assert named_by_heading or (table.caption is not None and table.caption.get_text(strip=True)), (
                f"no caption, {where}"
            )
            headers = table.find_all("th")
            assert headers, f"no header cell, {where}"
            assert all(cell.get_text(strip=True) for cell in headers), f"an empty header cell, {where}"
            assert all(cell.get("scope") in ("col", "row") for cell in headers), f"no scope, {where}"


def test_every_figure_has_a_caption() -> None:
    for name in chapters():
        for figure in article(SITE / f"{name}.html").find_all("figure"):
            assert figure.figcaption is not None and figure.figcaption.get_text(strip=True), name


def test_every_chapter_with_cells_has_been_executed() -> None:
    executed = 0
    for name in chapters():
        source = (ROOT / f"{name}.md").read_text()
        if "```{code-cell}" not in source:
            continue
        notebook = EXECUTED / f"{name}.ipynb"
        assert notebook.is_file(), f"{name}.md has cells but was not executed: is its jupytext header there?"
        cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
        assert len(cells) == source.count("```{code-cell}"), name
        assert all(cell["execution_count"] for cell in cells), f"{name} has a cell that was not run"
        assert not any(out["output_type"] == "error" for cell in cells for out in cell["outputs"]), name
        executed += 1
    assert executed > 0, "no chapter has any cells"


def test_every_executed_chapter_offers_its_notebook() -> None:
    for notebook in EXECUTED.rglob("*.ipynb"):
        name = notebook.relative_to(EXECUTED).with_suffix("").as_posix()
        if name not in chapters():
            continue
        offered = SITE / f"{name}.ipynb"
        assert offered.is_file(), name
        link = soup(SITE / f"{name}.html").find("a", href=offered.name)
        assert link is not None, f"{name} has no download button"


def test_no_page_names_a_folder_of_this_machine() -> None:
    told = [
        named(path)
        for path in [*pages(), *SITE.rglob("*.ipynb")]
        if str(ROOT) in path.read_text() or str(Path.home()) + "/" in path.read_text()
    ]
    assert told == []


def test_no_leftover_markup_in_the_text() -> None:
    """A role or directive that was not understood stands in the page as typed."""
    leftover = []
    for name in chapters():
        body = article(SITE / f"{name}.html")
        for part in body.find_all(["p", "li", "td", "th", "figcaption", "caption", "h1", "h2", "h3"]):
            text = "".join(
                str(piece) for piece in part.find_all(string=True) if piece.find_parent(["code", "pre"]) is None
            )
            if re.search(r"\{[a-z:-]+\}`|:::|```", text):
                leftover.append(f"{name}: {text[:80]}")
    assert leftover == []
