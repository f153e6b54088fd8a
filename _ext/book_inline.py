"""One line of MyST to docutils nodes, for captions and table cells that a transform writes."""

from __future__ import annotations

from docutils import nodes
from docutils.utils import new_document
from myst_parser.parsers.sphinx_ import MystParser


def inline_nodes(text: str, document: nodes.document) -> list[nodes.Node]:
    """Parse ``text`` as the inside of a paragraph; roles, emphasis, code, math and links work."""
    part = new_document(document["source"], document.settings)
    MystParser().parse(text, part)
    children: list[nodes.Node] = []
    for block in part.children:
        if isinstance(block, nodes.paragraph):
            if children:
                children.append(nodes.Text(" "))
            children.extend(block.children)
        elif isinstance(block, nodes.system_message):
            children.append(block)
    return children or [nodes.Text(text)]
