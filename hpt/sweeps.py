"""One network, and one knob.

Before a search there is a simpler question: what does this one hyperparameter do? ``train`` trains a single
network; ``sweep`` trains the same network once for every value of a hyperparameter, several times over. The
repeats are paired: repeat ``r`` starts from the same seed whatever the value, so that values are compared
with like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.domains import is_whole
from hpt.errors import InvalidInput
from hpt.search import members
from hpt.seeds import derive
from hpt.tasks import Task
from hpt.training import Trainer, train_all
from hpt.training.stack import Stack


@dataclass(frozen=True, repr=False)
class Trained:
    """One trained network.

    Attributes:
        task: the task it was trained on.
        model: the Keras model.
        curve: one row an epoch: ``train_loss``, ``val_loss``, ``score``.
        metrics: every metric of the task on the validation rows.
        fold: which fold it trained on.
    """

    task: Task
    model: Any
    curve: pd.DataFrame
    metrics: dict[str, float]
    fold: int

    def predict(self, x: Array) -> Array:
        """Return the network's outputs, shape ``(rows, outputs)``, for inputs in the units of the data."""
        arrays = self.task.arrays(self.fold)
        scaled = arrays.transform(x)
        # Called, not `predict`: that traces a graph for every network and warns of it from the fifth one on.
        outputs = [np.asarray(self.model(scaled[i : i + 4096], training=False)) for i in range(0, len(scaled), 4096)]
        return arrays.restore(np.concatenate(outputs))

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"Trained({self.task.name!r}, {len(self.curve)} epochs)\nvalidation rows: {scores}"


def train(
    task: Task,
    configuration: Mapping[str, Any] | None = None,
    *,
    epochs: int | None = None,
    seed: int = 0,
    fold: int = 0,
    trainer: Trainer | None = None,
) -> Trained:
    """Train one network of a task.

    With the ``seed`` of a row of ``study.trials`` and its configuration it is the network of that trial again, but
    for the last digits, which depend on what it was stacked with.

    Args:
        task: the problem.
        configuration: hyperparameters; the task's defaults fill the rest.
        epochs: how long, default what the configuration or the task says.
        seed: of weights, dropout and order of rows.
        fold: which fold to train on.
        trainer: trains it, default `hpt.training.stack.Stack`.

    Raises:
        InvalidInput: if the network diverged or could not be built; the message says why.
    """
    configuration = dict(configuration or {})
    folds = len(task.split.folds)
    if not 0 <= fold < folds:
        raise InvalidInput(f"fold must be 0 to {folds - 1}, got {fold}")
    run = (trainer or Stack()).start(task, [members(configuration, seed, folds)[fold]])
    [progress] = run.advance(_length(task, configuration, epochs))
    if progress.status != "complete":
        raise InvalidInput(f"the network {progress.status}: {progress.reason}")
    curve = pd.DataFrame(progress.curve, columns=["epoch", "train_loss", "val_loss", "score"]).astype({"epoch": int})
    return Trained(task, run.model(0), curve, dict(progress.metrics), fold)


def sweep(
    task: Task,
    name: str,
    values: Sequence[Any],
    *,
    repeats: int = 5,
    epochs: int | None = None,
    seed: int = 0,
    trainer: Trainer | None = None,
    **fixed: Any,
) -> pd.DataFrame:
    """Train the task's network once for every value of one hyperparameter and every repeat.

    Args:
        task: the problem; its defaults fill what is neither swept nor fixed.
        name: the hyperparameter to turn.
        values: the values to give it, at least one.
        repeats: how many times, each from a seed of its own; the same seeds for every value.
        epochs: how long each network trains, default what the task says.
        seed: of all repeats.
        trainer: trains them, default `hpt.training.stack.Stack`.
        fixed: other hyperparameters, the same for all.

    Returns:
        One row a network: the hyperparameter, ``repeat``, every metric, ``score``, ``train_loss``, ``val_loss``,
        ``best_epoch``, ``epochs``, ``seconds``, ``status``, ``reason``.

    Raises:
        InvalidInput: for no values, no repeats, or if not one network could be trained; the message says why.
    """
    if not len(values) or repeats < 1:
        raise InvalidInput(f"a sweep needs at least one value and one repeat, got {len(values)} and {repeats}")
    pairs = [(value, repeat) for value in values for repeat in range(repeats)]
    rows = []
    configurations = [{**fixed, name: value} for value, _ in pairs]
    seeds = [derive(seed, "repeat", repeat) for _, repeat in pairs]
    networks = [members(*one, 1)[0] for one in zip(configurations, seeds, strict=True)]
    lengths = [_length(task, configuration, epochs) for configuration in configurations]
    everything = train_all(trainer or Stack(), task, networks, lengths)
    for (value, repeat), progress in zip(pairs, everything, strict=True):
        row = {name: value, "repeat": repeat, **progress.metrics}
        if progress.status == "complete":
            counted = progress.curve[progress.best_epoch - 1]
            row |= {key: counted[key] for key in ("score", "train_loss", "val_loss")}
        row |= {key: getattr(progress, key) for key in ("best_epoch", "epochs", "seconds", "status", "reason")}
        rows.append(row)
    if all(row["status"] == "failed" for row in rows):
        raise InvalidInput(f"no network of the sweep over {name} could be trained; the first said: {rows[0]['reason']}")
    order = [name, "repeat", *task.metrics, "score", "train_loss", "val_loss"]
    order += ["best_epoch", "epochs", "seconds", "status", "reason"]
    return pd.DataFrame(rows, columns=list(dict.fromkeys(order)))


def _length(task: Task, configuration: Mapping[str, Any], epochs: int | None) -> int:
    """How many epochs a network trains: what the caller says, else its configuration, else the task."""
    chosen = configuration.get("epochs", task.epochs) if epochs is None else epochs
    if not is_whole(chosen) or chosen < 1:
        raise InvalidInput(f"epochs must be a whole number of at least 1, got {chosen!r}")
    return int(chosen)
