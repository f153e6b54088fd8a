"""The search: a strategy at work on a task, one round after the other.

Sampler and schedule meet here. A search asks its sampler for trials, starts their networks, and says, round by
round, which networks should be trained until which epoch (`Search.rounds`). Whoever drives it trains them and
lets it go on: `hpt.tune` drives one search, `hpt.compare` many in lockstep, so that their rounds are trained
together. Between two rounds the networks are paused. The schedule says who goes on; those go on from where they
stood, and the others are told to the record as pruned.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.domains import Choice, Int, whole
from hpt.errors import InvalidInput
from hpt.samplers.base import fixed
from hpt.samplers.basic import Grid, Listed, Random, Sobol
from hpt.samplers.with_optuna import Nsga2, Tpe
from hpt.schedules import Bracket, Full, PopulationBased, changeable, epochs_of
from hpt.seeds import derive, stream
from hpt.strategies import Strategy
from hpt.tasks import Task
from hpt.training import Member, Progress, Run, Trainer

if TYPE_CHECKING:
    import optuna

Round = list[tuple[Run, int]]  # what is to be trained next: networks that started together, and until which epoch


def members(configuration: Mapping[str, Any], seed: int, folds: int | Sequence[int]) -> list[Member]:
    """Return the members of one trial: one a fold, each with a seed of its own.

    Args:
        configuration: of the trial.
        seed: of the trial.
        folds: which folds of the task, or how many of them from the first.
    """
    chosen = range(folds) if isinstance(folds, int) else folds
    return [Member(configuration, derive(seed, "fold", i), fold) for i, fold in enumerate(chosen)]


@dataclass
class Trial:
    """One configuration on its way.

    Attributes:
        number: of the trial.
        asked: the trial on the record.
        configuration: its hyperparameters.
        parent: the trial from which it took over its weights, if any.
        started: the epoch at which it did.
        reached: the epoch at which it was judged last.
        outcome: what was seen when it was judged last, None before that.
        points: its curve so far, rows of ``Study.curves``.
        merit: its score when it was judged last, greater is better; minus infinity where it failed.
    """

    number: int
    asked: optuna.Trial
    configuration: dict[str, Any]
    parent: int | None = None
    started: int = 0
    reached: int = 0
    outcome: dict[str, Any] | None = None
    points: list[dict[str, Any]] = field(default_factory=list)
    merit: float = -math.inf


class Search:
    """A strategy at work.

    Args:
        task: the problem.
        strategy: what to try, and how long to train it.
        trainer: starts the networks.
        seed: of everything random.
        trials: budget, see `hpt.tune`.
        epochs: budget, see `hpt.tune`.
        at_once: most trials that are asked for in one round of full trainings.
        folds: the folds that every trial trains on, default all.
        watch: called with ``(run, positions)`` of each new best network; what it returns is kept in `rungs`
            as ``watched``.

    Attributes:
        rows: the finished trials by number, rows of ``Study.trials``.
        rungs: one row each time a network was judged, in order.
        spent: epochs that count against the budget.
        started: trials so far, heirs included.
        asked: trials that the sampler was asked for; heirs are none of its.
        asking: seconds that the sampler took to answer.
    """

    def __init__(
        self,
        task: Task,
        strategy: Strategy,
        trainer: Trainer,
        seed: int,
        *,
        trials: int | None = None,
        epochs: int | None = None,
        at_once: int = 64,
        folds: Sequence[int] | None = None,
        watch: Callable[[Run, Sequence[int]], float] | None = None,
    ) -> None:
        self.task, self.strategy, self.trainer, self.seed = task, strategy, trainer, seed
        self.trials, self.epochs, self.at_once, self.watch = trials, epochs, at_once, watch
        self.folds = tuple(range(len(task.split.folds)) if folds is None else folds)
        self.record = _new_record(task)
        self.rows: dict[int, dict[str, Any]] = {}
        self.rungs: list[dict[str, Any]] = []
        self.configurations: dict[int, dict[str, Any]] = {}
        self.points: dict[int, list[dict[str, Any]]] = {}
        self.spent = 0
        self.started = 0
        self.asked = 0
        self.asking = 0.0
        self.best = -math.inf
        self.interrupted = False
        self._open: list[Trial] = []

    # --- the rounds

    def rounds(self) -> Iterator[Round]:
        """Yield what to train next, until the budget is spent or nothing is left to try."""
        if isinstance(self.strategy.schedule, Full):
            yield from self._full()
            return
        plan = self.strategy.schedule.plan(longest(self.task, self.task.space))
        bounded = self.trials is not None or self.epochs is not None  # by a budget; else once through the plan
        for count in itertools.count() if bounded else range(len(plan.brackets)):
            bracket = plan.brackets[count % len(plan.brackets)]
            price = epochs_of(bracket) * len(self.folds)
            if bracket[0].networks > self._trials_left() or price > self._epochs_left():
                return
            asked = self._ask(bracket[0].networks)
            if not asked:
                return
            yield from self._bracket(asked, bracket, count)

    def _full(self) -> Iterator[Round]:
        """Full trainings, as many at once as need no result of each other."""
        price = longest(self.task, self.task.space) * len(self.folds)
        while True:
            ahead = self.strategy.sampler.ahead(self.asked, self.record, self.task.space)
            asked = self._ask(int(min(self._trials_left(), self._epochs_left() // price, self.at_once, ahead)))
            if not asked:
                return
            lengths = [longest(self.task, trial.configuration) for trial in asked]
            groups = {length: [t for t, own in zip(asked, lengths, strict=True) if own == length] for length in lengths}
            waiting = [(self.start(group), length) for length, group in groups.items()]
            yield waiting
            seen: dict[int, tuple[Run, list[Progress], int, int]] = {}
            for (run, length), group in zip(waiting, groups.values(), strict=True):
                progress = run.progress
                seen |= {trial.number: (run, progress, i, length) for i, trial in enumerate(group)}
            for trial in asked:
                self.judge(trial, *seen[trial.number])
            for trial in asked:
                self.end(trial)

    def _bracket(self, group: list[Trial], bracket: Bracket, count: int) -> Iterator[Round]:
        """One bracket, rung by rung."""
        run = self.start(group)
        for i, rung in enumerate(bracket):
            if i:
                lots = stream(self.seed, "survivors", count, i)
                order = self.strategy.schedule.survivors([trial.merit for trial in group], rung.networks, lots)
                group = self._go_on(run, group, order, bracket[i - 1].epoch)
            if not group:
                return
            yield [(run, rung.epoch)]
            progress = run.progress
            for place, trial in enumerate(group):
                self.judge(trial, run, progress, place, rung.epoch, count, i)
        for trial in group:
            self.end(trial)

    def _go_on(self, run: Run, group: list[Trial], order: Sequence[int], epoch: int) -> list[Trial]:
        """Let the survivors go on, in this order; whoever is named a second time has an heir there."""
        for trial in (trial for i, trial in enumerate(group) if i not in order):
            self.end(trial, "pruned", f"stopped by the schedule after epoch {epoch}")
        after: list[Trial] = []
        heirs: dict[int, Member] = {}
        for position in order:
            trial = group[position]
            if trial in after:
                lots = stream(self.seed, "heir", self.started)
                configuration = self.strategy.schedule.heir(self.task.space, trial.configuration, lots)
                trial = self.open(fixed(self.record, self.task.space, configuration), trial.number, epoch)
                own = self._members(trial)
                heirs |= {len(after) * len(own) + i: member for i, member in enumerate(own)}
            after.append(trial)
        folds = len(self.folds)
        run.keep([position * folds + fold for position in order for fold in range(folds)], heirs)
        return after

    # --- one trial: asked, started, judged, ended

    def _trials_left(self) -> float:
        return math.inf if self.trials is None else self.trials - self.asked

    def _epochs_left(self) -> float:
        return math.inf if self.epochs is None else self.epochs - self.spent

    def _ask(self, count: int) -> list[Trial]:
        found = []
        for _ in range(count):
            began = time.perf_counter()
            asked = self.strategy.sampler.ask(self.record, self.task.space, self.asked, self.seed)
            self.asking += time.perf_counter() - began
            if asked is None:
                break
            self.asked += 1
            found.append(self.open(asked))
        return found

    def open(self, asked: optuna.Trial, parent: int | None = None, started: int = 0) -> Trial:
        """Take in a trial that the record has asked for; an heir has a parent, and the epoch at which it took over."""
        trial = Trial(self.started, asked, self.task.space.from_labels(asked.params), parent, started)
        self._open.append(trial)
        self.started += 1
        return trial

    def _members(self, trial: Trial) -> list[Member]:
        return members(trial.configuration, derive(self.seed, "train", trial.number), self.folds)

    def start(self, group: Sequence[Trial]) -> Run:
        """Build the networks of trials, one a fold, untrained."""
        return self.trainer.start(self.task, [member for trial in group for member in self._members(trial)])

    def judge(
        self,
        trial: Trial,
        run: Run | None,
        progress: Sequence[Progress],
        place: int,
        epoch: int,
        bracket: int = 0,
        rung: int = 0,
    ) -> None:
        """Read how far a trial has come, at the end of a rung. Without a run, it was trained elsewhere."""
        positions = range(place * len(self.folds), (place + 1) * len(self.folds))
        folds = [progress[position] for position in positions]
        before = 0 if trial.outcome is None else trial.outcome["epochs"]
        trial.outcome = outcome = self._outcome(trial, folds)
        planned = (epoch - max(trial.started, trial.reached)) * len(folds)
        self.spent += outcome["epochs"] - before if outcome["status"] == "complete" else planned
        trial.reached = epoch
        trial.points = [
            {"trial": trial.number, "fold": i, **point}
            for i, fold in enumerate(folds)
            for point in fold.curve[trial.started :]
        ]
        sign = self.task.objective.sign
        trial.merit = sign * outcome["score"] if outcome["status"] == "complete" else -math.inf
        if not self.task.costs:  # with several objectives Optuna knows no scores on the way
            trial.asked.report(sign * trial.merit, epoch)
        row: dict[str, Any] = {
            "spent": self.spent,
            "trial": trial.number,
            "bracket": bracket,
            "rung": rung,
            "epoch": epoch,
            "score": outcome["score"],
            "status": outcome["status"],
            "best": trial.merit > self.best,
        }
        if row["best"]:
            self.best = trial.merit
            if self.watch is not None and run is not None:
                row["watched"] = self.watch(run, positions)
        self.rungs.append(row)

    def _outcome(self, trial: Trial, folds: Sequence[Progress]) -> dict[str, Any]:
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
        return {
            "score": metrics[self.task.objective.name],
            **metrics,
            "best_epoch": int(np.median([fold.best_epoch for fold in folds])),
            "epochs": sum(max(0, fold.epochs - trial.started) for fold in folds),
            "seconds": sum(fold.seconds for fold in folds),
            "seed": derive(self.seed, "train", trial.number),
            "status": status,
            "reason": reason,
        }

    def end(self, trial: Trial, status: str = "complete", reason: str = "") -> None:
        """Tell the record, and keep the row. A network that failed keeps its own status and reason."""
        from optuna.trial import TrialState

        outcome = trial.outcome or self._outcome(trial, [Progress("interrupted", reason)])
        if outcome["status"] == "complete":
            outcome |= {"status": status, "reason": reason}
        self.configurations[trial.number] = trial.configuration
        self.points[trial.number] = trial.points
        parent = {} if trial.parent is None else {"parent": trial.parent}
        self.rows[trial.number] = {"number": trial.number, **trial.configuration, **parent, **outcome}
        self._open.remove(trial)
        for name, value in {**parent, **outcome}.items():
            trial.asked.set_user_attr(name, value)
        if outcome["status"] == "complete":
            self.record.tell(trial.asked, [outcome["score"], *(trial.configuration[name] for name in self.task.costs)])
        else:
            interrupted = outcome["status"] == "interrupted"
            self.record.tell(trial.asked, state=TrialState.FAIL if interrupted else TrialState.PRUNED)

    def interrupt(self, reason: str) -> None:
        """Record the trials that were cut off: those that were judged as they were, the others as interrupted."""
        from optuna.trial import TrialState

        self.interrupted = True
        whole = isinstance(self.strategy.schedule, Full)
        for trial in list(self._open):
            self.end(trial, "complete" if whole else "pruned", reason)
        for asked in self.record.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.record.tell(asked.number, state=TrialState.FAIL)

    def headline(self) -> str:
        """Return the best score so far, for a progress bar."""
        sign = self.task.objective.sign
        return f"best {self.task.objective.name} {sign * self.best:.4g}" if self.best > -math.inf else ""


def longest(task: Task, source: Mapping[str, Any]) -> int:
    """Return the epochs that one network trains: what the configuration says, else the task's defaults, else the task.

    Args:
        task: the problem.
        source: a configuration; or a space, and the answer is the most it allows.

    Raises:
        InvalidInput: for a length that is no whole number of at least 1.
    """
    said = source.get("epochs", task.defaults.get("epochs", task.epochs))
    return whole("epochs", max(said.grid()) if isinstance(said, Int | Choice) else said, 1)


def check_strategy(task: Task, strategy: Strategy) -> None:
    """Refuse a strategy that cannot do what the task asks, or a space that decides what the schedule decides.

    Raises:
        InvalidInput: if the space searches ``epochs`` and the schedule does not train in full; if the schedule is
            population-based training and nothing in the space can change in mid-training; if the task has costs and
            the sampler weighs a single objective, or the schedule stops networks by it.
    """
    whole = isinstance(strategy.schedule, Full)
    if isinstance(strategy.schedule, PopulationBased):
        changeable(task.space)
    if "epochs" in task.space and not whole:
        raise InvalidInput(
            f"{strategy.name} decides how long to train, and so would 'epochs' in this task's space: leave it out"
        )
    if task.costs and not (whole and isinstance(strategy.sampler, SEVERAL)):
        raise InvalidInput(
            f"{strategy.name} knows one objective, and {task.name!r} has costs beside it, {', '.join(task.costs)}: "
            "take 'nsga2', 'tpe', or a strategy that does not learn, such as 'random'"
        )


SEVERAL = (Listed, Grid, Random, Sobol, Tpe, Nsga2)
"""Samplers that know several objectives, or none."""


def _new_record(task: Task) -> optuna.Study:
    import optuna

    up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
    with quiet_optuna():
        return optuna.create_study(directions=[up if each else down for each in directions(task)])


def directions(task: Task) -> list[bool]:
    """Return for each objective of a task whether greater is better."""
    return [task.objective.greater_is_better, *[False] * len(task.costs)]


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna log warnings only, until the last of those that ask for it side by side has ended."""
    global _asking, _before
    import optuna

    with _lock:
        if not _asking:
            _before = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(max(_before, optuna.logging.WARNING))
        _asking += 1
    try:
        yield
    finally:
        with _lock:
            _asking -= 1
            if not _asking:
                optuna.logging.set_verbosity(_before)


_lock, _asking, _before = threading.Lock(), 0, 0
