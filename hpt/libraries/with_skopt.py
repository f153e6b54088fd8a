"""scikit-optimize: Bayesian optimization with a Gaussian process.

``gp_minimize`` calls a function with a point, a list of one value a dimension, and takes a loss; ``BayesSearchCV`` is
a search over a scikit-learn estimator. Both start with random points. scikit-optimize knows no conditions: it
proposes a value for every name, and what a condition leaves out is dropped before training, so that points which
differ in such values only are the same network. See Head et al., *scikit-optimize* (2018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skopt import BayesSearchCV, gp_minimize
from skopt.space import Categorical, Integer, Real

from hpt.domains import Choice, Domain, Int
from hpt.errors import InvalidInput
from hpt.libraries.estimator import Network, quiet, run
from hpt.libraries.objective import Objective
from hpt.space import Configuration, Space


def gp(objective: Objective, trials: int, seed: int) -> Any:
    """Let ``gp_minimize`` propose.

    A network that diverged or failed is told as the worst loss so far, because scikit-optimize takes finite losses
    only.

    Args:
        objective: the task.
        trials: how many; the first 10, but at most half of them, are drawn at random.
        seed: of the proposals.

    Returns:
        The result of ``gp_minimize``.

    Raises:
        InvalidInput: for a space of a single configuration.
    """
    space = objective.task.space
    named = dimensions(space)

    def loss(point: Sequence[Any]) -> float:
        found = objective(configuration(space, dict(zip(named, point, strict=True))))
        return found if math.isfinite(found) else objective.worst

    with quiet:
        return gp_minimize(
            loss, list(named.values()), n_calls=trials, n_initial_points=_initial(trials), random_state=seed
        )


def bayes(objective: Objective, trials: int, seed: int) -> Any:
    """Let ``BayesSearchCV`` propose; otherwise as `gp`.

    Args:
        objective: the task.
        trials: how many; the first 10, but at most half of them, are drawn at random.
        seed: of the proposals.

    Returns:
        The fitted ``BayesSearchCV``.

    Raises:
        InvalidInput: for a space of a single configuration.
    """
    space = objective.task.space
    network = Network(objective, read=lambda values: configuration(space, values), finite=True)
    initial = {"n_initial_points": _initial(trials)}
    return run(BayesSearchCV, network, dimensions(space), n_iter=trials, optimizer_kwargs=initial, random_state=seed)


def dimensions(space: Space) -> dict[str, Any]:
    """Return scikit-optimize's dimensions by name, conditions left aside; `configuration` is the way back.

    Choices are categories by their labels. Whole numbers in steps are counted from 0. What can have one value only is
    left out.

    Raises:
        InvalidInput: for a space of a single configuration.
    """
    found = {name: _dimension(name, domain) for name, domain in space.items() if domain.size() > 1}
    if not found:
        raise InvalidInput(f"there is nothing to search in a space of one configuration, got {space!r}")
    return found


def configuration(space: Space, values: Mapping[str, Any]) -> Configuration:
    """Return the configuration that values of `dimensions`, by name, stand for."""
    own = {name: _value(space[name], value) for name, value in values.items()}
    return space.completed(own, np.random.default_rng(0))  # to draw there is only what has a single value


def _initial(trials: int) -> int:
    return min(10, max(1, trials // 2))


def _dimension(name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return Categorical(domain.labels, name=name)
    prior = "log-uniform" if domain.log else "uniform"
    if isinstance(domain, Int):
        low, high = (domain.low, domain.high) if domain.step == 1 else (0, domain.size() - 1)
        return Integer(low, high, prior, name=name)
    return Real(domain.low, domain.high, prior, name=name)


def _value(domain: Domain, value: Any) -> Any:
    if isinstance(domain, Choice):
        return domain.value(value)
    return domain.low + domain.step * int(value) if isinstance(domain, Int) and domain.step > 1 else value
