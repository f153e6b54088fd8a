"""Baselines: what a network must beat before its tuning is worth a word.

A search has a winner whatever the data are. Whether anything was won shows beside something that nobody tuned: a
constant, a line, principal components, the last value. They are rows of a table, by the kind of problem, and all but
the two of a series are scikit-learn's, on the inputs that a network is given too: scaled by the training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.data import Array, Arrays, Dataset, flat
from hpt.errors import InvalidInput
from hpt.metrics import metric
from hpt.networks import DEFAULTS
from hpt.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

Answers = Callable[[Array], Array]
"""From inputs in the units of the data to outputs as a network gives them, shape ``(rows, outputs)``."""

Fit = Callable[[Arrays, Mapping[str, Any], int], Answers]
"""From the arrays of a fold, a configuration and the number of outputs to a fitted baseline."""

SEASON = 12
"""Steps of a season: the series that ships is monthly."""


def _on_scaled(arrays: Arrays, predict: Callable[[Array], Array]) -> Answers:
    """Answers of a model that was fitted on scaled, flat inputs."""

    def answers(x: Array) -> Array:
        found = np.asarray(predict(flat(arrays.transform(x))))
        return arrays.restore(found.reshape(len(x), -1))

    return answers


def _classifier(model: Any) -> Fit:
    def fit(arrays: Arrays, settings: Mapping[str, Any], outputs: int) -> Answers:
        fitted = model().fit(flat(arrays.x_train), arrays.y_train)

        def predict(x: Array) -> Array:
            shares = np.zeros((len(x), max(outputs, 2)))
            shares[:, fitted.classes_] = fitted.predict_proba(x)  # a class may be missing from the training rows
            return shares[:, -outputs:]  # of two classes a network gives the second one's probability

        return _on_scaled(arrays, predict)

    return fit


def _regressor(model: Any) -> Fit:
    def fit(arrays: Arrays, settings: Mapping[str, Any], outputs: int) -> Answers:
        return _on_scaled(arrays, model().fit(flat(arrays.x_train), arrays.y_train).predict)

    return fit


def _components(arrays: Arrays, settings: Mapping[str, Any], outputs: int) -> Answers:
    from sklearn.decomposition import PCA

    x = flat(arrays.x_train)
    pca = PCA(min(int(settings["latent_size"]), *x.shape), random_state=0).fit(x)
    return _on_scaled(arrays, lambda new: pca.inverse_transform(pca.transform(new)))


def _no_change(arrays: Arrays, settings: Mapping[str, Any], outputs: int) -> Answers:
    return lambda x: np.zeros((len(x), 1))


def _last_value(arrays: Arrays, settings: Mapping[str, Any], outputs: int) -> Answers:
    return lambda x: x[:, -1].reshape(-1, 1)


def _last_season(arrays: Arrays, settings: Mapping[str, Any], outputs: int) -> Answers:
    return lambda x: x[:, -SEASON].reshape(-1, 1)


def _majority() -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=5000)


def _mean() -> Any:
    from sklearn.dummy import DummyRegressor

    return DummyRegressor()


def _ridge() -> Any:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(np.logspace(-3, 3, 13))


_CLASSES = {"majority class": _classifier(_majority), "logistic regression": _classifier(_logistic)}
_NUMBERS = {"mean": _regressor(_mean), "ridge": _regressor(_ridge)}

BASELINES: dict[str, dict[str, Fit]] = {
    "binary": _CLASSES,
    "multiclass": _CLASSES,
    "regression": _NUMBERS,
    "autoencoder": {"principal components": _components},
    "series": {"last value": _no_change, "last season": _last_season, **_NUMBERS},
    "levels": {"last value": _last_value, "last season": _last_season, **_NUMBERS},
}
"""The baselines of each kind of problem.

* *majority class* gives every row the shares of the classes; *logistic regression* has scikit-learn's usual penalty;
* *mean* is that of the training targets; the penalty of *ridge* is the best of 13 by leaving out one training row;
* *principal components* keep as many numbers as the bottleneck;
* *last value* says that a series stays where it is: of rows of changes, as `hpt.data.windows` makes them, the next
  change is 0; of rows of levels the next level is the last one;
* *last season* says that the next change, or level, is that of 12 steps ago.
"""


def kind(data: Dataset) -> str:
    """Return the problem of a dataset, or what a series is made of where it is a regression on the last steps of one.

    There each row is the one before it, moved on by one step, and the newest step is the target of the row before:
    ``"series"`` where the steps are changes, else ``"levels"``.
    """
    x, y = data.x, data.y
    steps = data.times is not None and x.ndim == 2 and x.shape[1] >= SEASON and len(x) > 1
    if data.problem != "regression" or not steps:
        return data.problem
    moving = np.array_equal(x[1:, :-1], x[:-1, 1:]) and np.array_equal(x[1:, -1], y[:-1])
    if not moving:
        return data.problem
    return "series" if data.changes else "levels"


def fitted(task: Task, fold: int = 0, configuration: Mapping[str, Any] | None = None) -> dict[str, Answers]:
    """Fit the baselines of a task on the training rows of a fold.

    Args:
        task: the problem.
        fold: which fold.
        configuration: of the network that they stand beside; components are as many as its ``latent_size``.
    """
    arrays = task.arrays(fold)
    settings = {**DEFAULTS, **task.configuration(configuration or {})}
    outputs = task.shape.outputs
    return {name: fit(arrays, settings, outputs) for name, fit in BASELINES[kind(task.dataset)].items()}


def baseline(task: Task, *, fold: int = 0, configuration: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Judge the baselines of a task on the validation rows of a fold.

    Args:
        task: the problem; its kind decides which of `BASELINES` there are.
        fold: which fold.
        configuration: as in `fitted`.

    Returns:
        One row a baseline, indexed by its name; a column for each metric of the task.

    Raises:
        InvalidInput: for a fold that is not there.

    >>> import hpt
    >>> hpt.baseline(hpt.task("wine"))["accuracy"].round(2).to_dict()
    {'majority class': 0.39, 'logistic regression': 0.97}
    """
    folds = len(task.split.folds)
    if not 0 <= fold < folds:
        raise InvalidInput(f"fold must be 0 to {folds - 1}, got {fold}")
    rows = task.split.folds[fold].validation
    found = fitted(task, fold, configuration)
    return judged(task, task.arrays(fold), found, task.dataset.x[rows], task.dataset.y[rows])


def judged(task: Task, arrays: Arrays, found: Mapping[str, Answers], x: Array, y: Array) -> pd.DataFrame:
    """Judge baselines that were fitted on the arrays of a fold: one row a baseline, a column for each metric."""
    import pandas as pd

    truth = task.targets(arrays, x, y)
    answers = {name: answer(x) for name, answer in found.items()}
    scores = {name: {m: metric(m).score(truth, out) for m in task.metrics} for name, out in answers.items()}
    return pd.DataFrame.from_dict(scores, orient="index").rename_axis("baseline")
