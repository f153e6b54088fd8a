"""scikit-learn: grid search, random search and successive halving over an estimator.

A search is an object that is fitted like an estimator. It is given an estimator, the values of each parameter and the
folds, and asks the estimator for nothing but ``fit`` and ``score``. Values are a list, or a distribution of SciPy's.
See Pedregosa et al. (2011), *Scikit-learn: Machine Learning in Python*; for the halving, Jamieson and Talwalkar (2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV

from hpt.domains import Choice, Domain, Float, Int, whole
from hpt.errors import InvalidInput
from hpt.libraries.estimator import Network, run
from hpt.libraries.objective import Objective
from hpt.space import Space


def grid(objective: Objective, trials: int, seed: int, *, points: int | Mapping[str, int] = 3) -> Any:
    """Try every configuration of a grid.

    Args:
        objective: the task.
        trials: the most there may be; the search itself knows no budget.
        seed: not used, nothing is drawn.
        points: values that each number gets, or a dict by name, as `hpt.Space.grid` takes them.

    Returns:
        The fitted ``GridSearchCV``.

    Raises:
        InvalidInput: for a grid of more than ``trials`` configurations.
    """
    space = objective.task.space
    found = space.grid(points)
    if len(found) > trials:
        raise InvalidInput(
            f"GridSearchCV tries all {len(found)} combinations of this grid, got trials={trials}: "
            f"say trials={len(found)}, or fewer points than {points!r}"
        )
    # A dict for each configuration, and not the product of one dict, because a space may have conditions.
    single = [{name: [value] for name, value in space.labels(one).items()} for one in found]
    return run(GridSearchCV, Network(objective), single)


def random(objective: Objective, trials: int, seed: int) -> Any:
    """Draw configurations, each trained in full; from lists alone scikit-learn draws none twice.

    Args:
        objective: the task.
        trials: how many.
        seed: of the draws.

    Returns:
        The fitted ``RandomizedSearchCV``.

    Raises:
        InvalidInput: for a space that `distributions` cannot express.
    """
    drawn = distributions(objective.task.space)
    return run(RandomizedSearchCV, Network(objective), drawn, n_iter=trials, random_state=seed)


def halving(objective: Objective, trials: int, seed: int, *, factor: int = 3) -> Any:
    """Draw configurations, train them for a few epochs, and the best ones for more, rung after rung.

    scikit-learn trains the survivors of a rung anew, so every evaluation is a trial of its own; those below the last
    rung are told as stopped. It chooses the first rung so that the last one comes as close to the task's full length
    as multiplying by the factor allows: 20 candidates of a task of 30 epochs train for 3, 9 and 27. Networks that
    failed come after all others.

    Args:
        objective: the task.
        trials: configurations on the first rung.
        seed: of the draws.
        factor: one in so many goes on, at least 2, for so many times as many epochs.

    Returns:
        The fitted ``HalvingRandomSearchCV``.

    Raises:
        InvalidInput: for a space with ``epochs``, or one that `distributions` cannot express.
    """
    space = objective.task.space
    if "epochs" in space:
        raise InvalidInput(
            "halving decides how long to train, and so would 'epochs' in this task's space: leave it out"
        )
    return run(
        HalvingRandomSearchCV,
        Network(objective),
        distributions(space),
        n_candidates=trials,
        factor=whole("factor", factor, 2),
        resource="epochs",
        max_resources=objective.epochs(space),
        return_train_score=False,
        random_state=seed,
    )


def distributions(space: Space) -> list[dict[str, Any]]:
    """Return a space as scikit-learn takes it: a list of dicts, one for each assignment of values to the parents.

    scikit-learn draws a dict first, all with the same chance, and then from its values; so with conditions within
    conditions a parent's value that has more assignments beneath it comes more often. Choices stand by their labels.

    Args:
        space: the parents in its conditions must be choices.

    Raises:
        InvalidInput: for a condition on a number.
    """
    parents = {parent: space[parent] for domain in space.values() for parent, _ in domain.condition}
    for name, domain in parents.items():
        if not isinstance(domain, Choice):
            raise InvalidInput(f"scikit-learn takes conditions on choices only, and {name} is {domain}: use a Choice")
    ordered = {name: domain for name, domain in space.items() if name in parents}
    return [
        {
            name: [domain.label(chosen[name])] if isinstance(domain, Choice) and name in chosen else _values(domain)
            for name, domain in space.items()
            if space.active(name, chosen)
        }
        for chosen in (Space(ordered).grid() if ordered else [{}])
    ]


def _values(domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return list(domain.labels)
    if isinstance(domain, Float):
        return loguniform(domain.low, domain.high) if domain.log else uniform(domain.low, domain.high - domain.low)
    if domain.log:
        return LogInt(domain)
    return randint(domain.low, domain.high + 1) if domain.step == 1 else domain.grid()


class LogInt:
    """Whole numbers on a log scale, which SciPy has not: scikit-learn takes anything with a method ``rvs``.

    Args:
        domain: which numbers.
    """

    def __init__(self, domain: Int) -> None:
        self.domain = domain

    def rvs(self, random_state: np.random.RandomState) -> int:
        """Draw one."""
        return self.domain.at(random_state.random_sample())
