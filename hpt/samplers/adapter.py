"""A sampler of ours in an Optuna study of your own.

Optuna asks its samplers in two steps: for all the hyperparameters together that every trial so far had in common
(*relative*), and for any other by itself (*independent*). Ours propose the first; the second are drawn at random.
Importing this module imports Optuna, so nothing else in the package does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import intersection_search_space
from optuna.trial import FrozenTrial

from hpt.domains import Choice, Domain, Float, Int
from hpt.errors import InvalidInput
from hpt.samplers.base import Observation, Proposer, judged
from hpt.seeds import derive
from hpt.space import Configuration, Space


def as_optuna(sampler: Proposer, seed: int = 0) -> OptunaSampler:
    """Return a sampler of ours as one of Optuna's, for ``optuna.create_study(sampler=...)``.

    Args:
        sampler: what ``hpt.samplers`` has of its own, except `Grid` and `Listed`; with a ``propose`` like `Proposer`'s.
        seed: 0 or more; with a trial's number it is the address of everything random, so a study can be resumed.

    Raises:
        InvalidInput: for a sampler that does not propose, one that ends by itself, or a seed that is none.

    >>> import optuna
    >>> from hpt.samplers import GaussianProcess
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=as_optuna(GaussianProcess(startup=5), seed=0))
    >>> study.optimize(lambda trial: (trial.suggest_float("x", -1, 1) - 0.3) ** 2, n_trials=12)
    >>> round(study.best_params["x"], 1)
    0.3
    """
    return OptunaSampler(sampler, seed)


class OptunaSampler(BaseSampler):
    """An Optuna sampler that proposes what a sampler of ours proposes (see `as_optuna`).

    Hyperparameters that some finished trial lacked, or had in another range, are drawn at random, and so is all of
    the first trial, before which Optuna knows no space. Trials that failed are left out, as Optuna's samplers do.
    """

    def __init__(self, sampler: Proposer, seed: int = 0) -> None:
        if not callable(getattr(sampler, "propose", None)):
            raise InvalidInput(f"expected a sampler that proposes, such as GaussianProcess(), got {sampler!r}")
        if getattr(sampler, "ends", False):
            raise InvalidInput(
                f"{type(sampler).__name__} lists the whole space before the first trial, when Optuna does not know it: "
                "use study.enqueue_trial, or optuna.samplers.GridSampler"
            )
        derive(seed)  # refuses a seed that is none
        self._sampler, self._seed = sampler, seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the distributions that every finished trial had, those of one value left out."""
        common = intersection_search_space(study.get_trials(deepcopy=False), include_pruned=True)
        return {name: distribution for name, distribution in common.items() if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return what our sampler proposes for these hyperparameters.

        Raises:
            ValueError: for a study of more than one objective.
        """
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        space = Space({name: _domain(distribution) for name, distribution in search_space.items()})
        proposal = self._sampler.propose(space, _seen(study, search_space), trial.number, self._seed)
        if proposal is None:
            raise InvalidInput(f"{self._sampler!r} proposed nothing for trial {trial.number}")
        return {name: _outer(search_space[name], value) for name, value in proposal.items()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random draw, whose address is the trial's number and the name.

        Raises:
            ValueError: for a study of more than one objective.
        """
        self._raise_error_if_multi_objective(study)
        random = RandomSampler(seed=derive(self._seed, "independent", trial.number, param_name))
        return random.sample_independent(study, trial, param_name, param_distribution)


def _seen(study: Study, search_space: Mapping[str, BaseDistribution]) -> list[Observation]:
    """The trials that had all these hyperparameters."""
    return [
        Observation(trial.number, _inner(trial.params, search_space), merits)
        for trial, merits in judged(study)
        if all(trial.distributions.get(name) == distribution for name, distribution in search_space.items())
    ]


def _domain(distribution: BaseDistribution) -> Domain:
    """Our domain: categories by their place among the choices, a number in steps by the number of its step."""
    if isinstance(distribution, CategoricalDistribution):
        return Choice(*range(len(distribution.choices)))
    if isinstance(distribution, IntDistribution):
        return Int(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    assert isinstance(distribution, FloatDistribution)  # Optuna has no fourth kind
    if distribution.step is not None:
        return Int(0, round((distribution.high - distribution.low) / distribution.step))
    return Float(distribution.low, distribution.high, log=distribution.log)


def _inner(params: Mapping[str, Any], search_space: Mapping[str, BaseDistribution]) -> Configuration:
    """A trial's values as our domains hold them."""

    def one(distribution: BaseDistribution, value: Any) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            return int(distribution.to_internal_repr(value))
        if isinstance(distribution, FloatDistribution) and distribution.step is not None:
            return round((value - distribution.low) / distribution.step)
        return value

    return {name: one(distribution, params[name]) for name, distribution in search_space.items()}


def _outer(distribution: BaseDistribution, value: Any) -> Any:
    """A value of our domain as Optuna holds it."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[value]
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        return min(distribution.low + value * distribution.step, distribution.high)
    return value
