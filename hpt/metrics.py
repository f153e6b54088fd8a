"""Metrics: what trained networks are judged by, as a table of rows.

A metric knows which way is up, so that nothing else in the package has to. It judges one network or a crowd at
once: outputs of many networks at many epochs may be piled up along leading axes, and each pile costs one pass of
NumPy. The definitions and their edge cases are scikit-learn's, and the tests hold every score against
scikit-learn's own; only there a call judges one network and takes up to a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpt.errors import InvalidInput, unknown

Array = NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """One way to judge predictions.

    Attributes:
        name: key, also the column in a study's table.
        title: what stands on an axis, with its unit where it has one.
        greater_is_better: which way is up.
        score: takes targets and a network's raw outputs. Outputs have shape ``(..., rows, outputs)``. Targets
            have shape ``(rows,)`` (autoencoder: ``(rows, features)``), or leading axes of their own that
            broadcast against those of the outputs. Returns scores of the shape of the leading axes, computed in
            float64; without leading axes a plain float, hence the annotation. NaN outputs spoil their own
            network's score and no other. Raises `InvalidInput` for targets that do not fit the outputs.

    >>> y, outputs = np.array([0, 1, 1]), np.array([[0.2], [0.9], [0.4]])
    >>> metric("accuracy").score(y, np.stack([outputs, 1 - outputs])).round(3).tolist()
    [0.667, 0.333]
    """

    name: str
    title: str
    greater_is_better: bool
    score: Callable[[Array, Array], float]

    @property
    def sign(self) -> int:
        """1 where greater is better, else -1: a score times this is a merit."""
        return 1 if self.greater_is_better else -1


def labels(outputs: Array) -> Array:
    """Turn a classifier's outputs into class numbers.

    Args:
        outputs: shape ``(..., rows, 1)``, the probability of class 1, or ``(..., rows, classes)``.

    Returns:
        Shape ``(..., rows)``. Probabilities above 0.5 are class 1; of equal classes the first one wins.
    """
    decided: Array = outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs[..., 0] > 0.5).astype("int64")
    return decided


def _judge(score: Callable[[Array, Array], Any]) -> Callable[[Array, Array], float]:
    """Give a score its way in and out: arrays in, a plain float out where there are no leading axes.

    A score that is not defined is NaN or infinite and says so by itself, so NumPy does not warn.
    """

    @wraps(score)
    def judged(y: Array, outputs: Array) -> Any:
        with np.errstate(all="ignore"):
            scores = score(np.asarray(y), np.asarray(outputs))
        return float(scores) if np.ndim(scores) == 0 else scores

    return judged


# --- classes ------------------------------------------------------------------------------------------


def _check(y: Array, outputs: Array) -> None:
    """Refuse targets that do not have one of the outputs' classes for every row."""
    if outputs.ndim < 2 or y.shape[-1:] != outputs.shape[-2:-1]:
        raise InvalidInput(
            f"outputs have shape (..., rows, outputs) and classes (..., rows), got {outputs.shape} and {y.shape}"
        )
    most = max(outputs.shape[-1], 2) - 1
    if y.size and not 0 <= y.min() <= y.max() <= most:
        raise InvalidInput(f"the classes of these outputs are 0 to {most}, got targets from {y.min()} to {y.max()}")


def _one_hot(y: Array, outputs: Array) -> Array:
    """Classes ``(..., rows)`` as true and false, ``(..., rows, classes)``; one output stands for two classes."""
    hot: Array = y[..., None] == np.arange(max(outputs.shape[-1], 2))
    return hot


@_judge
def _accuracy(y: Array, outputs: Array) -> Any:
    """Share of rows whose class was decided rightly."""
    _check(y, outputs)
    return (labels(outputs) == y).mean(axis=-1)


@_judge
def _top_5_accuracy(y: Array, outputs: Array) -> Any:
    """Share of rows whose class is among the five with the largest outputs; of equal outputs later classes win."""
    _check(y, outputs)
    five = np.argsort(outputs, axis=-1, kind="stable")[..., -5:]
    hits = np.ones(outputs.shape[:-1]) if outputs.shape[-1] == 1 else (five == y[..., None]).any(axis=-1)
    return np.where(np.isnan(outputs).any(axis=(-2, -1)), np.nan, hits.mean(axis=-1))


@_judge
def _f1(y: Array, outputs: Array) -> Any:
    """F1 of class 1, or with several outputs the mean over the classes that were there or were decided for.

    Of one class it is twice its hits over the times it was there plus the times it was decided for; 0 if never.
    """
    _check(y, outputs)
    truth, decided = _one_hot(y, outputs), _one_hot(labels(outputs), outputs)
    hits = (truth & decided).sum(axis=-2)
    named = truth.sum(axis=-2) + decided.sum(axis=-2)
    f1 = 2 * hits / np.maximum(named, 1)
    return f1[..., 1] if outputs.shape[-1] == 1 else f1.sum(axis=-1) / (named > 0).sum(axis=-1)


