"""Simulation: what many workers would make of a search, without having them.

Successive halving can wait: a rung begins when the last network of the rung before it is done. Or it need not wait:
in asynchronous successive halving (ASHA, Li et al. 2020) a worker that is free promotes the best network that is
among the top of its rung so far, and else starts a new one. That keeps workers busy, at the price of promotions that
the synchronous rule would not have made. `simulate` plays both, event by event, with the seconds that the parts of the
work were measured to take, and says where the time of the workers goes.

A *unit* of work is what a worker gets at once: one network, or a stack of several, trained from one rung to the next.
Its seconds are ``fixed`` plus the sum of its networks' seconds. One driver hands out all units, one after another.

Sources: Li et al., *A System for Massively Parallel Hyperparameter Tuning* (MLSys 2020); Graham, *Bounds on
Multiprocessing Timing Anomalies* (1969), for what a greedy order can lose.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from hpt.data import Array
from hpt.domains import whole
from hpt.errors import InvalidInput
from hpt.schedules import Bracket, Brackets, best_of
from hpt.seeds import stream

if TYPE_CHECKING:
    import pandas as pd

WHERE = ("training", "overhead", "queueing", "waiting", "start-up", "lost")
"""Where the time of workers goes: networks train; a unit's fixed seconds; in line for the driver; no work to be had;
starting; units that a worker took with it when it died."""

LOGGED = 5_000
"""So many rows of the log are kept, the first ones."""


@dataclass(frozen=True)
class Costs:
    """What work costs, in seconds.

    Attributes:
        epoch: of a network in training: one number, or those of many networks, as measured. A configuration keeps the
            one that it gets; they are given in order where there are enough, else drawn.
        fixed: of a unit on the worker beside its training, such as a trace or the overhead of a trial.
        dispatch: of a unit at the driver, which serves one worker at a time.
        startup: of a worker, at the beginning and after it died.
        failures: deaths in an hour of one worker's work. A dead worker's unit is done again.

    Raises:
        InvalidInput: for seconds that are negative or not finite, or an epoch that takes none.
    """

    epoch: float | Sequence[float] | Array
    fixed: float = 0.0
    dispatch: float = 0.0
    startup: float = 0.0
    failures: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fixed", "dispatch", "startup", "failures"):
            value = getattr(self, name)
            if not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
                raise InvalidInput(f"{name} must be a number of at least 0, got {value!r}")
            object.__setattr__(self, name, float(value))
        seconds = np.asarray(self.epoch)
        if seconds.ndim > 1 or not seconds.size or seconds.dtype.kind not in "iuf":
            raise InvalidInput(f"epoch must be a number of seconds or a list of them, got {self.epoch!r}")
        if not (np.isfinite(seconds) & (seconds > 0)).all():
            raise InvalidInput("an epoch must take a finite time above 0: leave out networks that did not train")

    def epochs(self, configurations: int, seed: int) -> list[float]:
        """Return the seconds of an epoch of each configuration."""
        measured = np.atleast_1d(np.asarray(self.epoch, dtype=float))
        if len(measured) < configurations:
            measured = stream(seed, "epoch").choice(measured, configurations)
        return [float(seconds) for seconds in measured[:configurations]]


@dataclass(frozen=True, repr=False)
class Simulation:
    """What happened.

    Attributes:
        workers: how many there were.
        makespan: seconds from the start of the workers until the last unit was done.
        seconds: of all workers together, by `WHERE`; their sum is ``workers * makespan``.
        units: how many were done.
        reached: until which epoch each configuration was trained, 0 where it never began.
        promotions: how many times a network went on to a next rung.
        wrong: how many of them the rule that waits would not have made with these scores.
        trained: networks trained to the last epoch of the plan.
        log: rows ``worker``, ``begin``, ``end`` (seconds), ``doing`` (of `WHERE`), ``networks`` and ``epoch`` (until
            which they train), in the order in which they were known; the first `LOGGED` of them.
            A worker's wait after its last unit is none of them.
    """

    workers: int
    makespan: float
    seconds: dict[str, float]
    units: int
    reached: Array
    promotions: int
    wrong: int
    trained: int
    log: pd.DataFrame = field(compare=False)

    @property
    def shares(self) -> dict[str, float]:
        """The time of the workers by `WHERE`, as shares that add up to 1."""
        return {name: seconds / (self.workers * self.makespan) for name, seconds in self.seconds.items()}

    @property
    def busy(self) -> float:
        """Share of the workers' time in which they did what they were handed: training, overhead, what was lost."""
        return sum(self.shares[name] for name in ("training", "overhead", "lost"))

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items() if share >= 0.005)
        return f"Simulation of {self.workers:,} workers: {self.units:,} units in {self.makespan:,.1f} s\n{parts}"


