"""The engine of people who do without a deep learning library: scikit-learn's ``MLPClassifier``.

It trains the nearest network it knows. It has no dropout, no RMSprop (Adam takes its place), no leaky ReLU (ReLU
does) and no decoupled weight decay (a penalty in the loss does). So it has a little less work than the others; on
the other hand it may show that little arrays need no graph.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.workloads import Job, Result, figures
from hpt.data import Arrays
from hpt.networks import widths

ACTIVATION = {"relu": "relu", "leaky_relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}
SOLVER = {"adam": "adam", "rmsprop": "adam", "sgd": "sgd"}


def sklearn(job: Job) -> dict[str, Any]:
    """Train one configuration after another, on one thread: for arrays this small more are slower."""
    task = job.task()
    arrays = task.arrays()
    pairs = zip(job.configurations(task.space), job.seeds(), strict=True)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow, on the way to divergence
        return figures(task, [_fit(arrays, one, job.epochs, seed) for one, seed in pairs])


def _fit(arrays: Arrays, configuration: dict[str, Any], epochs: int, seed: int) -> Result:
    model = MLPClassifier(
        widths(configuration),
        activation=ACTIVATION[configuration["activation"]],
        solver=SOLVER[configuration["optimizer"]],
        learning_rate_init=configuration["learning_rate"],
        alpha=configuration["weight_decay"],
        batch_size=configuration["batch_size"],
        momentum=0.9,
        nesterovs_momentum=False,
        random_state=seed,
    )
    classes, score = np.unique(arrays.y_train), math.nan
    for epoch in range(1, epochs + 1):
        try:  # one epoch, and the cheapest way to one
            model.partial_fit(arrays.x_train, arrays.y_train, classes=classes)
        except ValueError as error:
            if "non-finite" not in str(error):
                raise
            return Result(configuration, epoch, math.nan)
        score, _ = judged(model.predict_proba(arrays.x_validation), arrays.y_validation)
    return Result(configuration, epochs, score)


def judged(shares: Any, y: Any) -> tuple[float, float]:
    """Return accuracy and log loss from one forward pass, without scikit-learn's checks of the input."""
    of_truth = np.clip(shares[np.arange(len(y)), y], 1e-7, 1.0)
    return float((shares.argmax(axis=1) == y).mean()), float(-np.log(of_truth).mean())
