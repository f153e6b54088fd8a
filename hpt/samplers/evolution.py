"""Ageing evolution: the best of a few are parents, and the oldest die (Real, Aggarwal, Huang, Le 2019).

Algorithm 1 of the paper, "regularized evolution". Because everyone dies in time, only what is good again and again
stays: a lucky measurement does not. Crossover is ours, as Syswerda (1989) has it; the paper only mutates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.domains import Choice, Domain
from hpt.errors import InvalidInput
from hpt.samplers.base import Observation, Proposer, at_least
from hpt.samplers.basic import Random
from hpt.seeds import stream
from hpt.space import Configuration, Space

if TYPE_CHECKING:
    from optuna import Study as Record


WIDTH = 0.2
"""Standard deviation of a number's mutation, as a share of its scale."""


@dataclass(frozen=True)
class AgeingEvolution(Proposer):
    """Breed the next configuration from the last ones that were judged.

    Args:
        population: how many of the last trials are alive, P in the paper; so many are drawn at random first.
            Default 20.
        tournament: how many of them are drawn, with replacement, to find a parent: S in the paper. Default 5.
        crossover: how likely a child has two parents. Default 0.5; 0 is the paper's algorithm.
        batch: how many children are bred from one population, so that they can be trained together. Default 1.

    Raises:
        InvalidInput: for a setting that is out of its range.
    """

    population: int = 20
    tournament: int = 5
    crossover: float = 0.5
    batch: int = 1

    def __post_init__(self) -> None:
        at_least("ageing evolution", self.population, 1, "a population")
        at_least("ageing evolution", self.tournament, 1, "a tournament")
        at_least("ageing evolution", self.batch, 1, "a batch")
        likely = self.crossover
        if isinstance(likely, bool) or not isinstance(likely, int | float) or not 0 <= likely <= 1:
            raise InvalidInput(f"ageing evolution needs crossover to be a probability, 0 to 1, got {likely!r}")

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return what is left of the random trials, later of the batch."""
        if number < self.population:
            return self.population - number
        return self.batch - (number - self.population) % self.batch

    @property
    def startup(self) -> int:
        """How many trials are drawn at random: the first population."""
        return self.population

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration:
        """Return random search's draw for the first population, then a child of the best of a tournament."""
        alive = self.alive(seen, number)
        if number < self.population or not alive:
            return Random().propose(space, (), number, seed)
        rng = stream(seed, "evolution", number)
        child = self.winner(alive, rng).configuration
        if rng.random() < self.crossover:
            child = cross(space, child, self.winner(alive, rng).configuration, rng)
        return mutate(space, child, rng)

    def alive(self, seen: Sequence[Observation], number: int) -> list[Observation]:
        """Return the population that trial ``number`` is bred from: the last that were judged before its batch."""
        first = number - (number - self.population) % self.batch
        return [one for one in seen if one.merits and one.number < first][-self.population :]

    def winner(self, alive: Sequence[Observation], rng: np.random.Generator) -> Observation:
        """Return the best of a tournament."""
        drawn: list[Observation] = [alive[i] for i in rng.integers(len(alive), size=self.tournament)]
        return max(drawn, key=lambda one: -math.inf if one.merit is None else one.merit)


def mutate(space: Space, configuration: Configuration, rng: np.random.Generator) -> Configuration:
    """Return a configuration that differs in one hyperparameter, and in what comes and goes with it.

    A number takes a normal step of `WIDTH`, reflected at the ends of its scale; a choice takes another of its
    values. What comes with the new value is drawn at random. Only a space of one configuration gives it back.
    """
    names = [name for name in configuration if space[name].size() > 1]
    if not names:
        return dict(configuration)
    name = names[rng.integers(len(names))]
    return space.completed({**configuration, name: _step(space[name], configuration[name], rng)}, rng)


def _step(domain: Domain, value: Any, rng: np.random.Generator) -> Any:
    """Another value of a domain, near the old one where the domain has an order."""
    share = domain.share(value)
    if isinstance(domain, Choice):
        return domain.at((share + rng.integers(1, domain.size()) / domain.size()) % 1)
    new = value
    while new == value:  # a step that is too short for a whole number is taken again
        new = domain.at(1 - abs(1 - (share + WIDTH * rng.standard_normal()) % 2))
    return new


def cross(space: Space, a: Configuration, b: Configuration, rng: np.random.Generator) -> Configuration:
    """Return a configuration that has each value from one of two others, from either with probability one half.

    What only one of the two has comes from that one. What neither has, but the child needs, because one parent
    meets one of its conditions and the other the other, is drawn at random.
    """
    mixed: Configuration = {}
    for name in space:
        owners = [parent for parent in (a, b) if name in parent]
        if owners:
            mixed[name] = owners[rng.integers(len(owners))][name]
    return space.completed(mixed, rng)
