"""Training: one seam, `Trainer`, behind which members are trained.

A *member* is one network in the making: a configuration, a fold, a seed. A trainer starts a batch of
members, advances them to an epoch, and keeps the survivors. The study loop knows nothing more, so a trainer
that takes one network at a time and one that takes a hundred look the same from above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from hpt.data import Array
    from hpt.tasks import Task

Status = Literal["complete", "diverged", "failed", "interrupted"]


@dataclass(frozen=True)
class Member:
    """One network to train.

    Attributes:
        configuration: its hyperparameters; what is left out comes from `hpt.networks.DEFAULTS`.
        seed: of its weights, its dropout and the order of its rows.
        fold: which fold of the task's split it trains on.
    """

    configuration: Mapping[str, Any]
    seed: int
    fold: int = 0


@dataclass
class Progress:
    """How far a member has come.

    Attributes:
        status: ``"complete"`` as long as all is well; ``"diverged"`` when a loss stopped being finite;
            ``"failed"`` when building or training raised.
        reason: why it is not well, one line.
        curve: a dict an epoch: ``epoch`` (from 1), ``train_loss``, ``val_loss`` and ``score``, the objective on
            the validation part.
        metrics: every metric of the task on the validation part, at the epoch that counts.
        best_epoch: the epoch that counts: the last one, or with early stopping the one of lowest ``val_loss``.
        stopped: early stopping has ended this member.
        seconds: wall-clock spent so far.
    """

    status: Status = "complete"
    reason: str = ""
    curve: list[dict[str, float]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    stopped: bool = False
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Epochs trained so far."""
        return len(self.curve)


def inherited(progress: Progress) -> Progress:
    """Return the progress with which an heir goes on: the same curve, no seconds yet, and early stopping undone."""
    over = progress.stopped and progress.status != "complete"
    return replace(progress, curve=list(progress.curve), metrics=dict(progress.metrics), seconds=0.0, stopped=over)


def failure(error: Exception) -> Progress:
    """Return the progress of a member whose building or training raised."""
    said = (str(error).strip() or "no message").splitlines()[0]
    return Progress("failed", f"{type(error).__name__}: {said}", stopped=True)


class Run(Protocol):
    """Members that were started."""

    @property
    def progress(self) -> list[Progress]:
        """How far the members have come, in the current order."""

    def advance(self, epoch: int) -> list[Progress]:
        """Train every kept member until it has seen ``epoch`` epochs; return all progress so far."""

    def keep(self, survivors: Sequence[int], heirs: Mapping[int, Member] | None = None) -> None:
        """Go on with these members and forget the others.

        Args:
            survivors: positions in the current order. Who is named twice is copied.
            heirs: by the new position, what a copy is from now on. It goes on from the weights and the optimizer's
                memory of the survivor, with a configuration and a seed of its own. Its layers must be the same.
        """

    def model(self, position: int) -> Any:
        """Return a member as a Keras model."""

    def outputs(self, position: int, x: Array) -> Array:
        """Return a member's answers ``(rows, outputs)``, as of the epoch that counts, for scaled inputs."""


class Trainer(Protocol):
    """Trains members of a task."""

    def together(self, task: Task) -> int:
        """Return how many members are worth starting at once; what they have done is known when all are done."""

    def start(self, task: Task, members: Sequence[Member]) -> Run:
        """Build the members, untrained."""

    def advance(self, waiting: Sequence[tuple[Run, int]]) -> None:
        """Train the members of each run until they have seen its number of epochs, all runs side by side.

        The runs come from `start` of this trainer, for one task.
        """
