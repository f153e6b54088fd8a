"""The ledger: what the chapters' experiments found, on one page, and in the sentences that speak of it.

A chapter's experiment leaves its entry (`hpt.claims`) in the notebook. Here all entries are read, once every page has
been executed.

- ``{ledger} caption`` is the table of all of them, with a filter.
- ``{verdict}`id: words` `` writes the words, linked to the experiment, and warns if they are not the verdict.
- ``{claim}`id: field` `` writes a field of an entry: ``verdict`` (linked, too), ``reason``, ``effect``, ``mean``,
  ``low``, ``high``, ``n``, ``budget``, ``seconds``. ``{claim}`id: mean, condition` `` is the field of one condition;
  ``{claim}`id: mean:.2f, condition` `` has a format.

A warning, and so a failed strict build, is: a claim without an experiment, an experiment on another page than the
list of claims says, two experiments on one claim, fewer than 20 pairs, and a sentence that disagrees with its entry.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from hpt.claims import CLAIMS, LEAST, MIME

from book_tables import group_of, row_of

LOGGER = logging.getLogger(__name__)
FOLDER = "_ledger"
WORDS, LIST = "ledger-words", "ledger-list"
"""Marks in a page's metadata: it quotes entries, it lists all of them."""
HEADER = ["Claim", "Verdict", "Effect, with its 95 % interval", "Pairs, budget, results"]
CONDITION = ("effect", "mean", "low", "high", "n", "verdict", "reason")

FILTER = """\
<form class="ledger-filter" onsubmit="return false">
<label>Verdict <select id="ledger-verdict"><option value="">all</option>
<option value="ledger-supported">supported</option><option value="ledger-not">not supported here</option>
<option value="ledger-depends">depends on</option></select></label>
<label>Words <input id="ledger-words" type="search" autocomplete="off"></label>
<output id="ledger-count" aria-live="polite"></output>
</form>
<script>
document.addEventListener("DOMContentLoaded", () => {
  const kind = document.getElementById("ledger-verdict"), words = document.getElementById("ledger-words");
  const rows = [...document.querySelectorAll("table.ledger tbody tr")];
  const show = () => {
    const wanted = words.value.toLowerCase();
    const left = rows.filter((row) => {
      const asked = !kind.value || row.classList.contains(kind.value);
      row.hidden = !(asked && row.textContent.toLowerCase().includes(wanted));
      return !row.hidden;
    });
    document.getElementById("ledger-count").textContent = `${left.length} of ${rows.length} claims`;
  };
  kind.addEventListener("change", show);
  words.addEventListener("input", show);
  show();
});
</script>
"""


class ledger(nodes.General, nodes.Element):  # noqa: N801, docutils names nodes in lower case
    """Stands inside the table where its rows will be, until all chapters have run."""


class claim_words(nodes.General, nodes.Inline, nodes.Element):  # noqa: N801
    """Stands where words from an entry will be."""


def entries(folder: Path, pages: set[str]) -> list[dict[str, Any]]:
    """Read the entries out of the executed notebooks of these pages, each with its page and seconds."""
    found = []
    for page in sorted(pages):
        path = folder / f"{page}.ipynb"
        if not path.exists():
            continue
        for cell in json.loads(path.read_text())["cells"]:
            for output in cell.get("outputs", []):
                if MIME in output.get("data", {}):
                    seconds = output.get("metadata", {}).get(MIME, {}).get("seconds")
                    found.append({**output["data"][MIME], "page": page, "seconds": seconds})
    return found


