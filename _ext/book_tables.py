"""Data frames as real tables.

pandas writes a data frame as HTML that no builder but HTML can read: without a caption, without
a number, out of reach of ``{ref}`` and with empty header cells, which a screen reader announces
as nothing. This transform reads that HTML and writes the docutils table that a person would have
written. A cell asks for it in its metadata::

    ---
    table:
      name: tab-architecture
      caption: The hyperparameters of a network's shape.
    ---
    hpt.table("architecture")

The rules, each a warning and so a failed strict build where it is broken:

- a cell that shows a data frame says what the table is (caption) and what it is called (name);
- an index that is not 0, 1, 2, ... becomes row headers and therefore has a name
  (``frame.rename_axis("Dataset")``); a plain range is dropped;
- nothing is cut: no rows or columns left out, no cell text shortened to "...".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from book_inline import inline_nodes

LOGGER = logging.getLogger(__name__)
NUMBER = re.compile(r"^[-+−]?[\d.,]+(e[-+]?\d+)?\s?%?$", re.IGNORECASE)
NOTHING = {"", "-", "–", "—", "NaN", "nan"}
CUT = re.compile(r"^.{42,47}\.\.\.$")
"""How a text ends that pandas has shortened to its own ``display.max_colwidth`` of 50."""


@dataclass
class Frame:
    """What a data frame's HTML says: header, rows, whether the first column labels the rows."""

    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    labelled: bool = False
    problems: list[str] = field(default_factory=list)


def read_frame(html: str) -> Frame | None:
    """Read pandas' HTML; None when there is no table in it."""
    soup = BeautifulSoup(html, "html.parser")
    table = soup.find("table")
    if table is None:
        return None
    frame = Frame()
    head = table.find("thead")
    body = table.find("tbody") or table
    top = [[_text(cell) for cell in row.find_all(["th", "td"])] for row in head.find_all("tr")] if head else []
    rows = [row.find_all(["th", "td"]) for row in body.find_all("tr")]
    frame.rows = [[_text(cell) for cell in row] for row in rows]
    if table.find(attrs={"colspan": re.compile(r"[2-9]")}) or table.find(attrs={"rowspan": re.compile("[2-9]")}):
        frame.problems.append("has a MultiIndex: flatten its columns and call reset_index() first")
        return frame
    if not top:
        frame.problems.append("has no header row")
        return frame

    indexed = bool(rows) and all(row and row[0].name == "th" for row in rows)
    if not rows:
        frame.problems.append("has no rows")
    frame.header = _merge(top)
    if indexed:
        labels = [row[0] for row in frame.rows]
        plain = labels == [str(number) for number in range(len(labels))]
        if plain and not _index_name(top):
            frame.header = frame.header[1:]
            frame.rows = [row[1:] for row in frame.rows]
        else:
            frame.labelled = True
    if any(not cell for cell in frame.header):
        frame.problems.append(
            "has an empty header cell: name the index with rename_axis('...'), or reset_index(drop=True)"
        )
    if soup.find("p", string=re.compile(r"\d+ rows × \d+ columns")):
        frame.problems.append("has been cut by pandas: show fewer rows or raise display.max_rows / max_columns")
    if any(CUT.match(cell) for row in frame.rows for cell in row):
        frame.problems.append("has shortened texts: set display.max_colwidth to None")
    return frame


def _text(cell: Any) -> str:
    return " ".join(cell.get_text().split())


def _index_name(top: list[list[str]]) -> str:
    """The index's name, which pandas puts alone into a second header row."""
    return top[1][0] if len(top) == 2 and not any(top[1][1:]) else ""


def _merge(top: list[list[str]]) -> list[str]:
    """One header row of pandas' two."""
    name = _index_name(top)
    return [name, *top[0][1:]] if name else top[0]


