"""Chapters side by side: executed once, kept with what they took, and a failing one is told by myst-nb itself."""

from __future__ import annotations

import json
from pathlib import Path

import book_parallel
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from .small import build, page, write_book

CELL = """\
    ```{code-cell} ipython3
    print("ran", NUMBER)
    ```
    """


def notebook(*sources: str) -> nbformat.NotebookNode:
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources], metadata=metadata)


def test_what_a_kernel_took_is_measured(tmp_path: Path) -> None:
    executed = notebook("x = bytearray(200 * 2**20)", "del x", "while __import__('time').process_time() < 1: pass")
    took = book_parallel.run(executed, tmp_path, 60)
    assert took["megabytes"] > 200  # the most, not the last
    assert took["processor_seconds"] >= 0.9
    assert took["seconds"] >= 0.5


def test_a_failing_cell_raises(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        book_parallel.run(notebook("1 / 0"), tmp_path, 60)


@pytest.mark.build
def test_every_chapter_is_executed_once_and_nothing_when_nothing_changed(tmp_path: Path) -> None:
    pages = {"one": CELL.replace("NUMBER", "1"), "two": CELL.replace("NUMBER", "2")}
    folder = write_book(tmp_path / "book", pages)
    first = build(folder)
    assert first.code == 0, first.log
    assert "executing 2 chapters" in first.log
    assert "Executing notebook" not in first.log  # myst-nb found both in the cache
    again = build(folder)
    assert again.code == 0, again.log
    assert "executing" not in again.log.lower()
    for name, number in (("one", 1), ("two", 2)):
        assert f"ran {number}" in page(folder, name)
        beside = json.loads((folder / "_build" / "jupyter_execute" / f"{name}.ipynb").read_text())
        assert f"ran {number}" in str(beside["cells"][1]["outputs"][0]["text"])
    [measures] = (folder / "_build" / ".book_cache").glob("*/measures.json")
    assert set(json.loads(measures.read_text())) == {"one", "two"}