class Unit(NamedTuple):
    """What a worker gets at once: these configurations, trained to the end of a rung of a bracket."""

    bracket: int
    rung: int
    members: list[int]


class _Rule(Protocol):
    """Who is trained next."""

    def take(self) -> Unit | None:
        """Return the next unit, None if there is none now."""

    def done(self, unit: Unit) -> None:
        """Hear that a unit is done."""


def simulate(
    plan: Brackets,
    workers: int,
    costs: Costs,
    *,
    asynchronous: bool = False,
    unit: int = 1,
    scores: Mapping[int, Sequence[float] | Array] | None = None,
    seed: int = 0,
) -> Simulation:
    """Play a plan on many workers.

    Args:
        plan: from `hpt.schedules`, such as ``successive_halving(81, networks=1000)``. Its configurations are numbered
            bracket by bracket. Brackets run one after the other; asynchronously, the next one begins as soon as one
            has nothing to start or to promote.
        workers: how many.
        costs: of the work.
        asynchronous: do not wait for a rung to end. Of ``c`` networks done in a rung the best are promoted, as many
            as the plan would keep of ``c``, rounded down.
        unit: so many networks travel together; fewer where a rung has no more left, and asynchronously where no more
            can be promoted at that moment. A unit is not cut smaller because workers are idle.
        scores: by epoch of a rung, the score of each configuration there, greater is better, minus infinity where it
            failed. Default those of `noisy_scores`.
        seed: of what is drawn.

    Raises:
        InvalidInput: for what is none of the above, and scores that are missing or not a number.

    >>> from hpt.schedules import successive_halving
    >>> simulate(successive_halving(9), 3, Costs(epoch=1.0))
    Simulation of 3 workers: 13 units in 11.0 s
    training 64%, waiting 36%
    """
    if not isinstance(plan, Brackets):
        raise InvalidInput(f"a plan is made by hpt.schedules, such as successive_halving(81), got {plan!r}")
    if not isinstance(costs, Costs):
        raise InvalidInput(f"costs must be given as Costs(epoch=…), got {costs!r}")
    whole("workers", workers, 1)
    whole("unit", unit, 1)
    known = _checked(plan, noisy_scores(plan, seed=seed) if scores is None else scores)
    rule: _Rule = _Asynchronous(plan, known, unit) if asynchronous else _Synchronous(plan, known, unit)
    played = _Play(plan, workers, costs, rule, seed)
    played.run()
    patient = _rungs_reached(plan, known) if asynchronous else played.rungs
    epochs = [[0, *(rung.epoch for rung in bracket)] for bracket in plan.brackets for _ in range(bracket[0].networks)]
    reached = np.array([own[rungs] for own, rungs in zip(epochs, played.rungs, strict=True)])
    return Simulation(
        workers=workers,
        makespan=played.now,
        seconds=played.seconds,
        units=played.units,
        reached=reached,
        promotions=sum(max(0, rungs - 1) for rungs in played.rungs),
        wrong=sum(max(0, rungs - own) for rungs, own in zip(played.rungs, patient, strict=True)),
        trained=int((reached == max(bracket[-1].epoch for bracket in plan.brackets)).sum()),
        log=played.log(),
    )


