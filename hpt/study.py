"""The study: what `tune` returns, and `tune` itself.

The record is an Optuna study driven by ask and tell, so Optuna's own plots and importances work on every run. A
network that diverges or raises is a row of the result with a status and a reason; the sampler is told it as a
pruned trial, with infinity as the worst of all scores.
"""

from __future__ import annotations

import math
import os
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hpt import strategies
from hpt.domains import is_whole
from hpt.errors import InvalidInput
from hpt.keeping import Hold, Keeper, Kept, Nobody, Paused, check_names, identity
from hpt.pages import versions
from hpt.samplers.basic import Grid
from hpt.schedules import Brackets, Full, epochs_of
from hpt.search import Search, check_strategy, directions, longest
from hpt.strategies import Strategy
from hpt.tasks import Task
from hpt.training import Trainer

if TYPE_CHECKING:
    import optuna


TOGETHER = 64
"""At most so many full trainings start at once, and no more than the trainer asks for: Ctrl-C loses what runs."""
KEPT = 16
"""The same with a storage: what a kill may lose. Networks in another stack may differ in their last digits."""


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
            ``epochs`` trained (all folds together), ``seconds``, ``seed``, ``status`` (complete, pruned by the
            schedule, diverged, failed, interrupted) and ``reason``. With population-based training also ``parent``,
            the trial that it took over from.
        curves: one row a trial, fold and epoch: ``train_loss``, ``val_loss``, ``score``.
        rungs: one row each time a network was judged, in order: ``spent``, the study's epochs until then,
            ``trial``, ``bracket`` (the first one that ran is 0), ``rung``, ``epoch``, ``score``, ``status`` and
            ``best``, whether it was the best network so far.
        configurations: the configuration of each trial, as Python values.
        interrupted: whether Ctrl-C ended the study early, or it was read from a storage before its end.
        record: the Optuna study behind it.
        fingerprint: of the split that was searched on, `hpt.data.Split.fingerprint`. None is that of no split.
        patience: as it was given to `tune`.
        costs: of the task: hyperparameters that should be small besides.
    """

    task: str
    strategy: str
    seed: int
    objective: str
    greater_is_better: bool
    trials: pd.DataFrame
    curves: pd.DataFrame
    rungs: pd.DataFrame
    configurations: tuple[dict[str, Any], ...]
    interrupted: bool
    record: optuna.Study = field(compare=False)
    fingerprint: int | None = None
    patience: int | None = None
    costs: tuple[str, ...] = ()

    @property
    def best_trial(self) -> int:
        """Number of the trial with the best score of those trained to the end; of equals the earliest.

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
        return dict(self.configurations[self._place(self.best_trial)])

    @property
    def best_score(self) -> float:
        """The best score on validation rows: the largest of many, so an optimistic number."""
        return float(self.trials["score"].to_numpy()[self._place(self.best_trial)])

    def _place(self, number: int) -> int:
        """Where a trial stands; a study of several processes has not all numbers."""
        return self.trials["number"].tolist().index(number)

    @property
    def front(self) -> pd.DataFrame:
        """The trials that no other one beats, rows of `trials`: the Pareto front of a task with costs.

        One trial beats another if it is better in one objective and not worse in any. With a single objective they are
        the best trial, and its equals.
        """
        numbers = [trial.number for trial in self.record.best_trials]
        return self.trials[self.trials["number"].isin(numbers)]

    @property
    def epochs(self) -> int:
        """Epochs trained in all."""
        return int(self.trials["epochs"].sum())

    def lineage(self, number: int | None = None) -> pd.DataFrame:
        """Return the hyperparameters that led to a network, epoch by epoch: one row a trial that it was.

        A network of population-based training takes over from its parent, which took over from its own. Other
        networks have one row.

        Args:
            number: of the trial, default the best one.

        Returns:
            ``trial``, ``from_epoch`` (it was trained with these from here on, counted from 0), ``to_epoch``, and the
            hyperparameters; the oldest first.
        """
        rows: list[dict[str, Any]] = []
        trial: int | None = self.best_trial if number is None else number
        parents = self.trials["parent"] if "parent" in self.trials else pd.Series(dtype=float)
        end = math.inf
        while trial is not None:
            if trial not in self.trials.index:
                raise InvalidInput(f"this study has trials 0 to {len(self.trials) - 1}, got {trial!r}")
            judged = self.rungs.loc[self.rungs["trial"] == trial, "epoch"]
            if judged.empty:
                raise InvalidInput(f"trial {trial} was interrupted before it was judged, so it has no past")
            parent = parents.get(trial, math.nan)
            above = self.rungs.loc[(self.rungs["trial"] == parent) & (self.rungs["epoch"] < judged.min()), "epoch"]
            start = 0 if above.empty else int(above.max())
            until = int(min(judged.max(), end))
            rows.insert(0, {"trial": trial, "from_epoch": start, "to_epoch": until, **self.configurations[trial]})
            trial, end = (None if math.isnan(parent) else int(parent)), start
        return pd.DataFrame(rows)

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
    storage: str | Path | None = None,
    name: str | None = None,
    source: Any = None,
) -> Study:
    """Search the task's space for the configuration with the best objective on validation rows.

    Args:
        task: what to tune, from `hpt.task` or made by hand.
        strategy: a name from `hpt.strategies.STRATEGIES`, or one made by its functions.
        trials: try at most this many configurations; heirs in population-based training do not count.
        epochs: spend at most this many epochs over all trials and folds; a trial, or a bracket of trials, starts
            only if what is left pays for it in full, and what does not complete is charged in full. With both
            budgets the first to run out ends the search. Without any, manual and grid search go to their end, and
            schedules with brackets go through them once; with one they start over.
        seed: of everything random in the study. The same seed gives the same study.
        patience: stop a network when its validation loss has not improved for this many epochs, and judge it
            at its best epoch. Default: what the configuration says, else train to the end.
        progress: show a progress bar, and before it the brackets of the schedule and what they cost. Default: yes,
            unless the environment has ``HPT_PROGRESS=0``.
        trainer: trains the networks, default `hpt.training.stack.Stack`. Trials that do not wait for one another's
            results are trained together, at most `TOGETHER` at a time, `KEPT` with a storage. With a storage and a
            schedule that pauses networks, its runs must be able to put them to disk, see `hpt.keeping.Savable`.
        storage: where to keep the study while it runs: a file for Optuna's journal, which may hold other studies; or
            the address of a database, such as ``"sqlite:///studies.db"`` or ``"postgresql://me@host/studies"``.
            Default: in memory only. Beside a file stands a folder, ``FILE.d``, with locks and the weights of networks
            on their way; for a server it is in ``.hpt`` of the home folder.
        name: of the study in the storage, default its task, strategy and seed. A study that is there already goes on
            where it stopped: what is finished is read, not trained again, and the end is the same to the last bit.
            It must be opened as it was begun.
        source: where the task came from, as plain values; noted in the storage for whoever makes the task again.

    Returns:
        A `Study`. After Ctrl-C it holds what was finished until then; trials that were being trained together
        are recorded as interrupted. In a storage they are not: there they are trained when the study goes on.

    Raises:
        InvalidInput: for a budget that is missing, not positive, or too small for one trial; and for a study in the
            storage that was begun with something else, such as another seed, space, data or version.
        UnknownName: for an unknown strategy.
        StorageError: if the storage fails, or another process has the study open.

    Warns:
        UserWarning: if the whole budget goes into the random trials that a strategy starts with, or a grid or the
            brackets of a schedule are cut short.
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
    check_strategy(task, chosen)
    folds, schedule = len(task.split.folds), chosen.schedule
    brackets = schedule.plan(longest(task, task.space))
    price = epochs_of(brackets.brackets[0]) * folds
    _check_budget(chosen, trials, epochs, price, brackets.brackets[0][0].networks)
    if not isinstance(trainer, Nobody):
        _warn(task, chosen, brackets, trials, epochs, price)
    trainer = trainer or Stack()
    at_once = min(TOGETHER if storage is None else KEPT, max(1, trainer.together(task) // folds))
    with ExitStack() as stack:
        hold = stack.enter_context(Hold(trainer))
        training: Hold | Keeper = hold
        if storage is not None:
            check_names(name, source)
            kept = Kept(
                storage,
                called(task.name, chosen.name, seed) if name is None else name,
                identity(task, chosen, seed=seed, trials=trials, epochs=epochs, patience=patience, at_once=at_once),
                {"task": task.name, "strategy": chosen.name, "seed": seed, "source": source, "versions": versions()},
                directions(task),
                writes=not isinstance(trainer, Nobody),
            )
            training = Keeper(training, stack.enter_context(kept), paused=not isinstance(schedule, Full))
            at_once = kept.facts["at_once"]
        elif name is not None or source is not None:
            raise InvalidInput("name= and source= are of a study in a storage: give storage= as well")
        search = Search(task, chosen, training, seed, trials=trials, epochs=epochs, at_once=at_once)
        bar = stack.enter_context(_bar(progress, chosen, trials, epochs, price, brackets.epochs * folds))
        if not (isinstance(schedule, Full) or bar.disable):
            bar.write(f"{chosen.name}, planned: {brackets!r}")
        try:
            for waiting in search.rounds():
                if isinstance(training, Keeper):
                    training.kept.tell(search)
                hold.heard()
                training.advance(waiting)
                # The rows of this round are written when the search goes on: the bar lags one round behind.
                bar.update((search.started if isinstance(schedule, Full) else search.spent) - bar.n)
                bar.set_postfix_str(search.headline())
            if isinstance(training, Keeper):
                training.kept.end(search)
            hold.heard()
        except KeyboardInterrupt:
            search.interrupt("interrupted by Ctrl-C")
        except Paused:
            search.interrupt("not trained yet")
        bar.update((len(search.rows) if isinstance(schedule, Full) else search.spent) - bar.n)
        bar.set_postfix_str(search.headline())
    return replace(study_of(search), patience=patience)


def called(task: str, strategy: str, seed: int) -> str:
    """Return the name of a study that nobody has named."""
    return f"{task} by {strategy}, seed {seed}"


def study_of(search: Search) -> Study:
    """Return what a search has found."""
    objective, rows = search.task.objective, [search.rows[number] for number in sorted(search.rows)]
    outcome = ["score", *search.task.metrics, "best_epoch", "epochs", "seconds", "seed", "status", "reason"]
    if any("parent" in row for row in rows):
        outcome.insert(0, "parent")
    searched = [name for name in search.task.space if name not in outcome]  # epochs may be both
    points = [point for number in sorted(search.points) for point in search.points[number]]
    rungs = ["spent", "trial", "bracket", "rung", "epoch", "score", "status", "best"]
    return Study(
        task=search.task.name,
        strategy=search.strategy.name,
        seed=search.seed,
        objective=objective.name,
        greater_is_better=objective.greater_is_better,
        trials=pd.DataFrame(rows, columns=["number", *searched, *outcome]),
        curves=pd.DataFrame(points, columns=["trial", "fold", "epoch", "train_loss", "val_loss", "score"]),
        rungs=pd.DataFrame(search.rungs, columns=rungs + (["watched"] if search.watch else [])),
        configurations=tuple(search.configurations[number] for number in sorted(search.configurations)),
        interrupted=search.interrupted,
        record=search.record,
        fingerprint=search.task.split.fingerprint,
        costs=search.task.costs,
    )


def _check_budget(chosen: Strategy, trials: int | None, epochs: int | None, price: int, networks: int) -> None:
    for name, value in (("trials", trials), ("epochs", epochs)):
        if value is not None and (not is_whole(value) or value < 1):
            raise InvalidInput(f"{name} must be a whole number of at least 1, got {value!r}")
    whole = isinstance(chosen.schedule, Full)
    if trials is None and epochs is None and whole and not chosen.sampler.ends:
        raise InvalidInput(f"{chosen.name} search has no end of its own: say trials=20, or epochs={20 * price}")
    if epochs is not None and epochs < price:
        unit = "trial" if whole else f"bracket of {chosen.name}"
        raise InvalidInput(f"a budget of {epochs} epochs is less than one {unit} costs here: {price} epochs")
    if trials is not None and trials < networks:
        raise InvalidInput(f"{trials} trials are less than the first bracket of {chosen.name} starts here: {networks}")


def _warn(task: Task, chosen: Strategy, brackets: Brackets, trials: int | None, epochs: int | None, price: int) -> None:
    """Say it where a budget changes what a strategy is."""
    if not isinstance(chosen.schedule, Full):
        whole = brackets.epochs * len(task.split.folds)
        if (epochs or math.inf) < whole or (trials or math.inf) < brackets.configurations:
            warnings.warn(
                f"this budget does not pay for every bracket of {chosen.name} once: they take {whole:,} epochs and "
                f"{brackets.configurations} trials; it ends where the next bracket would cost too much",
                stacklevel=3,
            )
        return
    paid = min(n for n in (trials, epochs // price if epochs else None, math.inf) if n is not None)
    startup = getattr(chosen.sampler, "startup", 0)
    if paid <= startup:
        warnings.warn(
            f"{chosen.name} draws its first {startup} trials at random and this budget pays for {paid}, so this is "
            f"random search: spend more, or let it learn earlier, from {max(1, paid // 3)} trials on",
            stacklevel=3,
        )
    whole = len(chosen.sampler.combinations(task.space)) if isinstance(chosen.sampler, Grid) else 0
    if paid < whole:
        warnings.warn(
            f"this budget pays for {paid} of the grid's {whole} combinations, in order, so the first hyperparameters "
            "hardly vary: give no budget, or fewer points",
            stacklevel=3,
        )


def _bar(
    progress: bool | None, chosen: Strategy, trials: int | None, epochs: int | None, price: int, planned: int
) -> Any:
    """Trials are counted where all are trained in full, epochs elsewhere."""
    from tqdm.auto import tqdm

    hidden = not shown(progress)
    if not isinstance(chosen.schedule, Full):
        return tqdm(total=epochs or planned, desc=chosen.name, unit="epoch", disable=hidden)
    totals = [n for n in (trials, epochs // price if epochs else None) if n is not None]
    return tqdm(total=min(totals, default=None), desc=chosen.name, unit="trial", disable=hidden)


def shown(progress: bool | None) -> bool:
    """Say whether to show a progress bar: as asked for, else unless the environment has ``HPT_PROGRESS=0``."""
    return os.environ.get("HPT_PROGRESS", "1") != "0" if progress is None else progress