def problems(found: list[dict[str, Any]], claims: dict[str, str]) -> list[tuple[str, str]]:
    """Compare the entries with the list of claims (id to page).

    Returns:
        For each problem the page and what is wrong there.
    """
    wrong = []
    by_id: dict[str, list[str]] = {}
    for entry in found:
        by_id.setdefault(entry["id"], []).append(entry["page"])
        for row in entry["rows"]:
            if row.get("confidence") not in (None, 0.95):
                wrong.append((entry["page"], f"the claim {entry['id']!r} has an interval of {row['confidence']:.0%}"))
            if row["n"] is not None and row["n"] < LEAST:
                where = f" under {row['condition']!r}" if row["condition"] else ""
                wrong.append(
                    (entry["page"], f"the claim {entry['id']!r} rests on {row['n']} pairs{where}, not {LEAST}")
                )
    for name, page in claims.items():
        pages = by_id.get(name, [])
        if not pages:
            wrong.append((page, f"the claim {name!r} has no experiment"))
        if len(pages) > 1:
            wrong.append((pages[1], f"the claim {name!r} has {len(pages)} experiments: {', '.join(pages)}"))
        if pages and page not in pages:
            wrong.append((pages[0], f"the claim {name!r} is tried here, and hpt.claims says {page}"))
    return wrong


def words_of(entry: dict[str, Any], text: str) -> str:
    """Return a field of an entry, as a role asks for it: ``field[:format][, condition]``.

    Raises:
        KeyError: for a field or condition that the entry does not have.
    """
    field, _, condition = (part.strip() for part in text.partition(","))
    field, _, form = field.partition(":")
    if condition and field not in CONDITION:
        raise KeyError(f"{field!r} is that of the whole entry")
    if field not in CONDITION or (not condition and field in ("verdict", "reason")):
        value = entry[field]
    else:
        rows = [row for row in entry["rows"] if not condition or row["condition"] == condition]
        if len(rows) != 1:
            raise KeyError(f"{condition!r} is none of {', '.join(repr(row['condition']) for row in entry['rows'])}")
        value = rows[0][field]
    if value is None:
        raise KeyError(f"{field!r} is empty")
    return f"{value:{form}}" if form else f"{value:.3g}" if isinstance(value, float) else str(value)


class ClaimRole(SphinxRole):
    """The roles ``claim`` and ``verdict``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a place for the words."""
        id, _, rest = self.text.partition(":")
        place = claim_words(claim=id.strip(), rest=" ".join(rest.split()), role=self.name)
        self.set_source_info(place)
        self.env.metadata[self.env.docname][WORDS] = "yes"
        return [place], []


class LedgerDirective(SphinxDirective):
    """The ``ledger`` directive; its argument is the table's caption."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Leave the filter, a table that can be numbered and referred to, and a place for its rows."""
        table = nodes.table(classes=["frame", "ledger", "colwidths-auto"], names=["tab-ledger"])
        table += [nodes.title(text=self.arguments[0]), ledger()]
        self.state.document.note_explicit_target(table, table)
        self.set_source_info(table)
        self.env.metadata[self.env.docname][LIST] = "yes"
        return [nodes.raw("", FILTER, format="html"), table]


