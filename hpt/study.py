"""The study: the loop that asks a strategy, trains, and tells it what came out.

``tune`` is the whole of it. The record is an Optuna study driven by ask and tell, so Optuna's own plots and
importances work on every run. A network that diverges or raises is a row of the result with a status and a
reason; the sampler is told it as a pruned trial, which it counts as bad without seeing a number.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt import strategies
from hpt.domains import Choice, Int, is_whole
from hpt.errors import InvalidInput
from hpt.samplers import Grid
from hpt.seeds import derive
from hpt.strategies import Strategy
from hpt.tasks import Task
from hpt.training import Member, Progress, Trainer, train_all

if TYPE_CHECKING:
    import optuna


TOGETHER = 64
"""At most so many trials are trained at once, and no more than the trainer asks for: Ctrl-C loses what runs."""


@dataclass(frozen=True, repr=False)
class Study:
    """What a search found. Frozen: a study is a record of what happened.

    Attributes:
        task: name of the task.
        strategy: name of the strategy.
        seed: of the study.
        objective: name of the metric that decided.
        greater_is_better: which way the objective is up.
        trials: one row a trial: ``number``, the hyperparameters (missing where a condition left one out),
            ``score`` (the objective on validation rows, averaged over the folds), every metric, ``best_epoch``,
            ``epochs`` trained (all folds together), ``seconds``, ``seed``, ``status`` (complete, diverged, failed,
            interrupted) and ``reason``.
        curves: one row a trial, fold and epoch: ``train_loss``, ``val_loss``, ``score``.
        configurations: the configuration of each trial, as Python values.
        interrupted: whether Ctrl-C ended the study early.
        record: the Optuna study behind it.
    """

    task: str
    strategy: str
    seed: int
    objective: str
    greater_is_better: bool
    trials: pd.DataFrame
    curves: pd.DataFrame
    configurations: tuple[dict[str, Any], ...]
    interrupted: bool
    record: optuna.Study = field(compare=False)

    @property
    def best_trial(self) -> int:
        """Number of the trial with the best score; of equals the earliest.

        Raises:
            InvalidInput: if no trial completed; the message gives the first reason.
        """
        done = self.trials[self.trials["status"] == "complete"]
        if done.empty:
            reasons = [str(reason) for reason in self.trials["reason"] if reason]
            raise InvalidInput(
                f"none of the {len(self.trials)} trials of {self.task!r} completed, so there is no best; "
                f"the first said: {reasons[0] if reasons else 'interrupted'}"
            )
        scores = done["score"].to_numpy(dtype="float64")
        position = int(scores.argmax() if self.greater_is_better else scores.argmin())
        return int(done["number"].to_numpy()[position])

    @property
    def best(self) -> dict[str, Any]:
        """The configuration with the best score on validation rows."""
        return dict(self.configurations[self.best_trial])

    @property
    def best_score(self) -> float:
        """The best score on validation rows: the largest of many, so an optimistic number."""
        return float(self.trials["score"].to_numpy()[self.best_trial])

    @property
    def epochs(self) -> int:
        """Epochs trained in all."""
        return int(self.trials["epochs"].sum())

    def __repr__(self) -> str:
        counts = self.trials["status"].value_counts()
        states = ", ".join(f"{n} {state}" for state, n in counts.items()) or "no trials"
        lines = [f"Study of {self.task!r} by {self.strategy}, seed {self.seed}: {states}, {self.epochs} epochs"]
        if "complete" in counts:
            lines.append(f"best {self.objective} {self.best_score:.4g} on validation rows (trial {self.best_trial})")
            lines.append(", ".join(f"{name}={_short(value)}" for name, value in self.best.items()))
        return "\n".join(lines + (["interrupted: this is what there is"] if self.interrupted else []))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tune(
    task: Task,
    strategy: str | Strategy = "random",
    *,
    trials: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    patience: int | None = None,
    progress: bool | None = None,
    trainer: Trainer | None = None,
) -> Study:
    """Search the task's space for the configuration with the best objective on validation rows.

    Args:
        task: what to tune, from `hpt.task` or made by hand.
        strategy: a name from `hpt.strategies.STRATEGIES`, or one made by its functions.
        trials: try at most this many configurations.
        epochs: spend at most this many epochs over all trials and folds; a trial starts only if what is left
            pays for it in full, and one that does not complete is charged in full. With both budgets the first to
            run out ends the search; without any, manual and grid search go to their end.
        seed: of everything random in the study. The same seed gives the same study.
        patience: stop a network when its validation loss has not improved for this many epochs, and judge it
            at its best epoch. Default: what the configuration says, else train to the end.
        progress: show a progress bar. Default: yes, unless the environment has ``HPT_PROGRESS=0``.
        trainer: trains the networks, default `hpt.training.stack.Stack`. Trials that do not wait for one another's
            results are trained together, at most `TOGETHER` at a time.

    Returns:
        A `Study`. After Ctrl-C it holds what was finished until then; trials that were being trained together
        are recorded as interrupted.

    Raises:
        InvalidInput: for a budget that is missing, not positive, or too small for one trial.
        UnknownName: for an unknown strategy.

    Warns:
        UserWarning: if the whole budget goes into the random trials that a strategy starts with, or a grid is cut
            short.
    """
    from hpt.training.stack import Stack

    if not isinstance(task, Task):
        raise InvalidInput(f"tune needs a Task, such as hpt.task('breast_cancer'), got {task!r}")
    chosen = strategies.resolve(strategy)
    if patience is not None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise InvalidInput(f"patience must be a whole number of epochs of at least 1, got {patience!r}")
        if "patience" in task.space:
            raise InvalidInput("patience is searched by this task's space: leave it out of tune, or out of the space")
        task = replace(task, defaults={**task.defaults, "patience": patience})
    price = _epochs_of(task, task.space) * len(task.split.folds)
    _check_budget(chosen, trials, epochs, price)
    paid = min(n for n in (trials, epochs // price if epochs else None, math.inf) if n is not None)
    startup = getattr(chosen.sampler, "startup", 0)
    if paid <= startup:
        warnings.warn(
            f"{chosen.name} draws its first {startup} trials at random and this budget pays for {paid}, so this is "
            f"random search: spend more, or say hpt.strategies.{chosen.name}(startup={max(1, paid // 3)})",
            stacklevel=2,
        )
    whole = len(chosen.sampler.combinations(task.space)) if isinstance(chosen.sampler, Grid) else 0
    if paid < whole:
        warnings.warn(
            f"this budget pays for {paid} of the grid's {whole} combinations, in order, so the first hyperparameters "
            "hardly vary: give no budget, or fewer points",
            stacklevel=2,
        )
    loop = _Loop(task, chosen, trainer or Stack(), seed)
    at_once = min(TOGETHER, max(1, loop.trainer.together(task) // len(task.split.folds)))
    with _bar(progress, chosen.name, trials, epochs, price) as bar:
        try:
            while True:
                left = math.inf if trials is None else trials - len(loop.rows)
                pays = math.inf if epochs is None else (epochs - loop.spent) // price
                done = loop.step(min(left, pays, at_once))
                if not done:
                    break
                bar.update(done)
                bar.set_postfix_str(loop.headline())
        except KeyboardInterrupt:
            loop.interrupt()
    return loop.study()


def members(configuration: Mapping[str, Any], seed: int, folds: int) -> list[Member]:
    """Return the members of one trial: one a fold, each with a seed of its own."""
    return [Member(configuration, derive(seed, "fold", fold), fold) for fold in range(folds)]


@dataclass
class _Running:
    """A trial that was asked for; its folds say that they were interrupted until they are trained."""

    trial: optuna.Trial
    configuration: dict[str, Any]
    folds: list[Progress] = field(default_factory=lambda: [Progress("interrupted", "interrupted by Ctrl-C")])


class _Loop:
    """The state of a search between two trials."""

    def __init__(self, task: Task, strategy: Strategy, trainer: Trainer, seed: int) -> None:
        self.task, self.strategy, self.trainer, self.seed = task, strategy, trainer, seed
        self.record = _new_record(task)
        self.rows: list[dict[str, Any]] = []
        self.points: list[dict[str, Any]] = []
        self.configurations: list[dict[str, Any]] = []
        self.spent = 0
        self.interrupted = False
        self._running: list[_Running] = []

    def step(self, most: float) -> int:
        """Ask, train, tell: as many trials at once as need no result of each other. Returns how many there were."""
        first, space = len(self.rows), self.task.space
        for number in range(first, first + int(min(most, self.strategy.sampler.ahead(first)))):
            trial = self.strategy.sampler.ask(self.record, space, number, self.seed)
            if trial is None:
                break
            self._running.append(_Running(trial, space.from_labels(trial.params)))
        group, lengths = [], []
        for number, running in enumerate(self._running, start=first):
            own = members(running.configuration, derive(self.seed, "train", number), len(self.task.split.folds))
            group += own
            lengths += [_epochs_of(self.task, running.configuration)] * len(own)
        progress = train_all(self.trainer, self.task, group, lengths)
        folds, told = len(self.task.split.folds), len(self._running)
        for i, running in enumerate(self._running):
            running.folds = progress[i * folds : (i + 1) * folds]
        while self._running:
            self._tell(self._running.pop(0))
        return told

    def interrupt(self) -> None:
        """Record the trials that Ctrl-C cut off: those that are trained as they are, the others as interrupted."""
        self.interrupted = True
        while self._running:
            self._tell(self._running.pop(0))
        from optuna.trial import TrialState

        for trial in self.record.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.record.tell(trial.number, state=TrialState.FAIL)

    def headline(self) -> str:
        scores = [row["score"] for row in self.rows if row["status"] == "complete"]
        best = max(scores, default=None) if self.task.objective.greater_is_better else min(scores, default=None)
        return "" if best is None else f"best {self.task.objective.name} {best:.4g}"

    def _tell(self, running: _Running) -> None:
        from optuna.trial import TrialState

        trial, configuration, folds = running.trial, running.configuration, running.folds
        number = len(self.rows)
        bad = next((fold for fold in folds if fold.status != "complete"), None)
        metrics = {
            name: float(np.mean([fold.metrics[name] for fold in folds])) if bad is None else np.nan
            for name in self.task.metrics
        }
        status, reason = (bad.status, bad.reason) if bad else ("complete", "")
        lost = next((name for name, value in metrics.items() if not np.isfinite(value)), None)
        if bad is None and lost:
            status, reason = "failed", f"{lost} is not a finite number on the validation rows"
            metrics = dict.fromkeys(metrics, np.nan)
        outcome: dict[str, Any] = {
            "score": metrics[self.task.objective.name],
            **metrics,
            "best_epoch": int(np.median([fold.best_epoch for fold in folds])),
            "epochs": sum(fold.epochs for fold in folds),
            "seconds": sum(fold.seconds for fold in folds),
            "seed": derive(self.seed, "train", number),
            "status": status,
            "reason": reason,
        }
        self.rows.append({"number": number, **configuration, **outcome})
        self.points += [{"trial": number, "fold": i, **p} for i, fold in enumerate(folds) for p in fold.curve]
        self.configurations.append(configuration)
        full = _epochs_of(self.task, configuration) * len(self.task.split.folds)
        self.spent += outcome["epochs"] if status == "complete" else full
        for name, value in outcome.items():
            trial.set_user_attr(name, value)
        if status == "complete":
            self.record.tell(trial, outcome["score"])
        else:
            self.record.tell(trial, state=TrialState.FAIL if status == "interrupted" else TrialState.PRUNED)

    def study(self) -> Study:
        """Return the frozen result."""
        objective = self.task.objective
        outcome = ["score", *self.task.metrics, "best_epoch", "epochs", "seconds", "seed", "status", "reason"]
        searched = [name for name in self.task.space if name not in outcome]  # epochs may be both
        return Study(
            task=self.task.name,
            strategy=self.strategy.name,
            seed=self.seed,
            objective=objective.name,
            greater_is_better=objective.greater_is_better,
            trials=pd.DataFrame(self.rows, columns=["number", *searched, *outcome]),
            curves=pd.DataFrame(self.points, columns=["trial", "fold", "epoch", "train_loss", "val_loss", "score"]),
            configurations=tuple(self.configurations),
            interrupted=self.interrupted,
            record=self.record,
        )


def _epochs_of(task: Task, source: Mapping[str, Any]) -> int:
    """Epochs one network trains: what the configuration says (a space: the most it allows), else the task's."""
    said = source.get("epochs", task.epochs)
    return int(max(said.grid()) if isinstance(said, Int | Choice) else said)


def _check_budget(chosen: Strategy, trials: int | None, epochs: int | None, price: int) -> None:
    for name, value in (("trials", trials), ("epochs", epochs)):
        if value is not None and (not is_whole(value) or value < 1):
            raise InvalidInput(f"{name} must be a whole number of at least 1, got {value!r}")
    if trials is None and epochs is None and not chosen.sampler.ends:
        raise InvalidInput(f"{chosen.name} search has no end of its own: say trials=20, or epochs={20 * price}")
    if epochs is not None and epochs < price:
        raise InvalidInput(f"a budget of {epochs} epochs is less than one trial costs here: {price} epochs")


def _new_record(task: Task) -> optuna.Study:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="maximize" if task.objective.greater_is_better else "minimize")
    finally:
        optuna.logging.set_verbosity(before)


def _bar(progress: bool | None, name: str, trials: int | None, epochs: int | None, price: int) -> Any:
    from tqdm.auto import tqdm

    totals = [n for n in (trials, epochs // price if epochs else None) if n is not None]
    shown = os.environ.get("HPT_PROGRESS", "1") != "0" if progress is None else progress
    return tqdm(total=min(totals, default=None), desc=name, unit="trial", disable=not shown)
