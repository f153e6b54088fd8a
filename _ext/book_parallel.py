"""Chapters are executed side by side, the long ones first.

Sphinx reads one page after the other, and myst-nb executes a page while it reads it. Here all pages that are about to
be read and are not in the cache are executed before, one a core and at most `MOST` at a time, and put into it;
myst-nb then finds them there. A chapter that fails is left out: myst-nb runs it again and says what is wrong.

What a kernel took (seconds on the clock, seconds of its processors, peak memory) is kept beside the cache, for the
page that shows it.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat
import psutil
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
MEASURES = "measures.json"
"""In the cache's folder: for each chapter what its execution took."""
ORDER = "order.json"
"""Beside the caches' folders: the seconds of each chapter when it was last executed, whatever the fingerprint."""
MOST = 4
"""Chapters at a time; each may take 2 GB."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that may not be there yet."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def run(notebook: Any, folder: Path, timeout: float) -> dict[str, float]:
    """Execute a notebook in place.

    Returns:
        ``seconds`` on the clock, ``processor_seconds`` of the kernel, all threads together, and ``megabytes``, the
        most memory that it held.

    Raises:
        RuntimeError, CellExecutionError: if the kernel, or a cell, does not come to its end.
    """
    measured = {"processor_seconds": 0.0, "megabytes": 0.0}

    def look(**_: Any) -> None:
        kernel = psutil.Process(client.km.provisioner.pid)
        times = kernel.cpu_times()
        measured["processor_seconds"] = times.user + times.system
        measured["megabytes"] = max(measured["megabytes"], peak_memory(kernel) / 2**20)

    client = NotebookClient(
        notebook,
        timeout=int(timeout),
        record_timing=False,
        startup_timeout=300,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=look,
    )
    start = perf_counter()
    client.execute()
    return {"seconds": perf_counter() - start, **measured}


def peak_memory(process: psutil.Process) -> float:
    """Bytes that a process held at most; where the system does not say, what it holds now."""
    status = Path(f"/proc/{process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return float(process.memory_info().rss) if kilobytes is None else 1024 * float(kilobytes)


def execute(app: Any, env: Any, names: list[str]) -> None:
    """Execute what the cache does not hold among the pages that will be read."""
    config = env.mystnb_config
    if config.execution_mode != "cache":
        return
    cache, waiting = get_cache(config.execution_cache_path), {}
    for name in names:
        path = Path(env.doc2path(name))
        text = path.read_text()
        reader = create_nb_reader(str(path), env.myst_config, config, text)
        notebook = reader.read(text) if reader is not None else None
        if notebook is None or not any(cell.cell_type == "code" for cell in notebook.cells):
            continue
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            waiting[name] = notebook, path, reader.read_fmt
    if not waiting:
        return
    folder = Path(config.execution_cache_path)
    order = read_json(folder.parent / ORDER)
    longest_first = sorted(waiting, key=lambda name: order.get(name, len(waiting[name][0].cells)), reverse=True)
    workers = min(MOST, os.cpu_count() or 1)
    LOGGER.info("executing %d chapters, %d at a time", len(waiting), workers)
    with ThreadPoolExecutor(workers) as pool:
        running = {
            pool.submit(run, waiting[name][0], waiting[name][1].parent, config.execution_timeout): name
            for name in longest_first
        }
        for future in as_completed(running):
            name = running[future]
            notebook, path, format_ = waiting[name]
            try:
                took = future.result()
            except Exception as error:  # whatever it is, the other chapters' results are kept
                LOGGER.info("%s did not come to its end (%s), and is tried once more", name, type(error).__name__)
                continue
            LOGGER.info("executed %s in %.0f seconds", name, took["seconds"])
            staged = cache.add_nb_to_project(str(path), **({"read_data": format_} if format_ else {}))
            bundle = CacheBundleIn(notebook, staged.uri, data={"execution_seconds": took["seconds"]})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            order[name] = took["seconds"]
            measures = read_json(folder / MEASURES) | {name: took}
            (folder / MEASURES).write_text(json.dumps(measures))
            (folder.parent / ORDER).write_text(json.dumps(order))


def fill(app: Any, env: Any) -> None:
    """Put the outputs into the notebooks beside the site: myst-nb writes those that it took from the cache without."""
    if env.mystnb_config.execution_mode != "cache":
        return
    cache = get_cache(env.mystnb_config.execution_cache_path)
    for name in env.found_docs:
        path = Path(env.mystnb_config.output_folder) / f"{name}.ipynb"
        if path.exists():
            with suppress(KeyError):  # a page without cells
                _, notebook = cache.merge_match_into_notebook(nbformat.read(path, as_version=4))
                nbformat.write(notebook, path)


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("env-before-read-docs", execute)
    app.connect("env-updated", fill, priority=400)  # before anybody reads them
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
