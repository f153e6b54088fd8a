"""Strategies: the table of what `hpt.tune` can run.

A strategy is two choices: what to try next (a sampler) and how long to train it (a schedule). A new strategy is a
new row, or your own pair: ``Strategy("mine", Sobol(), Hyperband())``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpt.errors import InvalidInput, unknown
from hpt.samplers import (
    AgeingEvolution,
    Bohb,
    CmaEs,
    GaussianProcess,
    Grid,
    Listed,
    Nsga2,
    Random,
    Sampler,
    Sobol,
    Tpe,
)
from hpt.schedules import Convention, Full, Hyperband, OneEpoch, PopulationBased, Schedule, SuccessiveHalving


@dataclass(frozen=True)
class Strategy:
    """A name for tables and figures, and the two choices behind it."""

    name: str
    sampler: Sampler
    schedule: Schedule = field(default_factory=Full)


def manual(configurations: Sequence[Mapping[str, Any]]) -> Strategy:
    """Try the configurations that a person wrote down, in order."""
    return Strategy("manual", Listed(configurations))


def grid(points: int | Mapping[str, int] = 3) -> Strategy:
    """Try every combination; each continuous hyperparameter gets ``points`` values."""
    return Strategy("grid", Grid(points))


def random() -> Strategy:
    """Draw every configuration on its own."""
    return Strategy("random", Random())


def sobol() -> Strategy:
    """Spread configurations evenly over the space."""
    return Strategy("sobol", Sobol())


def tpe(startup: int = 10) -> Strategy:
    """Learn from the trials so far which to try next, after ``startup`` random ones."""
    return Strategy("tpe", Tpe(startup))


def gp(startup: int = 10) -> Strategy:
    """Fit a Gaussian process to the trials so far, try where it expects the largest improvement."""
    return Strategy("gp", GaussianProcess(startup))


def evolution(population: int = 20, tournament: int = 5, crossover: float = 0.5) -> Strategy:
    """Breed from the best of a few, let the oldest die."""
    return Strategy("evolution", AgeingEvolution(population, tournament, crossover))


def nsga2(population: int = 20) -> Strategy:
    """Breed generation by generation, Optuna's genetic algorithm."""
    return Strategy("nsga2", Nsga2(population))


def cmaes(population: int | None = None) -> Strategy:
    """Move a bell-shaped cloud of draws towards what was good."""
    return Strategy("cmaes", CmaEs(population))


def one_epoch(networks: int = 27, best: int = 3) -> Strategy:
    """Train random configurations for one epoch, and the best few of them to the end."""
    return Strategy("one_epoch", Random(), OneEpoch(networks, best))


def successive_halving(networks: int | None = None, eta: int = 3) -> Strategy:
    """Start many random configurations, and rung by rung go on with the best ``1/eta``."""
    return Strategy("successive_halving", Random(), SuccessiveHalving(networks, eta))


def hyperband(eta: int = 3, convention: Convention = "algorithm") -> Strategy:
    """Run brackets of random configurations, from bold to cautious."""
    return Strategy("hyperband", Random(), Hyperband(eta, convention))


def bohb(eta: int = 3, convention: Convention = "algorithm") -> Strategy:
    """Hyperband's brackets, two thirds of the newcomers from a model of the scores so far."""
    return Strategy("bohb", Bohb(), Hyperband(eta, convention))


def pbt(population: int = 20, every: int | None = None) -> Strategy:
    """Train a population side by side; every few epochs the worst copy the best and change a little."""
    return Strategy("pbt", Random(), PopulationBased(population, every))


STRATEGIES = {
    "manual": manual,
    "grid": grid,
    "random": random,
    "sobol": sobol,
    "tpe": tpe,
    "gp": gp,
    "evolution": evolution,
    "nsga2": nsga2,
    "cmaes": cmaes,
    "one_epoch": one_epoch,
    "successive_halving": successive_halving,
    "hyperband": hyperband,
    "bohb": bohb,
    "pbt": pbt,
}
"""Every strategy by name."""


PARTS: dict[str, Any] = {
    one.__name__: one
    for one in (
        *(AgeingEvolution, Bohb, CmaEs, GaussianProcess, Grid, Listed, Nsga2, Random, Sobol, Tpe),
        *(Full, Hyperband, OneEpoch, PopulationBased, SuccessiveHalving),
    )
}
"""Every sampler and every schedule by name."""


def resolve(name: str | Strategy) -> Strategy:
    """Return a strategy by its name, with its usual settings; a `Strategy` is handed through.

    Raises:
        UnknownName: for a name that is not there; the message names the near ones.
        InvalidInput: for ``"manual"``, which needs its list.
    """
    if isinstance(name, Strategy):
        return name
    if name not in STRATEGIES:
        raise unknown("strategy", name, STRATEGIES)
    if name == "manual":
        raise InvalidInput("manual search needs its list: hpt.tune(task, hpt.strategies.manual([{...}, {...}]))")
    return STRATEGIES[name]()  # type: ignore[no-any-return, operator]
