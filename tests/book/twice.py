"""Whether the book computes the same numbers twice.

Executes every chapter anew, into a cache and a folder of its own, and compares each cell's outputs
with those of the last build. Cells tagged ``varies`` (they measure seconds) are left out, and so
are glued names that end in ``-seconds``. Run by ``make twice``, after ``make book``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build" / "jupyter_execute"
GLUED = "application/papermill.record/"


def visible(output: dict[str, Any]) -> Any:
    """What a reader sees of one output, without counters and widget ids."""
    if output["output_type"] == "stream":
        return output["name"], "".join(output["text"])
    if "data" not in output:
        return output["output_type"], output.get("ename")
    return {kind: content for kind, content in output["data"].items() if "widget" not in kind}


def results(folder: Path) -> dict[str, Any]:
    """Every output of every chapter below a folder, by chapter, cell and name or place."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        chapter = path.relative_to(folder).with_suffix("").as_posix()
        for number, cell in enumerate(json.loads(path.read_text())["cells"], start=1):
            if cell["cell_type"] != "code" or "varies" in cell["metadata"].get("tags", []):
                continue
            for place, output in enumerate(cell["outputs"], start=1):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
                if not name.endswith("-seconds"):
                    found[f"{chapter}, cell {number}, {name or f'output {place}'}"] = visible(output)
    return found


def shown(value: Any) -> str:
    """A short line for a report."""
    if isinstance(value, dict):
        value = value.get(GLUED + "text/plain") or value.get("text/plain") or sorted(value)
    text = " ".join(("".join(value) if isinstance(value, list) else str(value)).split())
    return text if len(text) < 100 else text[:97] + "..."


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """One line for each result that is not the same, or that only one of the two has."""
    lines = []
    for key in sorted(first.keys() | second.keys()):
        if key not in first or key not in second:
            lines.append(f"{key}: only in the {'second' if key not in first else 'first'} build")
        elif first[key] != second[key]:
            lines.append(f"{key}: {shown(first[key])}  !=  {shown(second[key])}")
    return lines


def main() -> int:
    """Build a second time and compare."""
    if not BUILT.is_dir():
        print("twice: nothing to compare with: run `make book` first", file=sys.stderr)
        return 1
    first = results(BUILT)
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sys.executable).with_name("jupyter-book"), "build", "--all", "-q", "."]
        subprocess.run(
            [*map(str, command), "--path-output", folder],
            cwd=ROOT,
            env={**os.environ, "BOOK_CACHE": str(Path(folder) / "cache")},
            check=True,
        )
        second = results(Path(folder) / "_build" / "jupyter_execute")
    lines = differences(first, second)
    for line in lines:
        print(f"twice: {line}", file=sys.stderr)
    print(f"twice: {len(first)} outputs compared, {len(lines)} differ")
    return 1 if lines or not first else 0


if __name__ == "__main__":
    sys.exit(main())
