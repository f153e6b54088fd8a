"""A scikit-learn estimator around the objective: whatever searches over estimators can search a task.

scikit-learn asks three things of an estimator: parameters that can be read and set, ``fit`` and ``score``. A search
copies it for every candidate and every fold, sets the candidate's parameters, fits it to the training rows and asks
for the score of the validation rows. See Buitinck et al. (2013), *API design for machine learning software*.
"""

from __future__ import annotations

import copy
import math
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from hpt.data import Array
from hpt.errors import InvalidInput, unknown
from hpt.libraries.objective import Objective, Ongoing
from hpt.space import Configuration


@dataclass
class _Shared:
    """What all copies of a network have in common, for they belong to one search."""

    objective: Objective
    fits: int = 0
    trials: list[Ongoing] = field(default_factory=list)


class Network(BaseEstimator):  # type: ignore[misc]
    """A task's network as a scikit-learn estimator.

    Its parameters are the names of the task's space, and ``epochs``; all are None until they are set. A choice is set
    by its label: scikit-learn copies parameters, and a copy of an object is not one of the choices any more. Copies of
    the estimator share the task and the objective.

    A trial of the objective is one network a fold. The first fold of a candidate trains them all, as one run, and the
    others find theirs in it, so folds come in the task's order, one after the other: ``n_jobs`` stays 1.

    Args:
        objective: trains and keeps the record.
        read: turns the parameters that are set into a configuration, default `hpt.Space.from_labels`.
        finite: score a network that diverged or failed by the worst loss so far, for a search that takes no NaN.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        read: Callable[[Mapping[str, Any]], Configuration] | None = None,
        finite: bool = False,
    ) -> None:
        self.shared = _Shared(objective)
        self.read = read or objective.task.space.from_labels
        self.finite = finite
        self.parameters: dict[str, Any] = dict.fromkeys([*objective.task.space, "epochs"])
        self.arrays = [objective.task.arrays(fold) for fold in objective.folds]

    def __sklearn_clone__(self) -> Network:
        twin = copy.copy(self)
        twin.parameters = dict(self.parameters)
        return twin

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; there are none inside others, so ``deep`` changes nothing."""
        return dict(self.parameters)

    def set_params(self, **params: Any) -> Network:
        """Set parameters; return the estimator.

        Raises:
            UnknownName: for a name that is not there.
        """
        for name in params:
            if name not in self.parameters:
                raise unknown("hyperparameter", name, self.parameters)
        self.parameters.update(params)
        return self

    def fit(self, X: Array, y: Array, rows: Array) -> Network:
        """Train on the training part of a fold.

        Args:
            X: inputs of the rows, in the units of the data; the objective has them already.
            y: their targets, the same.
            rows: their numbers in the dataset. They say that it is the fold whose turn it is.

        Raises:
            InvalidInput: for the rows of another fold, or parameters that are no configuration of the space.
        """
        shared, objective = self.shared, self.shared.objective
        self.position_ = shared.fits % len(objective.folds)
        fold = objective.folds[self.position_]
        if not np.array_equal(rows, objective.task.split.folds[fold].train):
            raise InvalidInput(
                f"expected the training rows of fold {fold}, got {len(rows)} others: give a search what "
                "hpt.libraries.estimator.folds returns, and n_jobs=1"
            )
        if self.position_ == 0:
            chosen = {name: value for name, value in self.parameters.items() if value is not None}
            length = None if "epochs" in objective.task.space else chosen.pop("epochs", None)
            configuration = self.read(chosen)
            shared.trials.append(objective.begin(configuration))
            objective.advance(shared.trials[-1], objective.epochs(configuration) if length is None else length)
        shared.fits += 1
        self.going_ = shared.trials[-1]
        return self

    def score(self, X: Array, y: Array) -> float:
        """Return the task's objective on rows, greater is better; NaN where a network of the trial has failed.

        Args:
            X: inputs in the units of the data.
            y: their targets.
        """
        objective, arrays = self.shared.objective, self.arrays[self.position_]
        if not math.isfinite(self.going_.trial.merit):
            return -objective.worst if self.finite else math.nan
        outputs = arrays.restore(self.going_.run.outputs(self.position_, arrays.transform(X)))
        metric = objective.task.objective
        return metric.sign * metric.score(objective.task.targets(arrays, X, y), outputs)


def folds(objective: Objective) -> tuple[Array, Array, Array, list[tuple[Array, Array]]]:
    """Return what a search over estimators takes: ``X``, ``y``, ``rows`` and ``cv``.

    The first three hold the rows that some fold of the objective uses, never those of the locked test part. ``cv`` is
    a pair of positions among them for each fold, those that train and those that validate.
    """
    used = [objective.task.split.folds[fold] for fold in objective.folds]
    rows = np.unique(np.concatenate([part for fold in used for part in (fold.train, fold.validation)]))
    cv = [(np.searchsorted(rows, fold.train), np.searchsorted(rows, fold.validation)) for fold in used]
    data = objective.task.dataset
    return data.x[rows], data.y[rows], rows, cv


def run(search: Callable[..., Any], network: Network, *args: Any, **kwargs: Any) -> Any:
    """Let a search over estimators run on the folds of the network's objective, and close its trials.

    Args:
        search: the library's class, such as ``GridSearchCV``.
        network: the estimator.
        args: what comes after the estimator.
        kwargs: the other settings.

    Returns:
        The library's object.
    """
    X, y, rows, cv = folds(network.shared.objective)
    # refit would train the best candidate once more, on validation rows too, and nothing would be left to judge it by.
    # error_score="raise": a network that fails is a score already, and any other error is a mistake that must be seen.
    found = search(network, *args, cv=cv, refit=False, error_score="raise", **kwargs)
    with quiet:
        found.fit(X, y, rows=rows)
    last = getattr(found, "n_resources_", [0])[-1]  # epochs of the last rung, where there are rungs
    for going in network.shared.trials:
        network.shared.objective.end(going, stopped=going.trial.reached < last)
    return found


class _Quiet:
    """Silences warnings while some thread is inside; the filters of Python 3.11 are one list for all threads.

    The first thread that enters puts the filters in place, and the last one that leaves takes them away.
    """

    def __init__(self, *messages: str) -> None:
        self._messages, self._lock, self._inside = messages, threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                for message in self._messages:
                    warnings.filterwarnings("ignore", message, UserWarning)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


quiet = _Quiet(
    "One or more of the test scores are non-finite",  # scikit-learn: the study says which network failed, and why
    "The objective has been evaluated at",  # scikit-optimize, of a point that it meets twice: it takes another one
)
"""Silences what scikit-learn and scikit-optimize say of an ordinary search."""