class FillLedger(SphinxPostTransform):
    """Write the rows and the words, once everything has been executed."""

    default_priority = 8  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        """Replace the places."""
        found = {entry["id"]: entry for entry in self.app.book_entries}
        for place in list(self.document.findall(ledger)):
            place.replace_self(self._rows(self.app.book_entries))
        for place in list(self.document.findall(claim_words)):
            place.replace_self(self._words(place, found.get(place["claim"])))

    def _words(self, place: claim_words, entry: dict[str, Any] | None) -> nodes.Node:
        said = place["rest"]
        if entry is None:
            LOGGER.warning("no experiment has the claim %r", place["claim"], location=place)
            return nodes.Text(said)
        if place["role"] == "verdict" and said != entry["verdict"]:
            words = "the sentence says %r, and the verdict on %r is %r"
            LOGGER.warning(words, said, entry["id"], entry["verdict"], location=place)
        if place["role"] == "verdict" or said == "verdict":
            return self._link(entry, entry["verdict"])
        try:
            return nodes.Text(words_of(entry, said))
        except (KeyError, ValueError) as error:
            LOGGER.warning("the entry of %r has no %r: %s", entry["id"], said, error, location=place)
            return nodes.Text(said)

    def _link(self, entry: dict[str, Any], text: str) -> nodes.Node:
        page = posixpath.relpath(entry["page"], posixpath.dirname(self.env.docname)) + ".html"
        return nodes.reference("", text, refuri=f"{page}#claim-{entry['id']}", internal=True)

    def _rows(self, found: list[dict[str, Any]]) -> nodes.tgroup:
        rows = []
        for entry in found:
            measured = [
                nodes.paragraph(
                    "", (f"{row['condition']}: " if row["condition"] else "") + (row["effect"] or row["reason"])
                )
                for row in entry["rows"]
            ]
            pairs = sorted({row["n"] for row in entry["rows"] if row["n"] is not None})
            count = "–".join(map(str, dict.fromkeys([*pairs[:1], *pairs[-1:]])))
            spent = (f"{count} pairs; " if pairs else "") + entry["budget"]
            seconds = "unknown time" if entry["seconds"] is None else f"{entry['seconds']:.0f} s"
            cells = [
                [nodes.paragraph("", "", self._link(entry, entry["statement"]))],
                [nodes.paragraph("", entry["verdict"])],
                [nodes.paragraph("", "", nodes.emphasis("", entry["effect"])), *measured],
                [nodes.paragraph("", f"{spent}; seed {entry['seed']}; {seconds}"), self._results(entry)],
            ]
            kind = re.match(r"supported|not|depends", entry["verdict"])
            classes = [f"ledger-{kind.group() if kind else 'other'}"]
            rows.append(row_of(cells, classes=classes, ids=[f"ledger-{entry['id']}"]))
        return group_of(HEADER, rows)

    def _results(self, entry: dict[str, Any]) -> nodes.Node:
        if not entry["raw"]:
            return nodes.paragraph("", "on its page")
        uri = posixpath.relpath(f"{FOLDER}/{entry['id']}.csv", posixpath.dirname(self.env.docname))
        return nodes.paragraph("", "", nodes.reference("", f"{entry['id']}.csv", refuri=uri, internal=True))


def read(app: Any, env: Any) -> list[str]:
    """Read all entries and check them; where they changed, pages that show them are written again."""
    ran = {name for name, data in NbMetadataCollector.get_doc_data(env).items() if data.get("exec_data")}
    app.book_entries = entries(Path(env.mystnb_config.output_folder), ran & set(env.found_docs))
    showing = [name for name in env.found_docs if env.metadata[name].keys() & {WORDS, LIST}]
    whole = any(LIST in env.metadata[name] for name in showing)  # the book, not a few of its pages
    claims = {id: f"book/{claim.page}" for id, claim in CLAIMS.items()} if whole else {}
    for page, words in problems(app.book_entries, claims):
        LOGGER.warning(words, location=page)
    before, env.book_entries = getattr(env, "book_entries", None), app.book_entries
    return showing if before != app.book_entries else []


def write_results(app: Any, failed: Exception | None) -> None:
    """Put each experiment's results into the site, headed by what made them."""
    if failed or app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    for entry in app.book_entries:
        if entry["raw"]:
            folder.mkdir(exist_ok=True)
            made = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
            head = [entry["statement"], entry["effect"], f"{entry['budget']}; seed {entry['seed']}; {made}"]
            (folder / f"{entry['id']}.csv").write_text("".join(f"# {line}\n" for line in head) + entry["raw"])


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.book_entries = []
    app.add_node(ledger)
    app.add_node(claim_words)
    app.add_role("claim", ClaimRole())
    app.add_role("verdict", ClaimRole())
    app.add_directive("ledger", LedgerDirective)
    app.add_post_transform(FillLedger)
    app.connect("env-updated", read)
    app.connect("build-finished", write_results)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
