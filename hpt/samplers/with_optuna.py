"""Samplers that Optuna has: TPE, CMA-ES, and the genetic algorithm NSGA-II.

Each ask makes Optuna's sampler anew, with a seed that is the address of the trial. What the algorithm remembers,
it reads from the record. So a study that is resumed goes on, where a sampler that was seeded once would repeat its
draws.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hpt.domains import Choice
from hpt.samplers.base import at_least, fixed
from hpt.samplers.basic import Random
from hpt.seeds import derive
from hpt.space import Space

if TYPE_CHECKING:
    from optuna import Study as Record
    from optuna.trial import Trial


@dataclass(frozen=True)
class Tpe:
    """The tree-structured Parzen estimator (Bergstra et al. 2011), Optuna's multivariate form of it.

    It fits one density to the good trials and one to the others, and tries next where their ratio is high.

    Args:
        startup: how many trials are drawn at random before the first fit.
    """

    ends: ClassVar[bool] = False
    startup: int = 10

    def __post_init__(self) -> None:
        at_least("TPE", self.startup, 1, "a number of random trials to start from")

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return what is left of the random trials; after them every trial waits for the one before."""
        return max(1, self.startup - number)

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial:
        """Return a random draw for the first ``startup`` trials, then what the two densities suggest."""
        if number < self.startup:
            return _drawn(record, space, number, seed)
        return _asked(record, space, self.sampler(derive(seed, "tpe", number)))

    @staticmethod
    def sampler(seed: int) -> Any:
        """Return Optuna's sampler, as this one sets it up."""
        from optuna.samplers import TPESampler

        with _quiet():
            return TPESampler(n_startup_trials=0, multivariate=True, group=True, seed=seed)


@dataclass(frozen=True)
class CmaEs:
    """Covariance matrix adaptation (Hansen, Ostermeier 2001), the form in Optuna, by the package ``cmaes``.

    A bell-shaped cloud of draws moves, stretches and turns towards what was good. It knows numbers only:
    categories, and what is not in every configuration, are drawn at random. What diverged teaches it nothing.

    Args:
        population: draws of one generation; default 4 + ⌊3 ln d⌋ for the d numbers it knows, as Hansen advises.
    """

    ends: ClassVar[bool] = False
    population: int | None = None

    def __post_init__(self) -> None:
        if self.population is not None:
            at_least("CMA-ES", self.population, 2, "a population")

    def size(self, space: Space) -> int:
        """Return how many draws make a generation in a space."""
        return self.population or 4 + math.floor(3 * math.log(max(1, len(_numbers(space)))))

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return what is left of the generation; the first trial stands alone."""
        if number == 0 or record is None or space is None:
            return 1
        return _left(record, "cma:generation", self.size(space))

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial:
        """Return a random draw for the first trial, then a draw from the cloud."""
        from optuna.samplers import CmaEsSampler

        if number == 0:
            return _drawn(record, space, number, seed)
        with _quiet():
            sampler: Any = CmaEsSampler(
                seed=derive(seed, "cmaes", number), popsize=self.size(space), warn_independent_sampling=False
            )
        # Optuna would take what all trials so far have in common. Where one without a conditional number comes late,
        # that changes the cloud's dimension, and from there on every trial would be drawn at random.
        known = {name: one for name, one in space.distributions().items() if name in _numbers(space)}
        sampler.infer_relative_search_space = lambda study, trial: known
        return _asked(record, space, sampler)


@dataclass(frozen=True)
class Nsga2:
    """A genetic algorithm: NSGA-II (Deb et al. 2002), Optuna's, with one objective or several.

    A generation is drawn at random, and every later one crosses two of the best so far, value by value, and draws
    a value anew now and then. What is not in every configuration is drawn at random. What diverged does not count:
    the generation gets as many more.

    Args:
        population: configurations of one generation, default 20.
    """

    ends: ClassVar[bool] = False
    population: int = 20

    def __post_init__(self) -> None:
        at_least("NSGA-II", self.population, 2, "a population")

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return what is left of the generation."""
        if record is None:
            return self.population - number % self.population
        return _left(record, "NSGAIISampler:generation", self.population)

    @property
    def startup(self) -> int:
        """How many trials are drawn at random: the first generation."""
        return self.population

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial:
        """Return a random draw for the first generation, then a child of two of the best."""
        from optuna.samplers import NSGAIISampler

        if number < self.population:
            trial = _drawn(record, space, number, seed)
            first = NSGAIISampler(population_size=self.population)
            first.get_trial_generation(record, record.get_trials(deepcopy=False)[trial.number])  # notes it: 0
            return trial
        return _asked(record, space, NSGAIISampler(population_size=self.population, seed=derive(seed, "nsga2", number)))


def _numbers(space: Space) -> set[str]:
    """The names of the numbers that are in every configuration and can change: what CMA-ES knows."""
    return {n for n, one in space.items() if not isinstance(one, Choice) and not one.condition and one.size() > 1}


def _left(record: Record, key: str, size: int) -> int:
    """How many results the newest generation waits for, by the number that Optuna notes on each of its trials."""
    from optuna.trial import TrialState

    done = record.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    generations = [trial.system_attrs[key] for trial in done if key in trial.system_attrs]
    return size - generations.count(max(generations, default=0)) % size


def _drawn(record: Record, space: Space, number: int, seed: int) -> Trial:
    """Random search's trial of that number."""
    return fixed(record, space, Random().propose(space, (), number, seed))


def _asked(record: Record, space: Space, sampler: Any) -> Trial:
    with _quiet():
        record.sampler = sampler
        trial = record.ask()
        space.suggest(trial)
    return trial


class _quiet(warnings.catch_warnings):  # noqa: N801 - a context manager, as its parent is
    """Optuna says of many of its arguments that they are experimental, at every use."""

    def __enter__(self) -> None:
        from optuna.exceptions import ExperimentalWarning

        super().__enter__()
        warnings.simplefilter("ignore", ExperimentalWarning)
