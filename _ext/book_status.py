"""What was run for this book, and for how long.

myst-nb brings a table of its own, but without a caption, and with file names in place of titles.
``{execution-status}`` writes one row for each executed chapter: its title, what it took (`book_parallel` measures
that), and whether it succeeded. The role ``{run-time}`` writes how long the chapter it stands in took.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

from book_parallel import MEASURES, read_json
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective, SphinxRole

from book_tables import group_of, row_of

HEADER = ["Chapter", "Seconds", "Processor seconds", "Memory, MB", "Outcome"]


class execution_status(nodes.General, nodes.Element):  # noqa: N801, docutils names nodes in lower case
    """Stands inside the table where its rows will be, until all chapters have run."""


class run_time(nodes.General, nodes.Inline, nodes.Element):  # noqa: N801
    """Stands where the chapter's own running time will be, once it has run."""


class RunTime(SphinxRole):
    """The ``run-time`` role; its text is for people who read the source."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a place for the seconds."""
        return [run_time()], []


class ExecutionStatus(SphinxDirective):
    """The ``execution-status`` directive; its argument is the table's caption."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Leave a table that can be numbered and referred to, and a place for its rows."""
        NbMetadataCollector.set_doc_data(self.env, self.env.docname, "has_exec_table", True)
        table = nodes.table(classes=["frame", "colwidths-auto"], names=["tab-execution-status"])
        table += [nodes.title(text=self.arguments[0]), execution_status()]
        self.state.document.note_explicit_target(table, table)
        self.set_source_info(table)
        return [table]


class FillExecutionStatus(SphinxPostTransform):
    """Write the table once everything has been executed."""

    default_priority = 8  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        """Replace the place by the rows."""
        for node in list(self.document.findall(execution_status)):
            node.replace_self(self._rows())
        for place in list(self.document.findall(run_time)):
            run = NbMetadataCollector.get_doc_data(self.env).get(self.env.docname, {}).get("exec_data") or {}
            seconds = run.get("runtime")
            place.replace_self(nodes.Text("an unknown time" if seconds is None else f"{seconds:.0f} seconds"))

    def _rows(self) -> nodes.tgroup:
        rows = []
        measures = read_json(Path(self.env.mystnb_config.execution_cache_path) / MEASURES)
        for page, data in sorted(NbMetadataCollector.get_doc_data(self.env).items()):
            run = data.get("exec_data")
            if run:
                took = {"seconds": run["runtime"], **measures.get(page, {})}
                numbers = [took.get(name) for name in ("seconds", "processor_seconds", "megabytes")]
                cells = [nodes.Text("unknown" if number is None else f"{number:.0f}") for number in numbers]
                outcome = "ran" if run["succeeded"] else str(run["error"] or "failed")
                inside = [self._link(page), *cells, nodes.Text(outcome)]
                rows.append(row_of([[nodes.paragraph("", "", node)] for node in inside]))
        return group_of(HEADER, rows)

    def _link(self, page: str) -> nodes.Node:
        here = posixpath.dirname(self.env.docname)
        uri = posixpath.relpath(page, here) + ".html"
        return nodes.reference("", self.env.titles[page].astext(), refuri=uri, internal=True)


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_node(execution_status)
    app.add_node(run_time)
    app.add_role("run-time", RunTime())
    app.add_directive("execution-status", ExecutionStatus)
    app.add_post_transform(FillExecutionStatus)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
