"""The sources of the chapters: each has what the house promises of a chapter, in the order of the house."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(
    path.relative_to(ROOT).as_posix()
    for part in ("foundations", "hyperparameters", "strategies", "tasks", "practice")
    for path in (ROOT / "book" / part).glob("*.md")
)
OPENING = ["What you will learn", "Before you start"]
CLOSING = ["What we measured", "Summary", "Exercises", "Quiz", "Further reading"]


def read(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_opens_and_closes_as_the_others_do(name: str) -> None:
    outside = re.sub(r"^(```|:::).*?^\1", "", read(name), flags=re.M | re.S)
    headings = re.findall(r"^## (.+)$", outside, flags=re.M)
    assert headings[:2] == OPENING
    assert headings[-5:] == CLOSING


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_exercise_has_a_solution(name: str) -> None:
    exercises = re.findall(r"^```\{exercise\}.*\n:label: (\S+)", read(name), flags=re.M)
    solutions = re.findall(r"^```\{solution(?:-start)?\} (\S+)", read(name), flags=re.M)
    assert len(exercises) >= 2
    assert exercises == solutions


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_question_of_the_quiz_has_a_right_answer_and_a_word_on_every_option(name: str) -> None:
    quiz = read(name).split("\n## Quiz\n")[1].split("\n## ")[0]
    questions = re.split(r"^\*\*\d+\.\*\* ", quiz, flags=re.M)[1:]
    assert len(questions) >= 2
    for question in questions:
        options = re.findall(r"^:::\{dropdown\} (.+)\n\*\*(Right|Wrong)\.\*\* (\S.*)", question, flags=re.M)
        assert len(options) == question.count("{dropdown}") >= 2, question
        assert "Right" in [verdict for _, verdict, _ in options], question


@pytest.mark.parametrize("name", CHAPTERS)
def test_cells_are_short(name: str) -> None:
    """The median cell that a reader sees has at most 8 lines, nine in ten have at most 20."""
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(?:---\n(.*?)\n---\n)?(.*?)^```", read(name), flags=re.M | re.S)
    lengths = sorted(len(body.strip().splitlines()) for options, body in cells if "remove-cell" not in options)
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[int(len(lengths) * 0.9)] <= 20


def test_callouts_are_warnings_and_tips_only() -> None:
    others = re.compile(r"^[`:]{3,}\{(?:note|important|caution|danger|hint|admonition)\}", re.M)
    assert [name for name in CHAPTERS if others.search(read(name))] == []
