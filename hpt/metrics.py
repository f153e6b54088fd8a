"""Metrics: what a trained network is judged by, as a table of rows.

Every row wraps one function of scikit-learn. A metric knows which way is up, so that nothing else in the
package has to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpt.errors import unknown

Array = NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """One way to judge predictions.

    Attributes:
        name: key, also the column in a study's table.
        title: what stands on an axis, with its unit where it has one.
        greater_is_better: which way is up.
        score: takes targets of shape ``(rows,)`` (autoencoder: ``(rows, features)``) and the network's raw
            outputs of shape ``(rows, outputs)``, returns a float.
    """

    name: str
    title: str
    greater_is_better: bool
    score: Callable[[Array, Array], float]


def labels(outputs: Array) -> Array:
    """Turn a classifier's outputs, ``(rows, 1)`` or ``(rows, classes)``, into class numbers ``(rows,)``."""
    decided: Array = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype("int64")
    return decided


def _accuracy(y: Array, outputs: Array) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(y, labels(outputs)))


def _f1(y: Array, outputs: Array) -> float:
    from sklearn.metrics import f1_score

    average = "macro" if outputs.shape[1] > 1 else "binary"
    return float(f1_score(y, labels(outputs), average=average, zero_division=0))


def _roc_auc(y: Array, outputs: Array) -> float:
    from sklearn.metrics import roc_auc_score

    if outputs.shape[1] == 1:
        return float(roc_auc_score(y, outputs[:, 0]))
    return float(roc_auc_score(np.eye(outputs.shape[1])[y], outputs, average="macro"))


def _log_loss(y: Array, outputs: Array) -> float:
    from sklearn.metrics import log_loss

    kept = np.clip(outputs.astype("float64"), 1e-7, 1 - 1e-7)
    shares = np.hstack([1 - kept, kept]) if kept.shape[1] == 1 else kept / kept.sum(axis=1, keepdims=True)
    return float(log_loss(y, shares, labels=np.arange(shares.shape[1])))


def _mae(y: Array, outputs: Array) -> float:
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(y, outputs.reshape(y.shape)))


def _mse(y: Array, outputs: Array) -> float:
    from sklearn.metrics import mean_squared_error

    return float(mean_squared_error(y, outputs.reshape(y.shape)))


def _rmse(y: Array, outputs: Array) -> float:
    return float(np.sqrt(_mse(y, outputs)))


def _r2(y: Array, outputs: Array) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(y, outputs.reshape(y.shape)))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", True, _accuracy),
        Metric("f1", "F1 score", True, _f1),
        Metric("roc_auc", "area under the ROC curve", True, _roc_auc),
        Metric("log_loss", "log loss (nats)", False, _log_loss),
        Metric("mae", "mean absolute error", False, _mae),
        Metric("mse", "mean squared error", False, _mse),
        Metric("rmse", "root mean squared error", False, _rmse),
        Metric("r2", "R²", True, _r2),
    )
}


def metric(name: str) -> Metric:
    """Look a metric up by its name.

    Raises:
        UnknownName: for a name that is not in `METRICS`; the message names the near ones.
    """
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]
