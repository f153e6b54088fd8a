"""Comparisons: several strategies on one task, side by side, many times over.

One search proves little: the next seed may turn the order round. So every strategy searches many times. A *repeat*
has a split of the data and a seed of its own, and all strategies share both, so that like is compared with like
(paired). The repeats run in lockstep: in each round the networks that all searches wait for are trained together,
as one heap, which is what makes many repeats affordable.

What a comparison does not do is judge: it hands over the numbers, one row a repeat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpt import strategies as table
from hpt.data import Array, LockedTest
from hpt.domains import is_whole
from hpt.errors import InvalidInput, unknown
from hpt.evidence import interval
from hpt.schedules import epochs_of
from hpt.search import Search, check_strategy, longest
from hpt.seeds import derive
from hpt.strategies import Strategy
from hpt.study import Study, study_of
from hpt.tasks import Task
from hpt.training import Run, Trainer


@dataclass(frozen=True, repr=False)
class Comparison:
    """What several strategies found, repeat by repeat.

    Attributes:
        task: name of the task.
        objective: name of the metric that decided.
        greater_is_better: which way it is up.
        epochs: each strategy's budget.
        judgements: one row each time a network was judged: ``strategy``, ``repeat``, ``spent`` (the search's epochs
            until then), ``trial``, ``bracket``, ``rung``, ``epoch``, ``score`` on validation rows, ``status``,
            ``best``, whether the network was the best of its search so far, and ``test``, its score on test rows if
            it was.
        studies: the `Study` of each strategy and repeat.
        interrupted: whether Ctrl-C ended it early; then the searches hold what was judged until then.
        asking: one row a search: ``strategy``, ``repeat`` and ``milliseconds`` a trial that the sampler thought.
    """

    task: str
    objective: str
    greater_is_better: bool
    epochs: Mapping[str, int]
    judgements: pd.DataFrame
    studies: Mapping[tuple[str, int], Study]
    asking: pd.DataFrame
    interrupted: bool = False

    @property
    def strategies(self) -> list[str]:
        """The names, in the order in which they were given."""
        return list(self.epochs)

    @property
    def repeats(self) -> int:
        """How many times each strategy searched."""
        return len(self.studies) // len(self.epochs)

    @property
    def sign(self) -> int:
        """1 where greater is better, else -1."""
        return 1 if self.greater_is_better else -1

    def anytime(self, at: Sequence[float], column: str = "score", *, scaled: bool = False) -> pd.DataFrame:
        """Return how good the best network was when so many epochs were spent.

        The best is the one with the best validation score among all networks as they stood, those that a schedule
        stopped early included: such a network can be used.

        Args:
            at: epochs spent.
            column: ``"score"`` on validation rows, an optimistic number, or ``"test"``.
            scaled: let a strategy with k times the least budget run k times as fast, so that all end together.

        Returns:
            One row a strategy, repeat and number of epochs: ``strategy``, ``repeat``, ``spent``, and the column. It
            is missing as long as nothing was judged.
        """
        rows, least = [], min(self.epochs.values())
        for (strategy, repeat), found in self._best().items():
            spent = found["spent"].to_numpy() * (least / self.epochs[strategy] if scaled else 1)
            for epochs in at:
                place = int(np.searchsorted(spent, epochs, side="right")) - 1
                rows.append((strategy, repeat, epochs, found[column].iloc[place] if place >= 0 else np.nan))
        return pd.DataFrame(rows, columns=["strategy", "repeat", "spent", column])

    def final(self) -> pd.DataFrame:
        """Return what each search ended with: ``strategy``, ``repeat``, ``score``, ``test``, ``spent``, ``trials``.

        The scores are missing where no network of a search was trained without failing.
        """
        rows = []
        for (strategy, repeat), found in self._best().items():
            study = self.studies[strategy, repeat]
            last = found[["score", "test"]].iloc[-1] if len(found) else (np.nan, np.nan)
            spent = int(study.rungs["spent"].max()) if len(study.rungs) else 0
            rows.append((strategy, repeat, *last, spent, len(study.trials)))
        return pd.DataFrame(rows, columns=["strategy", "repeat", "score", "test", "spent", "trials"])

    def ranks(self, column: str = "score") -> pd.DataFrame:
        """Return each strategy's rank among all in each repeat: repeats × strategies.

        1 is best, equals share a rank, and a search without a score comes last.
        """
        wide = self.final().pivot_table(index="repeat", columns="strategy", values=column, dropna=False)
        wide = wide.reindex(index=range(self.repeats), columns=self.strategies)
        return wide.rank(axis=1, ascending=not self.greater_is_better, na_option="bottom")

    def best_at(self, name: str, epochs: int | None = None, column: str = "score") -> pd.Series[float]:
        """Return what a strategy's best network scored when its search had spent so many epochs, repeat by repeat.

        Args:
            name: of the strategy.
            epochs: spent by each search; default all.
            column: ``"score"`` on validation rows, or ``"test"``.

        Raises:
            UnknownName: for a strategy that was not compared.
        """
        if name not in self.strategies:
            raise unknown("strategy", name, self.strategies)
        found = self.anytime([math.inf if epochs is None else epochs], column)
        best: pd.Series[float] = found[found["strategy"] == name].set_index("repeat")[column].astype(float)
        return best

    def paired(self, one: str, other: str, column: str = "score", **at: int) -> pd.Series[float]:
        """Return, repeat by repeat, by how much one strategy's best lies above another's.

        Args:
            one: name of a strategy.
            other: name of the strategy that it is held against.
            column: ``"score"`` on validation rows, or ``"test"``.
            at: epochs spent, by the strategy's name; default the end of its search.

        Raises:
            UnknownName: for a strategy that was not compared.
        """
        for name in at:
            if name not in (one, other):
                raise unknown("strategy", name, (one, other))
        return self.best_at(one, at.get(one), column) - self.best_at(other, at.get(other), column)

    def gains(self, over: str = "random", column: str = "score", confidence: float = 0.95) -> pd.DataFrame:
        """Return by how much each strategy ended better than one of them: paired differences, with an interval.

        Args:
            over: the strategy to compare with.
            column: ``"score"`` or ``"test"``.
            confidence: of each interval, Student's t over the repeats. Where many are read together, divide what is
                left to 1 by their number (Bonferroni).

        Returns:
            One row a strategy, the reference left out: ``strategy``, ``gain`` (the mean; positive is better, whichever
            way the metric is up), ``low``, ``high``, and ``repeats``, the pairs that both have a score.

        Raises:
            UnknownName: for a strategy that was not compared.
            InvalidInput: where fewer than two repeats have a score of both.
        """
        rows = []
        for name in (name for name in self.strategies if name != over):
            pairs = self.sign * self.paired(name, over, column).dropna()
            rows.append((name, *interval(pairs, confidence), len(pairs)))
        return pd.DataFrame(rows, columns=["strategy", "gain", "low", "high", "repeats"])

    def epochs_to(self, target: Mapping[int, float] | float) -> pd.DataFrame:
        """Return the epochs each search spent until its best reached a target; missing where it never did.

        Scores that differ by less than a ten-thousandth count as equal: so much the same network differs in two stacks.

        Args:
            target: a validation score, or one for each repeat.
        """
        rows = []
        for (strategy, repeat), found in self._best().items():
            wanted = target[repeat] if isinstance(target, Mapping) else target
            there = found[self.sign * found["score"] >= self.sign * wanted - 1e-4 * abs(wanted)]
            rows.append((strategy, repeat, there["spent"].iloc[0] if len(there) else np.nan))
        return pd.DataFrame(rows, columns=["strategy", "repeat", "spent"])

    def _best(self) -> dict[tuple[str, int], pd.DataFrame]:
        """The rows of each search in which it found a new best network."""
        new = self.judgements[self.judgements["best"]]
        empty = self.judgements.iloc[:0]
        groups = dict(iter(new.groupby(["strategy", "repeat"], sort=False)))
        return {key: groups.get(key, empty) for key in self.studies}

    def __repr__(self) -> str:
        searches = f"{len(self.epochs)} strategies × {self.repeats} repeats"
        text = f"Comparison on {self.task!r}: {searches}, {self.objective} of {len(self.judgements):,} judgements"
        return text + ("\ninterrupted: this is what there is" if self.interrupted else "")


def compare(
    task: Task,
    strategies: Sequence[str | Strategy],
    *,
    epochs: int | Mapping[str, int],
    repeats: int = 20,
    seed: int = 0,
    progress: bool | None = None,
    trainer: Trainer | None = None,
) -> Comparison:
    """Let strategies search the same task, many times, with the same seeds and splits.

    Args:
        task: what to tune; its data are split anew for every repeat (a series is always cut at the same dates).
        strategies: names from `hpt.strategies.STRATEGIES`, or strategies; each name once.
        epochs: budget of each search, or one by name.
        repeats: how many times each strategy searches.
        seed: of all splits and searches.
        progress: show a progress bar of the epochs that are trained. Default as in `hpt.tune`.
        trainer: trains the networks, default `hpt.training.stack.Stack`.

    Returns:
        A `Comparison`. The test rows of a repeat are opened once and judge every new best network beside the
        validation rows; no strategy sees what comes out.

    Raises:
        InvalidInput: for no strategies, one that is named twice, no repeats, or a budget that is missing or does not
            pay for one trial or bracket.
        UnknownName: for an unknown strategy.
    """
    from hpt.training.stack import Stack

    chosen = {strategy.name: strategy for strategy in map(table.resolve, strategies)}
    if len(chosen) != len(strategies) or not chosen:
        raise InvalidInput("compare needs strategies, each name once: rename one with hpt.strategies.Strategy")
    if not is_whole(repeats) or repeats < 1:
        raise InvalidInput(f"repeats must be a whole number of at least 1, got {repeats!r}")
    if isinstance(epochs, Mapping) and set(epochs) != set(chosen):
        raise InvalidInput(f"epochs must name each strategy once, {', '.join(chosen)}, got {', '.join(epochs)}")
    budgets = {name: epochs[name] if isinstance(epochs, Mapping) else epochs for name in chosen}
    for name, strategy in chosen.items():
        check_strategy(task, strategy)
        price = epochs_of(strategy.schedule.plan(longest(task, task.space)).brackets[0])
        if not is_whole(budgets[name]) or budgets[name] < price:
            raise InvalidInput(f"{name} needs a budget of at least {price} epochs here, got {budgets[name]!r}")
    trainer = trainer or Stack()
    repeated, tests = task.resplit(repeats, seed)
    watches = [Watch(repeated, repeat, test) for repeat, test in enumerate(tests)]
    searches = {
        (name, repeat): Search(
            repeated,
            strategy,
            trainer,
            derive(seed, "repeat", repeat),
            epochs=budgets[name],
            folds=[repeat],
            watch=watches[repeat],
        )
        for name, strategy in chosen.items()
        for repeat in range(repeats)
    }
    run_in_lockstep(list(searches.values()), trainer, progress)
    return comparison_of(task, budgets, searches)


def comparison_of(task: Task, budgets: Mapping[str, int], searches: Mapping[tuple[str, int], Search]) -> Comparison:
    """Return what searches have found that share their splits.

    Args:
        task: that they searched.
        budgets: epochs, by the name of the strategy.
        searches: by strategy and repeat.
    """
    studies = {key: study_of(search) for key, search in searches.items()}
    frames = [study.rungs.assign(strategy=name, repeat=repeat) for (name, repeat), study in studies.items()]
    judgements = pd.concat(frames, ignore_index=True).rename(columns={"watched": "test"})
    asking = [(*key, 1000 * search.asking / max(1, search.started)) for key, search in searches.items()]
    return Comparison(
        task=task.name,
        objective=task.objective.name,
        greater_is_better=task.objective.greater_is_better,
        epochs=budgets,
        judgements=judgements[
            ["strategy", "repeat", "spent", "trial", "bracket", "rung", "epoch", "score", "status", "best", "test"]
        ],
        studies=studies,
        asking=pd.DataFrame(asking, columns=["strategy", "repeat", "milliseconds"]),
        interrupted=any(search.interrupted for search in searches.values()),
    )


def run_in_lockstep(searches: Sequence[Search], trainer: Trainer, progress: bool | None = None) -> None:
    """Run searches of one task to their ends; in each round, what all of them wait for is trained together."""
    from tqdm.auto import tqdm

    from hpt.study import shown

    rounds = {search: search.rounds() for search in searches}
    with tqdm(total=sum(search.epochs or 0 for search in searches), unit="epoch", disable=not shown(progress)) as bar:
        while rounds:
            try:
                waiting = {search: next(own, None) for search, own in rounds.items()}
                rounds = {search: own for search, own in rounds.items() if waiting[search] is not None}
                trainer.advance([pair for pairs in waiting.values() for pair in pairs or ()])
                bar.update(sum(search.spent for search in searches) - bar.n)
            except KeyboardInterrupt:
                for search in rounds:
                    search.interrupt("interrupted by Ctrl-C")
                break


class Watch:
    """Judges networks on the test rows of a repeat, which open once.

    Args:
        task: with a fold a repeat, see `hpt.Task.resplit`.
        fold: of the repeat.
        test: its test rows.
    """

    def __init__(self, task: Task, fold: int, test: LockedTest) -> None:
        self.task, self.fold, self.test = task, fold, test
        self._rows: tuple[Array, Array, Any] | None = None

    def __call__(self, run: Run, positions: Sequence[int]) -> float:
        """Return the objective on the test rows."""
        if self._rows is None:
            self._rows = self.task.open_test(self.fold, self.test)
        x, y, restore = self._rows
        return self.task.objective.score(y, restore(run.outputs(positions[0], x)))
