"""The objective: a task as a library sees it, a function from a configuration to a loss.

It trains what the library asks for and keeps what came out, so that a search by any library ends as a `Study`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpt.baselines import baseline
from hpt.samplers import Random
from hpt.samplers.base import fixed
from hpt.search import Search, Trial, longest
from hpt.strategies import Strategy
from hpt.study import Study, study_of
from hpt.tasks import Task
from hpt.training import Progress, Run, Trainer


@dataclass
class Ongoing:
    """A trial in training, and its networks, one a fold."""

    trial: Trial
    run: Run
    spent: int = 0


class Objective:
    """Trains configurations of a task one after another, and keeps a record of them.

    Args:
        task: the problem.
        name: of the search, for the study.
        seed: of the networks: trial ``i`` has the same seeds as trial ``i`` of `hpt.tune`.
        trainer: trains the networks, default `hpt.training.stack.Stack`.
        folds: of the task that every trial trains on, default all.
        watch: as `hpt.search.Search` takes it.

    Attributes:
        task: the problem.
        search: where the trials are kept.
        folds: positions of the folds that are trained on.

    >>> import hpt
    >>> objective = Objective(hpt.task("wine"), "by hand")  # doctest: +SKIP
    >>> objective({"units": 32, "learning_rate": 0.01, ...})  # doctest: +SKIP
    """

    def __init__(
        self,
        task: Task,
        name: str,
        seed: int = 0,
        trainer: Trainer | None = None,
        *,
        folds: Sequence[int] | None = None,
        watch: Callable[[Run, Sequence[int]], float] | None = None,
    ) -> None:
        from hpt.training.stack import Stack

        self.task = task
        self.search = Search(task, Strategy(name, Random()), trainer or Stack(), seed, folds=folds, watch=watch)
        self.folds = self.search.folds

    def __call__(self, configuration: Mapping[str, Any], number: int | None = None) -> float:
        """Train a configuration in full; return its loss, infinite where a network diverged or failed."""
        going = self.begin(configuration, number)
        loss = self.advance(going, self.epochs(configuration))
        self.end(going)
        return loss

    def epochs(self, configuration: Mapping[str, Any]) -> int:
        """Return how long a configuration trains in full."""
        return longest(self.task, configuration)

    def begin(self, configuration: Mapping[str, Any], number: int | None = None) -> Ongoing:
        """Open a trial.

        Args:
            configuration: values by name; what a condition leaves out must be left out.
            number: of the trial, default the next one. Several processes that share a storage give its numbers.

        Raises:
            InvalidInput: for a configuration that is not of the task's space.
        """
        trial = self._open(configuration, number)
        return Ongoing(trial, self.search.start([trial]))

    def advance(self, going: Ongoing, epoch: int) -> float:
        """Train a trial until it has seen ``epoch`` epochs; return its loss, infinite where it diverged or failed."""
        self.search.trainer.advance([(going.run, epoch)])
        self.search.judge(going.trial, going.run, going.run.progress, 0, epoch)
        return -going.trial.merit

    def end(self, going: Ongoing, stopped: bool = False) -> None:
        """Close a trial.

        Args:
            going: the trial.
            stopped: whether the library stopped it early: then it is no candidate for the best.
        """
        self._close(going.trial, stopped)

    def add(
        self, configuration: Mapping[str, Any], progress: Sequence[Progress], epoch: int, stopped: bool = False
    ) -> float:
        """Put on record what was trained elsewhere: in a worker process, or by an estimator.

        Args:
            configuration: values by name.
            progress: one a fold of the task.
            epoch: until which it was to be trained.
            stopped: whether the library stopped it early.

        Returns:
            Its loss.
        """
        trial = self._open(configuration)
        self.search.judge(trial, None, progress, 0, epoch)
        self._close(trial, stopped)
        return -trial.merit

    def study(self) -> Study:
        """Return what was trained so far."""
        return study_of(self.search)

    @property
    def worst(self) -> float:
        """The largest finite loss so far: what to tell a library that takes no infinite one.

        Before any, it is that of the task's simplest baseline.
        """
        sign = self.task.objective.sign
        losses = [-row["score"] * sign for row in self.search.rungs if math.isfinite(row["score"])]
        if losses:
            return float(max(losses))
        scores = baseline(self.task, fold=self.folds[0])[self.task.objective.name]
        return -sign * float(scores.iloc[0])

    def _open(self, configuration: Mapping[str, Any], number: int | None = None) -> Trial:
        if number is not None:
            self.search.started = number
        space = self.task.space
        return self.search.open(fixed(self.search.record, space, space.validate(configuration)))

    def _close(self, trial: Trial, stopped: bool) -> None:
        reason = f"stopped by {self.search.strategy.name} after epoch {trial.reached}"
        self.search.end(trial, *(("pruned", reason) if stopped else ()))
