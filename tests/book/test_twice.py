"""The comparison of two builds sees what it should see."""

from __future__ import annotations

import json
from pathlib import Path

from .twice import differences, results


def notebook(folder: Path, *cells: tuple[list[str], list[dict[str, object]]]) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    content = [{"cell_type": "code", "metadata": {"tags": tags}, "outputs": outputs} for tags, outputs in cells]
    (folder / "page.ipynb").write_text(json.dumps({"cells": content}))
    return results(folder)


def glued(name: str, value: float) -> dict[str, object]:
    return {
        "output_type": "display_data",
        "metadata": {"scrapbook": {"name": name}},
        "data": {"application/papermill.record/text/plain": str(value)},
    }


def printed(text: str) -> dict[str, object]:
    return {"output_type": "stream", "name": "stdout", "text": [text]}


def test_equal_builds(tmp_path: Path) -> None:
    cells = (([], [printed("1"), glued("best", 0.5)]),)
    assert differences(notebook(tmp_path / "a", *cells), notebook(tmp_path / "b", *cells)) == []


def test_another_number_is_seen_by_its_name(tmp_path: Path) -> None:
    first = notebook(tmp_path / "a", ([], [glued("best", 0.5)]))
    second = notebook(tmp_path / "b", ([], [glued("best", 0.6)]))
    assert differences(first, second) == ["page, cell 1, best: 0.5  !=  0.6"]


def test_a_missing_output_is_seen(tmp_path: Path) -> None:
    first = notebook(tmp_path / "a", ([], [printed("1"), printed("2")]))
    second = notebook(tmp_path / "b", ([], [printed("1")]))
    assert differences(first, second) == ["page, cell 1, output 2: only in the first build"]


def test_seconds_may_vary(tmp_path: Path) -> None:
    first = notebook(tmp_path / "a", (["varies"], [printed("1 s")]), ([], [glued("search-seconds", 1)]))
    second = notebook(tmp_path / "b", (["varies"], [printed("2 s")]), ([], [glued("search-seconds", 2)]))
    assert differences(first, second) == []