def build_table(
    frame: Frame, caption: list[nodes.Node], name: str, document: nodes.document, markup: bool = False
) -> nodes.table:
    """The docutils table of a frame."""
    table = nodes.table(classes=["frame", "colwidths-auto"])
    table["names"].append(nodes.fully_normalize_name(name))
    title = nodes.title("", "", *caption)
    group = nodes.tgroup(cols=len(frame.header))
    table += [title, group]
    numeric = [
        all(NUMBER.match(row[column]) or row[column] in NOTHING for row in frame.rows)
        and any(row[column] not in NOTHING for row in frame.rows)
        for column in range(len(frame.header))
    ]
    for column in range(len(frame.header)):
        spec = nodes.colspec(colwidth=1)
        if frame.labelled and column == 0:
            spec["stub"] = 1
        group += spec

    def words(cells: list[str], parse: bool) -> nodes.row:
        row = nodes.row()
        for column, cell in enumerate(cells):
            inside = inline_nodes(cell, document) if parse and cell else [nodes.Text(cell)]
            entry = nodes.entry("", nodes.paragraph("", "", *inside))
            if numeric[column]:
                entry["classes"].append("number")
            row += entry
        return row

    head, body = nodes.thead(), nodes.tbody()
    head += words(frame.header, parse=False)
    body += [words(row, parse=markup) for row in frame.rows]
    group += [head, body]
    return table


def group_of(header: list[str], rows: list[nodes.row]) -> nodes.tgroup:
    """The inside of a table whose first column labels the rows."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1, **({"stub": 1} if column == 0 else {})) for column in range(len(header))]
    head, body = nodes.thead(), nodes.tbody()
    head += row_of([[nodes.paragraph("", name)] for name in header])
    body += rows
    group += [head, body]
    return group


def row_of(cells: list[list[nodes.Node]], **attributes: Any) -> nodes.row:
    """A row; each cell is a list of paragraphs."""
    row = nodes.row(**attributes)
    row += [nodes.entry("", *cell) for cell in cells]
    return row


class FrameTables(SphinxTransform):
    """Replace data frames in cell outputs; early enough that numbers and labels see the tables."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """Walk the cells of one page."""
        for cell in list(self.document.findall(nodes.container)):
            if cell.get("nb_element") == "cell_code":
                self._cell(cell)

    def _cell(self, cell: nodes.container) -> None:
        wanted = (cell.get("cell_metadata") or {}).get("table")
        found = 0
        for bundle in list(cell.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            html = next((part for part in bundle if part.get("mime_type") == "text/html"), None)
            frame = read_frame(html.astext()) if html is not None else None
            if frame is None:
                continue
            found += 1
            if not isinstance(wanted, dict) or not wanted.get("caption") or not wanted.get("name"):
                self._warn(cell, "shows a data frame: its metadata needs `table:` with `caption` and `name`")
                continue
            for problem in frame.problems:
                self._warn(cell, f"shows a data frame that {problem}")
            if frame.problems or found > 1:
                continue
            caption = inline_nodes(str(wanted["caption"]), self.document)
            markup = bool(wanted.get("markup"))
            table = build_table(frame, caption, str(wanted["name"]), self.document, markup)
            table.source, table.line = cell.source, cell.line
            bundle.replace_self(table)
            self.document.note_explicit_target(table, table)
        if found > 1 and wanted:
            self._warn(cell, "shows several data frames: one table for one cell")
        if wanted and not found:
            self._warn(cell, "has `table:` in its metadata but shows no data frame")

    def _warn(self, cell: nodes.container, message: str) -> None:
        number = cell.get("cell_index", 0) + 1
        LOGGER.warning(f"cell {number} {message}", location=cell, type="book", subtype="table")


def add_scope(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say of every header cell what it heads; docutils leaves that out."""
    body = context.get("body")
    if body:
        body = re.sub(r'<th class="(?=[^"]*\bhead\b)', '<th scope="col" class="', body)
        context["body"] = re.sub(r'<th class="(?=[^"]*\bstub\b)', '<th scope="row" class="', body)


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_transform(FrameTables)
    app.connect("html-page-context", add_scope)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