@_judge
def _roc_auc(y: Array, outputs: Array) -> Any:
    """Area under the ROC curve; with several outputs the mean over the classes, each against the rest.

    It is the share of pairs, one row of the class and one of another, that the outputs put in the right order, a
    tie counting half, and the ranks of the class's rows count these pairs (Mann and Whitney 1947; Hanley and
    McNeil 1982). NaN where a class has no row, or no other class has one.
    """
    from scipy.stats import rankdata

    _check(y, outputs)
    truth = np.swapaxes(_one_hot(y, outputs)[..., -outputs.shape[-1] :], -1, -2)  # (..., classes, rows)
    ranks = rankdata(np.swapaxes(outputs, -1, -2), axis=-1)
    inside = truth.sum(axis=-1)
    pairs = inside * (y.shape[-1] - inside)
    ordered = (ranks * truth).sum(axis=-1) - inside * (inside + 1) / 2
    return (ordered / pairs).mean(axis=-1)


@_judge
def _log_loss(y: Array, outputs: Array) -> Any:
    """Mean negative logarithm of the true class's probability, kept 1e-7 away from 0 and 1 as Keras keeps it."""
    _check(y, outputs)
    kept = np.clip(outputs.astype("float64"), 1e-7, 1 - 1e-7)
    shares = np.concatenate([1 - kept, kept], axis=-1) if kept.shape[-1] == 1 else kept
    of_truth = np.where(_one_hot(y, outputs), shares, 0).sum(axis=-1)
    return -np.log(of_truth / shares.sum(axis=-1)).mean(axis=-1)


# --- numbers ------------------------------------------------------------------------------------------


def _numbers(y: Array, outputs: Array) -> tuple[Array, Array]:
    """Targets and outputs as float64 of shape ``(..., rows, outputs)``, each with its own leading axes."""
    outputs = outputs[:, None] if outputs.ndim == 1 else outputs
    single = outputs.shape[-1] == 1 and y.ndim < outputs.ndim and y.shape[-1:] == outputs.shape[-2:-1]
    targets = y[..., None] if single else y
    if targets.shape[-2:] != outputs.shape[-2:]:
        raise InvalidInput(
            f"outputs of shape (..., rows, outputs) need targets of the same rows and outputs, or of shape (..., rows) "
            f"where there is one output; got {outputs.shape} and {y.shape}"
        )
    return targets.astype("float64"), outputs.astype("float64")


@_judge
def _mae(y: Array, outputs: Array) -> Any:
    """Mean absolute error, over rows and outputs."""
    targets, predicted = _numbers(y, outputs)
    return np.abs(predicted - targets).mean(axis=(-2, -1))


@_judge
def _mape(y: Array, outputs: Array) -> Any:
    """Mean of the absolute errors as shares of the targets' sizes: 0.1 is ten per cent.

    A target near zero makes a share of any size; at zero it is divided by the smallest float64 step, 2.2e-16.
    """
    targets, predicted = _numbers(y, outputs)
    size = np.maximum(np.abs(targets), np.finfo("float64").eps)
    return (np.abs(predicted - targets) / size).mean(axis=(-2, -1))


def _mean_square(y: Array, outputs: Array) -> Any:
    targets, predicted = _numbers(y, outputs)
    return ((predicted - targets) ** 2).mean(axis=(-2, -1))


@_judge
def _mse(y: Array, outputs: Array) -> Any:
    """Mean squared error, over rows and outputs."""
    return _mean_square(y, outputs)


@_judge
def _rmse(y: Array, outputs: Array) -> Any:
    """Square root of the mean squared error."""
    return np.sqrt(_mean_square(y, outputs))


@_judge
def _r2(y: Array, outputs: Array) -> Any:
    """Share of the targets' variance that is explained, the mean over the outputs.

    Of constant targets it is 1 where every prediction hits and 0 elsewhere; of a single row it is NaN.
    """
    targets, predicted = _numbers(y, outputs)
    if targets.shape[-2] < 2:
        return np.full(np.broadcast_shapes(targets.shape, predicted.shape)[:-2], np.nan)
    missed = ((predicted - targets) ** 2).sum(axis=-2)
    spread = ((targets - targets.mean(axis=-2, keepdims=True)) ** 2).sum(axis=-2)
    varies = np.ptp(targets, axis=-2) > 0  # the spread of a constant may be a rounding error above 0
    constant = np.where(missed == 0, 1.0, 0 * missed)  # 0 times NaN is NaN
    return np.where(varies, 1 - missed / spread, constant).mean(axis=-1)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", True, _accuracy),
        Metric("top_5_accuracy", "top-5 accuracy", True, _top_5_accuracy),
        Metric("f1", "F1 score", True, _f1),
        Metric("roc_auc", "area under the ROC curve", True, _roc_auc),
        Metric("log_loss", "log loss (nats)", False, _log_loss),
        Metric("mae", "mean absolute error", False, _mae),
        Metric("mape", "mean absolute percentage error (share)", False, _mape),
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
