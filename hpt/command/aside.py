"""What is said on the way: it goes to the standard error, so that the standard output holds the result alone.

It is said only once training begins. A command that is refused says one line, its error, and no more.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import TextIOBase
from typing import Any

from hpt.command import as_typed
from hpt.tasks import Task
from hpt.training import Member, Run, Trainer


class Aside(TextIOBase):
    """Takes what is printed, and from `begin` on passes it to the standard error, with advice as it is typed here.

    Args:
        quiet: pass on nothing.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._held: list[str] | None = []

    def write(self, text: str) -> int:
        """Take a text."""
        if self._held is None:
            self._say(text)
        else:
            self._held.append(text)
        return len(text)

    def begin(self) -> None:
        """Say what was held back, and from now on everything at once."""
        held, self._held = self._held, None
        if held:
            self._say("".join(held))

    def _say(self, text: str) -> None:
        from tqdm import tqdm

        if not self._quiet:
            tqdm.write(as_typed(text), file=sys.stderr, end="")  # above a progress bar, if there is one


@contextmanager
def aside(quiet: bool) -> Iterator[Aside]:
    """Turn aside what the package prints and warns of; after an error nothing of it is said.

    Args:
        quiet: say nothing at all.
    """
    said = Aside(quiet)

    def warn(message: Warning | str, *_: Any, **__: Any) -> None:
        said.write(f"hpt: warning: {message}\n")

    with warnings.catch_warnings(), redirect_stdout(said):
        warnings.filterwarnings("always", category=UserWarning, module=r"hpt\.")
        warnings.showwarning = warn
        yield said
    said.begin()


@dataclass(frozen=True)
class Beginning:
    """A trainer that says what was held back when the first networks start, and loads TensorFlow in silence.

    TensorFlow writes to the standard error before it reads how much it may say. See `hpt.training.Trainer`.

    Args:
        trainer: does the work.
        said: what was held back.
    """

    trainer: Trainer
    said: Aside

    def together(self, task: Task) -> int:
        """Return how many members are worth starting at once."""
        return self.trainer.together(task)

    def start(self, task: Task, members: Sequence[Member]) -> Run:
        """Build the members, untrained."""
        self.said.begin()
        if "tensorflow" not in sys.modules:
            _load_tensorflow()
        return self.trainer.start(task, members)

    def advance(self, waiting: Sequence[tuple[Run, int]]) -> None:
        """Train the members of each run until they have seen its number of epochs."""
        self.trainer.advance(waiting)


def _load_tensorflow() -> None:
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