def noisy_scores(plan: Brackets, correlation: float = 0.5, seed: int = 0) -> dict[int, Array]:
    """Draw scores whose ranks agree the better the later they are looked at.

    Args:
        plan: whose configurations and rungs they are for.
        correlation: rank correlation of a score at the earliest rung with the one at the last epoch, 0 to 1. It rises
            to 1 with the logarithm of the epoch.
        seed: of the draws.

    Returns:
        By epoch of a rung the score of each configuration, normally distributed.
    """
    if not isinstance(correlation, int | float) or not 0 <= correlation <= 1:
        raise InvalidInput(f"a correlation of ranks lies between 0 and 1 here, got {correlation!r}")
    epochs = sorted({rung.epoch for bracket in plan.brackets for rung in bracket})
    final = stream(seed, "quality").normal(size=plan.configurations)
    found = {}
    for epoch in epochs:
        late = math.log(epoch / epochs[0]) / math.log(epochs[-1] / epochs[0]) if len(epochs) > 1 else 1.0
        ranks = correlation + (1 - correlation) * late
        share = 2 * math.sin(math.pi * ranks / 6)  # the correlation of two normal numbers whose ranks agree so well
        noise = stream(seed, "noise", epoch).normal(size=plan.configurations)
        found[epoch] = share * final + math.sqrt(max(0.0, 1 - share**2)) * noise
    return found


def spread(mean: float, sigma: float, count: int, seed: int = 0) -> Array:
    """Draw seconds that differ by a factor: lognormal, most of them below the mean and a few far above.

    Args:
        mean: of the distribution, in seconds.
        sigma: standard deviation of the logarithm, 0 for none; at 1, one in twenty takes over three times the mean.
        count: how many.
        seed: of the draws.
    """
    if not 0 < mean < math.inf or not 0 <= sigma < math.inf:
        raise InvalidInput(f"a mean above 0 and a sigma of at least 0 are needed, got {mean!r} and {sigma!r}")
    draws = stream(seed, "spread").normal(size=whole("count", count, 1))
    return np.asarray(mean * np.exp(sigma * draws - sigma**2 / 2))


def _checked(plan: Brackets, scores: Mapping[int, Sequence[float] | Array]) -> dict[int, list[float]]:
    """Scores as lists, those of every rung that a network is promoted from."""
    found = {}
    for epoch in sorted({rung.epoch for bracket in plan.brackets for rung in bracket[:-1]}):
        if epoch not in scores:
            raise InvalidInput(f"scores are needed at every rung of the plan, there are none at epoch {epoch}")
        own = np.asarray(scores[epoch], dtype=float)
        if own.shape != (plan.configurations,) or np.isnan(own).any():
            raise InvalidInput(
                f"scores at epoch {epoch} must be {plan.configurations} numbers, one a configuration of the plan and "
                f"none of them NaN: minus infinity for one that failed; got shape {own.shape}"
            )
        found[epoch] = own.tolist()
    return found


# --- what happens when ------------------------------------------------------------------------------------


class _Event(NamedTuple):
    """The time at which something happens to a worker; of equal times the one that was planned first."""

    time: float
    order: int
    worker: int
    unit: Unit | None = None  # None: the worker has started
    begun: float = 0.0
    dies: bool = False


