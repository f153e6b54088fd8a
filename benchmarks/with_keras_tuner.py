"""Engines of people who write KerasTuner: random search, and its Hyperband.

KerasTuner saves every best epoch to disk and, in Hyperband, loads it again: files go to a folder that is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import keras
import keras_tuner

from benchmarks.paths import Path
from benchmarks.with_keras import compiled
from benchmarks.workloads import Job, Result, figures
from hpt import Choice, Int, Space, Task

Told = Callable[[int, dict[str, float]], None]


def keras_tuner_random(job: Job) -> dict[str, Any]:
    """Let KerasTuner run the same configurations, one trial each."""
    task = job.task()
    configurations = job.configurations(task.space)
    scores: list[float] = []
    model = Model(task, lambda _, logs: scores.append(logs["val_accuracy"]))
    with TemporaryDirectory() as folder:
        oracle = Listed(configurations, objective="val_accuracy", max_trials=job.size, seed=job.seed)
        search(keras_tuner.Tuner(oracle, model, directory=folder, overwrite=True), task, epochs=job.epochs)
        statuses = [trial.status for trial in oracle.trials.values()]
    if set(statuses) != {"COMPLETED"} or len(statuses) != job.size:
        raise RuntimeError(f"expected {job.size} completed trials, got {statuses}")
    last = scores[job.epochs - 1 :: job.epochs]
    return figures(task, [Result(*row) for row in zip(configurations, [job.epochs] * job.size, last, strict=True)])


def hyperband_keras_tuner(job: Job) -> dict[str, Any]:
    """Run KerasTuner's own Hyperband on the same space, one iteration of all its brackets."""
    task, path = job.task(), Path()
    model = Model(task, lambda _, logs: path.add(1, logs["val_accuracy"]))
    with TemporaryDirectory() as folder:
        tuner = keras_tuner.Hyperband(
            model, "val_accuracy", max_epochs=job.epochs, factor=3, seed=job.seed, directory=folder, overwrite=True
        )
        search(tuner, task)
    return {"trainings": len(tuner.oracle.trials), **path.figures()}


def search(tuner: Any, task: Task, **arguments: Any) -> None:
    """Start a tuner on a task's arrays, silently."""
    arrays = task.arrays()
    validation = arrays.x_validation, arrays.y_validation
    tuner.search(arrays.x_train, arrays.y_train, validation_data=validation, verbose=0, **arguments)


class Model(keras_tuner.HyperModel):  # type: ignore[misc]
    """A task's network as a HyperModel, its batch size searched with the rest.

    Args:
        task: what to build for.
        told: is called after every epoch with its number and Keras's logs.
    """

    def __init__(self, task: Task, told: Told) -> None:
        super().__init__()
        self.task, self.told = task, told

    def build(self, hp: Any) -> Any:
        """Build and compile a network of the hyperparameters."""
        return compiled(self.task, {name: hyperparameter(hp, name, self.task.space) for name in self.task.space})

    def fit(self, hp: Any, model: Any, *arrays: Any, callbacks: list[Any], **arguments: Any) -> Any:
        """Train with the batch size of the hyperparameters."""
        told = keras.callbacks.LambdaCallback(on_epoch_end=self.told)
        return model.fit(*arrays, batch_size=hp.get("batch_size"), callbacks=[*callbacks, told], **arguments)


def hyperparameter(hp: Any, name: str, space: Space) -> Any:
    """Ask KerasTuner for one hyperparameter, with hpt's bounds and scale."""
    domain = space[name]
    if isinstance(domain, Choice):
        return hp.Choice(name, list(domain.values))
    kind = hp.Int if isinstance(domain, Int) else hp.Float
    return kind(name, domain.low, domain.high, sampling="log" if domain.log else "linear")


class Listed(keras_tuner.Oracle):  # type: ignore[misc]
    """An oracle that hands out configurations from a list, in order."""

    def __init__(self, configurations: list[dict[str, Any]], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._waiting = list(configurations)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the next configuration, or the end."""
        if not self._waiting:
            return {"status": "STOPPED", "values": None}
        return {"status": "RUNNING", "values": self._waiting.pop(0)}
