"""A site that is whole by itself.

No page asks anything of another server: what default extensions would load from elsewhere is
taken out (sphinx-thebe also throws an error on every page when its buttons are off). Every
chapter offers its executed notebook for download. The colour mode follows the reader's system.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
EXECUTED = "jupyter_execute"
"""The folder beside the site where myst-nb leaves the executed notebooks."""


def _file_name(asset: Any) -> str:
    return str(getattr(asset, "filename", asset) or "")


def _is_foreign(asset: Any) -> bool:
    """Whether a script or style comes from elsewhere, or belongs to sphinx-thebe."""
    name = _file_name(asset)
    body = str(getattr(asset, "attributes", {}).get("body", ""))
    return "://" in name or name.startswith("//") or "thebe" in name.lower() or "THEBE" in body


def notebook_of(app: Any, page: str) -> Path | None:
    """The executed notebook of a page, if it has one."""
    path = Path(app.outdir).parent / EXECUTED / f"{page}.ipynb"
    kernel = app.env.metadata.get(page, {}).get("kernelspec") if page in app.env.all_docs else None
    return path if kernel and path.is_file() else None


def page_context(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Filter a page's assets and add its notebook to the download button."""
    context["default_mode"] = "auto"
    for kind in ("script_files", "css_files"):
        if kind in context:
            context[kind][:] = [asset for asset in context[kind] if not _is_foreign(asset)]
    if notebook_of(app, page) is None:
        return
    for button in context.get("header_buttons", []):
        if button.get("label") == "download-buttons":
            button["buttons"].insert(
                0,
                {
                    "type": "link",
                    "url": page.rsplit("/", 1)[-1] + ".ipynb",
                    "text": ".ipynb",
                    "icon": "fas fa-code",
                    "tooltip": "Download the executed notebook",
                    "label": "download-notebook-button",
                },
            )


def copy_notebooks(app: Any, error: Exception | None) -> None:
    """Put every executed notebook beside its page."""
    if error is not None or app.builder.format != "html":
        return
    for page in sorted(app.env.all_docs):
        source = notebook_of(app, page)
        if source is not None:
            restore_outputs(source, app.config.nb_execution_cache_path)
            target = Path(app.outdir) / f"{page}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def restore_outputs(path: Path, cache: str) -> None:
    """Fill in what myst-nb left out: of a notebook from its cache it writes the cells without their outputs."""
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    if cache and not any(cell.get("execution_count") for cell in notebook.cells):
        _, notebook = get_cache(cache).merge_match_into_notebook(notebook)
        nbformat.write(notebook, path)


def unhook_thebe(app: Any) -> None:
    """Stop sphinx-thebe from adding its configuration to pages."""
    for event in app.events.listeners.values():
        event[:] = [hook for hook in event if not hook.handler.__module__.startswith("sphinx_thebe")]


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("config-inited", lambda app, config: unhook_thebe(app), priority=1)
    app.connect("html-page-context", page_context, priority=900)
    app.connect("build-finished", copy_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