class _Play:
    """Workers, the driver and the clock."""

    def __init__(self, plan: Brackets, workers: int, costs: Costs, rule: _Rule, seed: int) -> None:
        self.plan, self.costs, self.rule = plan, costs, rule
        self.epoch = costs.epochs(plan.configurations, seed)
        self.lots = stream(seed, "failures")
        self.rungs = [0] * plan.configurations  # that a configuration has behind it
        self.seconds = dict.fromkeys(WHERE, 0.0)
        self.rows: list[tuple[int, float, float, str, int, int]] = []
        self.units = self.running = self.order = 0
        self.now = self.driver = 0.0
        self.again: deque[Unit] = deque()  # units whose worker died
        self.idle: list[int] = []
        self.since = [0.0] * workers
        self.events: list[_Event] = []
        for worker in range(workers):
            self._start(worker)

    def run(self) -> None:
        """Let everything happen, until nothing runs and nobody finds work."""
        while self.events:
            event = heappop(self.events)
            self.now = event.time
            if event.unit is None:
                self._rest(event.worker)
            else:
                self._end(event, event.unit)
            while self.idle and (unit := self.again.popleft() if self.again else self.rule.take()):
                self._begin(heappop(self.idle), unit)
            if self.idle and not self.running:
                break
        for worker in self.idle:
            self.seconds["waiting"] += self.now - self.since[worker]
        for event in self.events:  # workers that had died and were not needed again
            self.seconds["start-up"] -= event.time - self.now

    def _start(self, worker: int) -> None:
        ready = self.now + self.costs.startup
        self._spend("start-up", worker, self.now, ready)
        self._plan(ready, worker)

    def _rest(self, worker: int) -> None:
        self.since[worker] = self.now
        heappush(self.idle, worker)

    def _begin(self, worker: int, unit: Unit) -> None:
        self._spend("waiting", worker, self.since[worker], self.now)
        self.driver = begun = max(self.now, self.driver) + self.costs.dispatch
        self._spend("queueing", worker, self.now, begun, unit)
        work = self.costs.fixed + self._training(unit)
        failures = self.costs.failures
        life = self.lots.exponential(3600 / failures) if failures else math.inf
        self._plan(begun + min(work, life), worker, unit, begun, life < work)
        self.running += 1

    def _end(self, event: _Event, unit: Unit) -> None:
        self.running -= 1
        if event.dies:
            self._spend("lost", event.worker, event.begun, self.now, unit)
            self.again.append(unit)
            self._start(event.worker)
            return
        trains = self.now - self._training(unit)
        self._spend("overhead", event.worker, event.begun, trains, unit)
        self._spend("training", event.worker, trains, self.now, unit)
        self.units += 1
        for number in unit.members:
            self.rungs[number] = unit.rung + 1
        self.rule.done(unit)
        self._rest(event.worker)

    def _training(self, unit: Unit) -> float:
        bracket = self.plan.brackets[unit.bracket]
        epochs = bracket[unit.rung].epoch - (bracket[unit.rung - 1].epoch if unit.rung else 0)
        return epochs * sum(self.epoch[number] for number in unit.members)

    def _plan(self, time: float, worker: int, unit: Unit | None = None, begun: float = 0.0, dies: bool = False) -> None:
        self.order += 1
        heappush(self.events, _Event(time, self.order, worker, unit, begun, dies))

    def _spend(self, doing: str, worker: int, begin: float, end: float, unit: Unit | None = None) -> None:
        self.seconds[doing] += end - begin
        if end > begin and len(self.rows) < LOGGED:
            epoch = self.plan.brackets[unit.bracket][unit.rung].epoch if unit else 0
            self.rows.append((worker, begin, end, doing, len(unit.members) if unit else 0, epoch))

    def log(self) -> pd.DataFrame:
        """Return what workers did, a row each time they did something else."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=["worker", "begin", "end", "doing", "networks", "epoch"])


# --- who is next ------------------------------------------------------------------------------------------


class _Synchronous:
    """A rung begins when the one before it has ended: what `hpt.tune` does."""

    def __init__(self, plan: Brackets, scores: Mapping[int, list[float]], unit: int) -> None:
        self.scores, self.unit = scores, unit
        self.brackets = iter(_numbered(plan))
        self.number = self.rung = -1
        self.bracket: Bracket = ()
        self.group: list[int] = []
        self.queue: deque[Unit] = deque()
        self.left = 0
        self._next()

    def take(self) -> Unit | None:
        return self.queue.popleft() if self.queue else None

    def done(self, unit: Unit) -> None:
        self.left -= len(unit.members)
        if not self.left:
            self._next()

    def _next(self) -> None:
        """Open the next rung, or the next bracket where there is none or nobody is left for it."""
        self.rung += 1
        if self.rung < len(self.bracket):
            merits = [self.scores[self.bracket[self.rung - 1].epoch][number] for number in self.group]
            self.group = [self.group[i] for i in best_of(merits, self.bracket[self.rung].networks)]
        else:
            self.group = []
        if not self.group:
            self.number, self.rung = self.number + 1, 0
            self.bracket, self.group = next(self.brackets, ((), []))
        parts = [self.group[i : i + self.unit] for i in range(0, len(self.group), self.unit)]
        self.queue.extend(Unit(self.number, self.rung, part) for part in parts)
        self.left = len(self.group)


class _Asynchronous:
    """A free worker promotes the best that can be promoted, from the highest rung, and else starts something new."""

    def __init__(self, plan: Brackets, scores: Mapping[int, list[float]], unit: int) -> None:
        self.plan, self.scores, self.unit = plan, scores, unit
        self.fresh = [deque(numbers) for _, numbers in _numbered(plan)]
        self.tops = [
            [_Top(lower.networks, upper.networks) for lower, upper in pairwise(bracket)] for bracket in plan.brackets
        ]

    def take(self) -> Unit | None:
        for number, (fresh, tops) in enumerate(zip(self.fresh, self.tops, strict=True)):
            for rung in range(len(tops), 0, -1):
                if promoted := tops[rung - 1].promote(self.unit):
                    return Unit(number, rung, promoted)
            if fresh:
                return Unit(number, 0, [fresh.popleft() for _ in range(min(self.unit, len(fresh)))])
        return None

    def done(self, unit: Unit) -> None:
        tops = self.tops[unit.bracket]
        if unit.rung < len(tops):
            own = self.scores[self.plan.brackets[unit.bracket][unit.rung].epoch]
            for number in unit.members:
                tops[unit.rung].add(number, own[number])


class _Top:
    """The best of a rung so far, as many as the plan would keep of those that are done, and who of them may go on."""

    def __init__(self, networks: int, places: int) -> None:
        self.networks, self.places = networks, places
        self.count = 0
        self.inside: list[tuple[float, int]] = []  # heap, the worst first
        self.outside: list[tuple[float, int]] = []  # heap, the best first
        self.top: set[int] = set()
        self.ready: list[tuple[float, int]] = []  # heap, the best first; some have left the top, or gone on
        self.promoted: set[int] = set()

    def add(self, number: int, score: float) -> None:
        """Take a network in that is done."""
        self.count += 1
        if score > -math.inf:
            heappush(self.outside, (-score, number))
        if self.outside and len(self.inside) < self.count * self.places // self.networks:
            self._enter()
        if self.outside and self.inside and self.outside[0] < (-self.inside[0][0], -self.inside[0][1]):
            worst, last = heappop(self.inside)
            self.top.remove(-last)
            self._enter()
            heappush(self.outside, (-worst, -last))

    def _enter(self) -> None:
        negative, number = heappop(self.outside)
        heappush(self.inside, (-negative, -number))
        self.top.add(number)
        heappush(self.ready, (negative, number))

    def promote(self, count: int) -> list[int]:
        """Return the best of the top that have not gone on, at most so many."""
        found: list[int] = []
        while self.ready and len(found) < count:
            number = heappop(self.ready)[1]
            if number in self.top and number not in self.promoted:
                self.promoted.add(number)
                found.append(number)
        return found


def _numbered(plan: Brackets) -> list[tuple[Bracket, list[int]]]:
    """Brackets with the numbers of the configurations that they start."""
    found, first = [], 0
    for bracket in plan.brackets:
        found.append((bracket, list(range(first, first + bracket[0].networks))))
        first += bracket[0].networks
    return found


def _rungs_reached(plan: Brackets, scores: Mapping[int, list[float]]) -> list[int]:
    """How many rungs each configuration trains where every rung waits for its end."""
    rungs, rule = [0] * plan.configurations, _Synchronous(plan, scores, plan.configurations)
    while unit := rule.take():
        for number in unit.members:
            rungs[number] = unit.rung + 1
        rule.done(unit)
    return rungs
