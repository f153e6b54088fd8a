"""Formulas as MathML.

Sphinx's default is MathJax from another server: a page then waits for a megabyte of script, and
without a network shows raw LaTeX. Browsers have read MathML by themselves since 2023, so every
formula is translated once, during the build, and the page needs no script at all.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)
LIMIT_OPERATOR = re.compile(r"\\operatorname\*\{([^{}]*)\}_(?:\{([^{}]*)\}|(\w|\\[a-zA-Z]+))")

LIMIT_NAME = re.compile(r"\\(max|min|sup|inf|lim)_(?:\{([^{}]*)\}|(\w|\\[a-zA-Z]+))")


def to_mathml(latex: str, display: bool) -> str:
    """Translate LaTeX; a display formula of several lines is aligned."""
    latex = latex.strip()
    if display and r"\\" in latex and r"\begin{" not in latex:
        latex = r"\begin{align*}" + latex + r"\end{align*}"
    # Numbered environments make no difference here: Sphinx writes the number beside the formula.
    latex = re.sub(r"\\(begin|end)\{(align|aligned|equation|gather|split)\*?\}", _inner_environment, latex)
    # latex2mathml does not know the starred operator, whose index stands below it.
    latex = LIMIT_OPERATOR.sub(r"\\underset{\2\3}{\\mathrm{\1}}", latex)
    latex = latex.replace(r"\operatorname*", r"\operatorname")
    if display:
        latex = LIMIT_NAME.sub(r"\\underset{\2\3}{\\\1}", latex)
    return str(convert(latex, display="block" if display else "inline"))


def _inner_environment(match: re.Match[str]) -> str:
    return "" if match[2] == "equation" else rf"\{match[1]}{{align*}}"


def _convert(self: Any, node: nodes.Node, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display)
    except Exception as error:
        reason = str(error) or type(error).__name__
        LOGGER.warning(f"formula {node.astext()!r}: {reason}", location=node, type="book", subtype="math")
        return f"<code>{self.encode(node.astext())}</code>"


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write a formula inside a line."""
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(_convert(self, node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number when it has a label."""
    self.body.append(self.starttag(node, "div", "", CLASS="math math-display"))
    self.body.append(_convert(self, node, display=True))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
