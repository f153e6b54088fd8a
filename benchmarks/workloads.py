"""Workloads: the networks that every engine is given, and how much arithmetic they are worth.

A `Job` is a workload, a number of configurations, a number of epochs and a seed. The configurations come from
counted streams, so trial *i* is the same network for every engine and in every process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

import hpt
from hpt import Choice, Float, Int, Space, Task, networks
from hpt.domains import Domain
from hpt.networks import widths
from hpt.seeds import derive, stream

MIXED = Space(
    {
        "layers": Int(1, 3),
        "units": Int(16, 256, log=True),
        "activation": Choice("relu", "leaky_relu", "sigmoid", "tanh"),
        "optimizer": Choice("adam", "rmsprop", "sgd"),  # sgd has momentum 0.9, hpt's default
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "dropout": Float(0.0, 0.5),
        "weight_decay": Float(1e-5, 1e-2, log=True),
        "batch_size": Int(16, 256, log=True),
    }
)
"""Networks that differ in everything: no two of 81 have the same shape."""

IDENTICAL = Space({"layers": Choice(2), "units": Choice(64), "batch_size": Choice(32)})
"""One structure, over and over: only the seeds differ."""

_SHARED: dict[str, Domain] = {
    "layers": Int(1, 2),
    "dropout": Float(0.0, 0.5),
    "learning_rate": Float(1e-4, 1e-2, log=True),
    "batch_size": Int(16, 128, log=True),
}
LSTM = Space({"units": Int(16, 64, log=True), **_SHARED})
CNN = Space({"filters": Int(8, 32, log=True), "kernel_size": Choice(3, 5), **_SHARED})


def workload(name: str) -> Task:
    """Return the task of a workload, with the space its configurations are drawn from.

    ``breast_cancer`` and ``digits`` are `MIXED` perceptrons, ``identical`` is one perceptron many times on
    breast_cancer, ``lstm`` are recurrent networks on co2 and ``cnn`` convolutional ones on digits.
    """
    if name == "identical":
        return hpt.task("breast_cancer", space=IDENTICAL)
    if name == "lstm":  # replace and not task(): whatever else the ready task says stays
        return replace(hpt.task("co2"), build=networks.lstm, space=LSTM)  # type: ignore[attr-defined, unused-ignore]
    if name == "cnn":
        return replace(hpt.task("digits"), build=networks.cnn, space=CNN)  # type: ignore[attr-defined, unused-ignore]
    return hpt.task(name, space=MIXED)


@dataclass(frozen=True)
class Job:
    """What one engine does in one call.

    Attributes:
        workload: a name that `workload` knows.
        size: how many configurations. Hyperband counts for itself and has no use for it.
        epochs: how long each one trains; for Hyperband the longest, R.
        seed: of weights, dropout and the order of the rows; of Hyperband's draws as well.
    """

    workload: str
    size: int
    epochs: int
    seed: int

    def task(self) -> Task:
        """Return the workload's task, freshly split."""
        return workload(self.workload)

    def configurations(self, space: Space) -> list[dict[str, Any]]:
        """Draw the configurations; the job's seed plays no part, so they are the same in every round."""
        return [space.sample(stream(0, "benchmark", i)) for i in range(self.size)]

    def seeds(self) -> list[int]:
        """Return a seed for each configuration."""
        return [derive(self.seed, "train", i) for i in range(self.size)]


@dataclass(frozen=True)
class Result:
    """What became of one training: epochs it went through and its last score (NaN if it diverged)."""

    configuration: dict[str, Any]
    epochs: int
    score: float


def figures(task: Task, results: list[Result]) -> dict[str, Any]:
    """Sum the results of one call up."""
    scores = np.array([result.score for result in results])
    fine = scores[np.isfinite(scores)]
    return {
        "trainings": len(results),
        "trained_epochs": sum(result.epochs for result in results),
        "diverged": int(len(scores) - len(fine)),
        "score": float(np.median(fine)) if len(fine) else float("nan"),
        "multiply_adds": sum(useful(task, result.configuration, result.epochs) for result in results),
    }


def useful(task: Task, configuration: dict[str, Any], epochs: int) -> float:
    """Return the multiply-adds that a perceptron's training cannot do without (NaN for other networks).

    A layer from ``a`` to ``b`` units costs ``a·b`` a row forward, as much for the gradient of its weights and as
    much for the gradient of its inputs, which the first layer does not need. A validation row goes forward only.
    """
    if task.build is not networks.mlp:
        return float("nan")
    sizes = [*task.shape.inputs, *widths(configuration), task.shape.outputs]
    layers = [a * b for a, b in pairwise(sizes)]
    fold = task.split.folds[0]
    return float(epochs * (len(fold.train) * (3 * sum(layers) - layers[0]) + len(fold.validation) * sum(layers)))
