"""A chapter is executed again when anything that its numbers depend on has changed, and only then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import book_cache
from .small import build, write_book

PATTERNS = ["fake/**/*.py", "fake/datasets/**/*"]
VERSIONS = {"numpy": "2.0.0", "optuna": "5.0.0"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "fake" / "datasets").mkdir(parents=True)
    (tmp_path / "fake" / "__init__.py").write_text("ANSWER = 1\n")
    (tmp_path / "fake" / "datasets" / "rows.csv").write_text("x\n1\n")
    return tmp_path


def fingerprint(root: Path, **versions: str) -> str:
    return book_cache.fingerprint(root, PATTERNS, {**VERSIONS, **versions})


def test_nothing_changed(root: Path) -> None:
    before = fingerprint(root)
    (root / "fake" / "__pycache__").mkdir()
    (root / "fake" / "__pycache__" / "x.py").write_text("bytecode")
    (root / "README.md").write_text("other words")
    (root / "fake" / "__init__.py").touch()
    assert fingerprint(root) == before


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fake/__init__.py", "ANSWER = 2\n"),
        ("fake/deeper/module.py", "NEW = 1\n"),
        ("fake/datasets/rows.csv", "x\n2\n"),
        ("fake/datasets/more.csv", "x\n1\n"),
    ],
)
def test_source_or_data_changed(root: Path, path: str, text: str) -> None:
    before = fingerprint(root)
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(text)
    assert fingerprint(root) != before


def test_a_renamed_file_is_a_change(root: Path) -> None:
    before = fingerprint(root)
    (root / "fake" / "datasets" / "rows.csv").rename(root / "fake" / "datasets" / "lines.csv")
    assert fingerprint(root) != before


def test_a_version_changed(root: Path) -> None:
    assert fingerprint(root, optuna="5.0.1") != fingerprint(root)
    assert fingerprint(root, ray="2.0") != fingerprint(root)


def test_installed_versions_are_those_of_this_environment() -> None:
    import numpy

    assert book_cache.installed_versions()["numpy"] == numpy.__version__


def test_a_package_from_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"'pytest' from .* but it comes from"):
        book_cache.check_package("pytest", tmp_path)
    with pytest.raises(RuntimeError, match="it is not installed"):
        book_cache.check_package("no_such_package_anywhere", tmp_path)


def test_old_caches_go_and_the_present_one_stays(tmp_path: Path) -> None:
    import os

    for age, name in enumerate(["d", "c", "b", "a", "present"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (age, age))
    os.utime(tmp_path / "present", (0, 0))
    book_cache.remove_old(tmp_path, "present", keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "present"]


@pytest.mark.build
def test_chapters_execute_again_exactly_when_needed(tmp_path: Path) -> None:
    """Through the real build: the page counts its own executions in a file beside it."""
    text = """\
    ```{code-cell} ipython3
    from pathlib import Path
    import sys
    sys.path.insert(0, ".")
    import fake
    runs = Path("runs.txt")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    print(fake.ANSWER, Path("fake/datasets/rows.csv").read_text().split()[1])
    ```
    """
    write_book(tmp_path, text)
    (tmp_path / "fake" / "datasets").mkdir(parents=True)
    source, data = tmp_path / "fake" / "__init__.py", tmp_path / "fake" / "datasets" / "rows.csv"
    source.write_text("ANSWER = 1\n")
    data.write_text("x\n1\n")
    config = tmp_path / "_config.yml"
    config.write_text(
        config.read_text().replace(
            "    book_cache_package: ''",
            "    book_cache_package: ''\n    book_cache_files: ['fake/**/*.py', 'fake/datasets/*']",
        )
    )
    library = tmp_path / "site" / "fakelib-1.0.dist-info"
    library.mkdir(parents=True)

    def version(number: str) -> None:
        (library / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fakelib\nVersion: {number}\n")

    def runs_after_build() -> int:
        result = build(tmp_path, PYTHONPATH=str(library.parent), PYTHONDONTWRITEBYTECODE="1")
        assert result.code == 0, result.log
        return len((tmp_path / "runs.txt").read_text())

    version("1.0")
    assert runs_after_build() == 1
    assert runs_after_build() == 1, "nothing changed, and yet it was executed again"
    offered = json.loads((tmp_path / "_build" / "html" / "page.ipynb").read_text())
    assert any(cell.get("outputs") for cell in offered["cells"]), "the notebook for download lost its outputs"
    source.write_text("ANSWER = 2\n")
    assert runs_after_build() == 2, "the package's source changed"
    assert "2 1" in (tmp_path / "_build" / "html" / "page.html").read_text()
    version("1.1")
    assert runs_after_build() == 3, "a dependency's version changed"
    data.write_text("x\n7\n")
    assert runs_after_build() == 4, "the data changed"
    assert "2 7" in (tmp_path / "_build" / "html" / "page.html").read_text()
    chapter = tmp_path / "page.md"
    chapter.write_text(chapter.read_text().replace("print(fake", "print('now', fake"))
    assert runs_after_build() == 5, "a cell changed"
    chapter.write_text(chapter.read_text() + "\nMore words.\n")
    assert runs_after_build() == 5, "only prose changed"
