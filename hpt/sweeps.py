"""One network, and one knob.

Before a search there is a simpler question: what does this one hyperparameter do? ``train`` trains a single
network; ``repeat`` trains a few of them many times; ``sweep`` does so for every value of one hyperparameter. The
repeats are paired: repeat ``r`` starts from the same seed, on the same rows, whatever the network, so that like is
compared with like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.domains import whole
from hpt.errors import InvalidInput, unknown
from hpt.evidence import Effect, paired
from hpt.metrics import metric
from hpt.search import longest, members
from hpt.seeds import derive
from hpt.tasks import Task
from hpt.training import Run, Trainer
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


@dataclass(frozen=True, repr=False)
class Runs:
    """Several networks, each trained many times.

    Attributes:
        frame: one row a network and repeat: ``network``, ``repeat``, every metric on validation rows, ``score``,
            ``train_loss`` and ``val_loss`` of the epoch that counts, every metric on test rows as ``test_...`` where
            they were opened, ``best_epoch``, ``epochs``, ``seconds``, ``status``, ``reason``.
        curves: one row an epoch: ``network``, ``repeat``, ``epoch``, ``train_loss``, ``val_loss``, ``score``.
    """

    frame: pd.DataFrame
    curves: pd.DataFrame

    def column(self, name: str, network: Any) -> pd.Series[float]:
        """Return one column of one network, by repeat; missing where the network was lost.

        Raises:
            UnknownName: for a column or network that is not there.
        """
        known = self.frame["network"].unique().tolist()
        if network not in known:
            raise unknown("network", network, known)
        if name not in self.frame:
            raise unknown("column", name, self.frame.columns)
        own: pd.Series[float] = self.frame[self.frame["network"] == network].set_index("repeat")[name].astype(float)
        return own

    def difference(self, name: str, one: Any, other: Any, **how: Any) -> Effect:
        """Return by how much a column of one network lies above that of another: `hpt.evidence.paired`.

        Args:
            name: of the column, such as ``"accuracy"``, ``"val_loss"`` or ``"test_accuracy"``.
            one: name of a network.
            other: name of the network that it is held against.
            how: for `hpt.evidence.paired`.
        """
        return paired(self.column(name, one), self.column(name, other), **how)

    def __repr__(self) -> str:
        networks, repeats = self.frame["network"].nunique(), self.frame["repeat"].nunique()
        lost = int((self.frame["status"] != "complete").sum())
        return f"Runs: {networks} networks × {repeats} repeats" + (f", {lost} of them lost" if lost else "")


def repeat(
    task: Task,
    networks: Mapping[Any, Mapping[str, Any] | Sequence[Mapping[str, Any]]],
    *,
    repeats: int = 20,
    epochs: int | None = None,
    seed: int = 0,
    splits: bool = True,
    test: bool = False,
    trainer: Trainer | None = None,
) -> Runs:
    """Train several networks of a task many times, in pairs.

    Repeat r has a split of the data and a seed of its own, and all networks share both: what differs between them is
    their configuration. All repeats of all networks train together, as stacks.

    Args:
        task: the problem; its defaults fill what a configuration leaves out.
        networks: configurations by name; or a list, one for each repeat, such as the winners of the searches of
            `hpt.compare`, which with the same seed has the same splits.
        repeats: how many times each is trained.
        epochs: how long each trains, default what its configuration or the task says.
        seed: of all splits and repeats.
        splits: split the data anew for each repeat (a series is always cut at the same dates); otherwise repeat r
            trains on fold r of the task, counted round.
        test: also judge on the test rows of each repeat. They are opened once, for all networks together.
        trainer: trains them, default `hpt.training.stack.Stack`.

    Raises:
        InvalidInput: for no networks, no repeats, a list of another length, test rows without new splits, or if not one
            network could be trained; the message says why.
    """
    if not networks or repeats < 1:
        raise InvalidInput(f"repeat needs a network and one repeat at least, got {len(networks)} and {repeats}")
    if test and not splits:
        raise InvalidInput("test rows belong to new splits: leave splits=True, or use hpt.report on the task's own")
    wanted = {
        (name, number): own
        for name, configuration in networks.items()
        for number, own in enumerate(_for_each(name, configuration, repeats))
    }
    task, locked = task.resplit(repeats, seed) if splits else (task, [])
    count, trainer = len(task.split.folds), trainer or Stack()
    lengths = {pair: _length(task, configuration, epochs) for pair, configuration in wanted.items()}
    places: dict[tuple[Any, int], tuple[Run, int]] = {}
    waiting = []
    for length in dict.fromkeys(lengths.values()):
        own = [pair for pair in wanted if lengths[pair] == length]
        chosen = [members(wanted[pair], derive(seed, "repeat", pair[1]), count)[pair[1] % count] for pair in own]
        waiting.append((trainer.start(task, chosen), length))
        places |= {pair: (waiting[-1][0], place) for place, pair in enumerate(own)}
    trainer.advance(waiting)
    opened = [task.open_test(fold, part) for fold, part in enumerate(locked)] if test else []
    rows, curves = [], []
    for name, number in wanted:
        run, place = places[name, number]
        progress = run.progress[place]
        row = {"network": name, "repeat": number, **progress.metrics}
        if progress.status == "complete":
            counted = progress.curve[progress.best_epoch - 1]
            row |= {key: counted[key] for key in ("score", "train_loss", "val_loss")}
            if test:
                x, y, restore = opened[number]
                outputs = restore(run.outputs(place, x))
                row |= {f"test_{key}": metric(key).score(y, outputs) for key in task.metrics}
        rows.append(row | {key: getattr(progress, key) for key in _ENDS})
        curves += [{"network": name, "repeat": number, **point} for point in progress.curve]
    if all(row["status"] == "failed" for row in rows):
        raise InvalidInput(f"not one network could be trained; the first said: {rows[0]['reason']}")
    tested = [f"test_{key}" for key in task.metrics] if test else []
    order = ["network", "repeat", *task.metrics, "score", "train_loss", "val_loss", *tested, *_ENDS]
    points = ["network", "repeat", "epoch", "train_loss", "val_loss", "score"]
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys(order)))
    return Runs(frame, pd.DataFrame(curves, columns=points).astype({"epoch": int}))


def _for_each(
    name: Any, configuration: Mapping[str, Any] | Sequence[Mapping[str, Any]], repeats: int
) -> Sequence[Mapping[str, Any]]:
    """The configuration of each repeat."""
    if isinstance(configuration, Mapping):
        return [configuration] * repeats
    if len(configuration) != repeats:
        raise InvalidInput(f"{name} needs a configuration for each of {repeats} repeats, got {len(configuration)}")
    return configuration


_ENDS = ("best_epoch", "epochs", "seconds", "status", "reason")


def sweep(
    task: Task,
    name: str,
    values: Sequence[Any],
    *,
    repeats: int = 5,
    epochs: int | None = None,
    seed: int = 0,
    splits: bool = False,
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
        splits: split the data anew for each repeat, as in `repeat`; otherwise repeat r trains on fold r, counted round.
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
    networks = {place: {**fixed, name: value} for place, value in enumerate(values)}
    frame = repeat(task, networks, repeats=repeats, epochs=epochs, seed=seed, splits=splits, trainer=trainer).frame
    chosen = [values[place] for place in frame.pop("network")]
    frame = frame.drop(columns=name, errors="ignore")  # epochs may be swept
    frame.insert(0, name, chosen)
    return frame


def _length(task: Task, configuration: Mapping[str, Any], epochs: int | None) -> int:
    """How many epochs a network trains: what the caller says, else as in a search."""
    return longest(task, configuration) if epochs is None else whole("epochs", epochs, 1)
