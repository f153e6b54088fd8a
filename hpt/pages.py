"""Pages: sections of labels and values as text, as Markdown and as HTML.

All three forms are made of the same sections, so they cannot say different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap

Section = tuple[str, list[tuple[str, str]]]
"""A heading, and below it labels with their values."""


def text(title: str, sections: Sequence[Section]) -> str:
    """Return a page as text of at most 72 columns, which fit a page of the book."""
    lines = wrap(title, 72)
    for heading, rows in sections:
        lines += ["", *wrap(heading, 72)]
        indent = min(22, max((len(label) for label, _ in rows), default=0) + 2)
        for label, value in rows:
            *above, last = wrap(label, 70) or [""]
            if above or len(last) >= indent:  # too long to stand beside its value
                above, last = [*above, last], ""
            first, *rest = wrap(value, 70 - indent) or [""]
            lines += ["  " + part for part in above]
            lines += [f"  {last:<{indent}}{first}", *(" " * (indent + 2) + part for part in rest)]
    return "\n".join(lines)


def markdown(title: str, sections: Sequence[Section]) -> str:
    """Return a page as Markdown, a table a section and no headings, so that it fits below any."""
    lines = [f"**{_cell(title)}**"]
    for heading, rows in sections:
        lines += ["", f"| {_cell(heading)} | |", "|---|---|"]
        lines += [f"| {_cell(label)} | {_cell(value)} |" for label, value in rows]
    return "\n".join(lines) + "\n"


def html(title: str, sections: Sequence[Section], page: bool = False) -> str:
    """Return a page as HTML: a fragment, or a page that stands alone, light or dark as the reader's system is."""
    upper, lower = ("h1", "h2") if page else ("h3", "h4")  # a fragment stands below headings of its page
    parts = [f"<{upper}>{escape(title)}</{upper}>"]
    for heading, rows in sections:
        parts.append(f"<{lower}>{escape(heading)}</{lower}><dl>{definitions(rows)}</dl>")
    body = f'<article class="hpt-report">{"".join(parts)}</article>'
    return _PAGE.format(title=escape(title), body=body) if page else body


def definitions(rows: Sequence[tuple[str, str]]) -> str:
    """Return labels with their values as the inside of an HTML definition list."""
    return "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows)


def versions() -> dict[str, str]:
    """Return what a result was made with: this package, Python, and the libraries that compute."""
    from importlib.metadata import version
    from platform import python_version

    import hpt

    others = {name: version(name) for name in ("tensorflow", "keras", "optuna", "scikit-learn", "numpy")}
    return {"hpt": hpt.__version__, "Python": python_version(), **others}


def _cell(value: str) -> str:
    return value.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 1.5rem; }}
dl {{ display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.25rem 1rem; }}
dt {{ font-weight: 600; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
