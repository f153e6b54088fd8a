"""No picture without words.

An image needs a text that says what it shows, and a live figure needs a name, so that the prose
can point to it, and a caption. Both are easily forgotten and seen by nobody who can see the
picture, so a page without them is a warning and the strict build fails. A cell gives them as::

    ---
    mystnb:
      image:
        alt: Validation loss over epochs for three learning rates; the largest one diverges.
      figure:
        name: fig-learning-rates
        caption: Three learning rates on the same network.
    ---
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
FILE_NAME = re.compile(r"^\S+\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)
LOGOS = {"image", "figure", "plot", "graph", "chart", "picture", "logo", "diagram", "alt"}
IMG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


def is_real(alt: str | None) -> bool:
    """Whether an alternative text says something: no file name, no single empty word."""
    text = (alt or "").strip()
    return bool(text) and not FILE_NAME.match(text) and text.lower().strip(" .") not in LOGOS


class RequireWords(SphinxTransform):
    """Warn about images without alternative text and live figures without caption or name."""

    default_priority = 840

    def apply(self, **kwargs: Any) -> None:
        """Look at every image of one page."""
        for image in self.document.findall(nodes.image):
            if not is_real(image.get("alt")):
                self._warn(image, f"image {_short(image)} has no alternative text", "alt")
        for raw in self.document.findall(nodes.raw):
            if "html" in raw.get("format", "").split():
                for tag in IMG.findall(raw.astext()):
                    match = ALT.search(tag)
                    if not match or not is_real(match.group(1) or match.group(2)):
                        self._warn(raw, f"image {tag[:60]} has no alternative text", "alt")
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") == "mime_bundle":
                self._live_figure(bundle)

    def _live_figure(self, bundle: nodes.container) -> None:
        glued = any("papermill" in part.get("mime_type", "") for part in bundle)
        if glued or not any(part.get("mime_type", "").startswith("image/") for part in bundle):
            return
        figure = bundle.parent
        if not isinstance(figure, nodes.figure) or not figure["ids"]:
            self._warn(bundle, "figure of a code cell has no `mystnb: figure: name`", "figure")
        elif not any(isinstance(child, nodes.caption) for child in figure):
            self._warn(bundle, "figure of a code cell has no `mystnb: figure: caption`", "figure")

    def _warn(self, node: nodes.Node, message: str, kind: str) -> None:
        LOGGER.warning(message, location=_located(node), type="book", subtype=kind)


def _located(node: nodes.Node) -> nodes.Node:
    """The nearest node that knows its line."""
    while node.line is None and node.parent is not None:
        node = node.parent
    return node


def _short(image: nodes.image) -> str:
    return str(image.get("uri", "")).rsplit("/", 1)[-1][:40]


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_transform(RequireWords)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
