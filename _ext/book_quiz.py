r"""Quizzes that answer back, without JavaScript.

Each option is a ``<details>`` element: a reader opens it with the mouse or the keyboard and finds
out whether it is right and why, for wrong options too. The source reads as a list::

    ```{quiz}
    Which of these is a hyperparameter?

    - [x] The learning rate -- It is set before training starts.
    - [ ] A weight of the first layer -- Training itself finds it: a parameter.
    ```
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)
OPTION = re.compile(r"^[-*] \[([ xX])\]\s+(.*)$")
SEPARATOR = re.compile(r"\s+(?:--|–|—)\s+")
EXPECTED = "expected a question, a blank line, and options `- [x] answer -- why` or `- [ ] answer -- why`"


class quiz(nodes.General, nodes.Element):  # noqa: N801, docutils names nodes in lower case
    """A question with its options."""


class quiz_option(nodes.General, nodes.Element):  # noqa: N801
    """One option: children are the answer and the feedback."""


class quiz_answer(nodes.General, nodes.TextElement):  # noqa: N801
    """What can be chosen."""


class quiz_feedback(nodes.General, nodes.Element):  # noqa: N801
    """What the reader finds when the option is opened."""


def read_quiz(lines: list[str]) -> tuple[list[str], list[tuple[bool, str, str]], list[str]]:
    """Split a quiz's text into the question's lines, (right, answer, feedback) and problems."""
    question: list[str] = []
    options: list[tuple[bool, str]] = []
    for line in lines:
        match = OPTION.match(line)
        if match:
            options.append((match[1] != " ", match[2].strip()))
        elif options:
            right, text = options[-1]
            options[-1] = (right, f"{text} {line.strip()}".strip())
        else:
            question.append(line)
    problems = []
    if not "".join(question).strip():
        problems.append("has no question")
    if len(options) < 2:
        problems.append(f"has {len(options)} options")
    elif not any(right for right, _ in options):
        problems.append("has no right option")
    parsed = []
    for right, text in options:
        answer, *feedback = SEPARATOR.split(text, maxsplit=1)
        if not feedback or not feedback[0].strip() or not answer.strip():
            problems.append(f"gives no feedback for {answer!r}")
        parsed.append((right, answer, feedback[0] if feedback else ""))
    return question, parsed, problems


class Quiz(SphinxDirective):
    """The ``quiz`` directive."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parse one question and its options."""
        question, options, problems = read_quiz(list(self.content))
        for problem in problems:
            LOGGER.warning(f"quiz {problem}: {EXPECTED}", location=self.get_location(), type="book", subtype="quiz")
        result = quiz()
        self.set_source_info(result)
        self._parse(question, result)
        for right, answer, feedback in options:
            option = quiz_option(right=right)
            option += [
                self._inline(answer, quiz_answer()),
                self._parse([feedback], quiz_feedback(right=right)),
            ]
            result += option
        return [result]

    def _parse(self, lines: list[str], into: nodes.Element) -> nodes.Element:
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), self.content_offset, into)
        return into

    def _inline(self, text: str, into: nodes.Element) -> nodes.Element:
        for block in self._parse([text], nodes.Element()):
            into += block.children if isinstance(block, nodes.paragraph) else [block]
        return into


def _visit_quiz(self: Any, node: quiz) -> None:
    self.body.append(self.starttag(node, "div", CLASS="quiz", ROLE="group", **{"aria-label": "Quiz question"}))


def _visit_option(self: Any, node: quiz_option) -> None:
    self.body.append('<details class="quiz-option">\n')


def _visit_answer(self: Any, node: quiz_answer) -> None:
    self.body.append("<summary><span>")


def _visit_feedback(self: Any, node: quiz_feedback) -> None:
    kind, words = ("right", "✓ Right.") if node["right"] else ("wrong", "✗ Not this one.")
    self.body.append(f'<div class="quiz-feedback quiz-{kind}"><p class="quiz-verdict">{words}</p>')


def _closing(tag: str) -> Any:
    def depart(self: Any, node: nodes.Node) -> None:
        self.body.append(tag)

    return depart


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_directive("quiz", Quiz)
    app.add_node(quiz, html=(_visit_quiz, _closing("</div>\n")))
    app.add_node(quiz_option, html=(_visit_option, _closing("</details>\n")))
    app.add_node(quiz_answer, html=(_visit_answer, _closing("</span></summary>\n")))
    app.add_node(quiz_feedback, html=(_visit_feedback, _closing("</div>\n")))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
