"""A book of two pages for trying the build: our real extensions, and the command that make uses."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import yaml

ROOT = Path(__file__).resolve().parents[2]
HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page

"""


@dataclass(frozen=True)
class Result:
    """How a build ended."""

    code: int
    log: str


def write_book(folder: Path, text: str | dict[str, str], package: str = "") -> Path:
    """A book in ``folder`` with the repository's own configuration and pages of ours.

    One text is the page called "page"; a dictionary gives several, by name.
    """
    pages = {"page": text} if isinstance(text, str) else text
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["logo"] = ""
    config["html"]["favicon"] = ""
    config["bibtex_bibfiles"] = ["references.bib"]
    config["sphinx"]["local_extensions"] = {name: str(ROOT / "_ext") for name in config["sphinx"]["local_extensions"]}
    config["sphinx"]["config"].update(book_cache_package=package, html_static_path=[], html_css_files=[])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    toc = {"format": "jb-book", "root": "index", "chapters": [{"file": name} for name in pages]}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    (folder / "references.bib").write_text("")
    (folder / "index.md").write_text("# A small book\n\nWords.\n")
    for name, words in pages.items():
        (folder / f"{name}.md").write_text(HEADER + dedent(words))
    return folder


def build_command() -> list[str]:
    """The arguments that the Makefile gives to jupyter-book, without the folder."""
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("BUILD :="))
    words = line.split()
    assert words[2].endswith("jupyter-book") and words[-1] == "."
    return words[3:-1]


def build(folder: Path, **environment: str) -> Result:
    """Run the strict build of a book, as `make book` does."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("jupyter-book")), *build_command(), str(folder)],
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Result(done.returncode, done.stdout + done.stderr)


def page(folder: Path, name: str = "page") -> str:
    """The HTML of a built page."""
    return (folder / "_build" / "html" / f"{name}.html").read_text()
