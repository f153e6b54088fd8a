"""Tasks: a problem, ready to be tuned.

A `Task` joins what a search needs to know: the data and their split, the network builder, the space that is
searched, the metric that decides, and how long one network trains. The ready ones are rows of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt import generated, networks, tables
from hpt.builders import keras_builder
from hpt.catalog import search_space
from hpt.data import (
    Array,
    Arrays,
    Dataset,
    Fold,
    LockedTest,
    Problem,
    Split,
    by_time,
    flat,
    holdout,
    kfold,
    load,
    load_series,
    prepare,
    windows,
)
from hpt.domains import Choice, Float, Int
from hpt.errors import InvalidInput, unknown
from hpt.limits import Limits
from hpt.metrics import METRICS, Metric, metric
from hpt.networks import Shape
from hpt.seeds import derive
from hpt.space import Space

if TYPE_CHECKING:
    import pandas as pd

Builder = Callable[[Mapping[str, Any], Shape], Any]


@dataclass(frozen=True, repr=False)
class Task:
    """A problem to tune: data, network, space and metrics.

    Args:
        name: what it is called in tables and messages.
        split: the data, its folds, and the locked test part.
        build: takes a configuration and a `Shape`, returns a compiled Keras model.
        space: which hyperparameters are searched, and where.
        metrics: names from `hpt.metrics.METRICS`. The first one is the objective: it decides.
        epochs: how long one network trains, unless its configuration says otherwise.
        defaults: the configuration a practitioner would start from; what the space does not search stays so.
        scaler: makes a scikit-learn scaler for the inputs, default ``StandardScaler``.
        scale_target: whether the target of a regression is scaled too.
        costs: hyperparameters, numbers of the space, that should be small besides. The search then has an objective
            more for each, and ``study.front`` holds what it found.
        limits: of time and memory for one network, default none.
    """

    name: str
    split: Split
    build: Builder
    space: Space
    metrics: tuple[str, ...]
    epochs: int = 30
    defaults: Mapping[str, Any] = field(default_factory=dict)
    scaler: Callable[[], Any] | None = None
    scale_target: bool = True
    costs: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.metrics:
            raise InvalidInput(f"task {self.name!r} needs at least one metric; the first one decides")
        for name in self.metrics:
            metric(name)
        taken = {"number", "score", "seconds", "seed", "status", "reason", "best_epoch", *METRICS} & set(self.space)
        if taken:
            raise InvalidInput(f"{sorted(taken)[0]!r} is a column of every result: rename the hyperparameter")
        for name in self.costs:
            if isinstance(self.space.get(name), Choice | None) or self.space[name].condition:
                raise InvalidInput(f"costs are numbers that every configuration of the space has, got {name!r}")
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise InvalidInput(f"a network trains for a whole number of epochs of at least 1, got {self.epochs!r}")

    @property
    def dataset(self) -> Dataset:
        """The data, all rows of it."""
        return self.split.dataset

    @property
    def objective(self) -> Metric:
        """The metric that decides."""
        return metric(self.metrics[0])

    @property
    def shape(self) -> Shape:
        """What a builder must know of the data."""
        return Shape(self.dataset.inputs, self.dataset.outputs, self.dataset.problem)

    def arrays(self, fold: int | Fold = 0) -> Arrays:
        """Return the scaled arrays of a fold; everything that scales is fitted on its training rows."""
        chosen = fold if isinstance(fold, Fold) else self.split.folds[fold]
        return prepare(self.dataset, chosen, self.scaler, scale_target=self.scale_target)

    def targets(self, arrays: Arrays, x: Array, y: Array) -> Array:
        """Return what outputs for rows are judged against: an autoencoder's own inputs, scaled; else ``y``.

        Args:
            arrays: of the fold whose scale counts.
            x: inputs in the units of the data.
            y: their targets.
        """
        return flat(arrays.transform(x)) if self.dataset.problem == "autoencoder" else y

    def open_test(self, fold: int, locked: LockedTest) -> tuple[Array, Array, Callable[[Array], Array]]:
        """Open a test part, to judge networks of a fold on it.

        Args:
            fold: whose scale counts.
            locked: the test part; it opens once.

        Returns:
            Scaled inputs, what outputs are judged against, and the way from a network's outputs back to its units.
        """
        arrays, (x, y) = self.arrays(fold), locked.open()
        return arrays.transform(x), self.targets(arrays, x, y), arrays.restore

    def resplit(self, repeats: int, seed: int = 0) -> tuple[Task, list[LockedTest]]:
        """Split the data anew for every repeat, into train, validation and test rows.

        Args:
            repeats: how many splits.
            seed: of all of them. A series is always cut at the same dates.

        Returns:
            The task with one fold a repeat, and the locked test part of each. The task's own is empty: what one repeat
            tests with, another one trains on.
        """
        data = self.dataset
        splits = [
            by_time(data) if data.times is not None else holdout(data, seed=derive(seed, "split", repeat))
            for repeat in range(repeats)
        ]
        whole = Split(data, tuple(split.folds[0] for split in splits), LockedTest(data, np.array([], dtype=int)))
        return replace(self, split=whole), [split.test for split in splits]

    def configuration(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration with the task's defaults beneath it."""
        return networks.merged(self.defaults, configuration)

    def __repr__(self) -> str:
        searched = ", ".join(self.space)
        return (
            f"Task({self.name!r}, {self.dataset.problem}, {len(self.dataset)} rows, "
            f"searches {searched} for {self.objective.name})"
        )

    def with_space(self, space: Space | None = None, **domains: Any) -> Task:
        """Return the task with another space, or with single domains of it replaced or added."""
        return replace(self, space=(space or self.space).replace(**domains) if domains else space or self.space)

    def encode(self, frame: pd.DataFrame) -> Array:
        """Turn new rows of a table into what `hpt.Trained.predict` takes.

        Args:
            frame: the task's columns, in any order; others, such as the target, are not looked at.

        Returns:
            Shape ``(rows, columns)``, in the units of the table; see `hpt.tables.encode` for holes and new categories.
        """
        if not self.dataset.columns:
            raise InvalidInput(f"task {self.name!r} was not made from a table: its inputs are arrays already")
        return tables.encode(self.dataset.columns, frame)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        target: Hashable,
        *,
        problem: Problem | None = None,
        name: str | None = None,
        metrics: tuple[str, ...] | None = None,
        space: Space | None = None,
        time: Hashable | None = None,
        folds: int = 1,
        seed: int = 0,
        epochs: int = 30,
        drop: Iterable[Hashable] | str = (),
        **changes: Any,
    ) -> Task:
        """Make a task of a data frame of mixed columns.

        Numbers are filled in with the median and scaled, categories with the most frequent one and given an input
        each; both are learned from the training rows of a fold. What was guessed (the problem) and what was left out
        (rows without a target; columns of one value, of dates, or of a different text in almost every row) is printed,
        a line each. Say ``problem``, and ``drop`` those columns, and nothing is.

        Args:
            frame: one row an example.
            target: the column to predict.
            problem: ``"binary"``, ``"multiclass"`` or ``"regression"``, default a guess; see `hpt.tables.target_of`.
            name: what it is called, default the name of the target.
            metrics: the first one decides, default those of the ready tasks of this problem.
            space: default that of the ready tasks of this problem.
            time: a column of dates or numbers. The rows are split along it, and it is no input.
            folds: 1 validates on a fifth of the rows; more cross-validates.
            seed: of the split.
            epochs: how long one network trains.
            drop: columns that are no inputs.
            changes: other fields of `Task`, such as ``build``. A ``scaler`` gets what `encode` makes.

        Raises:
            InvalidInput: for a table that nothing can be learned from; see `hpt.tables.read`.
            UnknownName: for a column or a field that is not there.
        """
        check_fields(changes)
        data, notes = tables.read(frame, target, problem=problem, name=name, time=time, drop=drop)
        for note in notes:
            print(note)
        numbers, units = data.problem == "regression", Int(16, 256, log=True)
        if metrics is None:
            metrics = _NUMBERS if numbers else _CLASSES
        if space is None and numbers:
            space = search_space("units", "learning_rate", "weight_decay", units=units)
        elif space is None:
            space = _dense(layers=Int(1, 3), units=units)
        row: dict[str, Any] = {"space": space, "metrics": metrics, "epochs": epochs}
        row |= {"build": networks.mlp, **changes}
        return cls(data.name, _split(data, folds, seed), **row)

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        target: Hashable,
        *,
        read_csv: Mapping[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Task:
        """Make a task of a file of comma-separated values.

        Args:
            path: the file.
            target: the column to predict.
            read_csv: options of ``pandas.read_csv``, such as ``{"sep": ";"}``.
            name: what it is called, default the name of the file.
            kwargs: as `from_frame` takes them.

        Raises:
            InvalidInput: for a file that is not there or not a table, and as `from_frame`.
        """
        frame = tables.read_csv(path, target, read_csv)
        return cls.from_frame(frame, target, name=Path(path).stem if name is None else name, **kwargs)

    @classmethod
    def from_keras(
        cls,
        build: Callable[..., Any],
        data: Dataset | Split | tuple[Any, Any],
        space: Space,
        *,
        problem: Problem | None = None,
        name: str | None = None,
        metrics: tuple[str, ...] | None = None,
        epochs: int = 30,
        defaults: Mapping[str, Any] | None = None,
        folds: int = 1,
        seed: int = 0,
        **changes: Any,
    ) -> Task:
        """Make a task of a function that builds a Keras model.

        Args:
            build: takes hyperparameters by name, as in ``def build_model(lr=0.001, dropout=0.3)``, and the `Shape` if
                it has an argument ``shape``; or a configuration and the shape. Returns a compiled model.
            data: a dataset, a split, or inputs and targets. Inputs are scaled unless ``scaler`` says otherwise;
                targets without a ``problem`` are read as in `hpt.tables.target_of`, which is printed.
            space: named like the arguments. ``batch_size``, ``epochs`` and ``patience`` may be searched besides: the
                training loop reads them, and the function gets them only if it takes them.
            problem: for inputs and targets, default a guess.
            name: what it is called, default the name of the data, or of the function.
            metrics: the first one decides, default those of the ready tasks of this problem.
            epochs: how long one network trains.
            defaults: what the space does not search, instead of the function's own defaults.
            folds: as in `task`; a split has its own.
            seed: of the split.
            changes: other fields of `Task`, such as ``scaler``.

        Raises:
            InvalidInput: for a name in the space or the defaults that neither the function nor the loop takes, or an
                argument that has no value.
        """
        check_fields(changes)
        builder = keras_builder(build, space, defaults or {})
        if isinstance(data, tuple):
            data = _pair(data, problem, builder.__name__ if name is None else name)
        elif problem is not None:
            raise InvalidInput(f"the data say their problem themselves, so leave problem={problem!r} out")
        if isinstance(data, Split) and folds != 1:
            raise InvalidInput(f"a split has its folds already, got folds={folds}")
        split = data if isinstance(data, Split) else _split(data, folds, seed)
        kind = split.dataset.problem
        usual = {"regression": _NUMBERS, "autoencoder": ("mse",)}.get(kind, _CLASSES)
        row: dict[str, Any] = {"space": space, "metrics": usual if metrics is None else metrics, "epochs": epochs}
        row |= {"build": builder, "defaults": builder.defaults, **changes}
        return cls(split.dataset.name if name is None else name, split, **row)


def _pair(data: tuple[Any, Any], problem: Problem | None, name: str) -> Dataset:
    """Make a dataset of inputs and targets; without targets it is an autoencoder's."""
    import numpy as np
    import pandas as pd

    if len(data) != 2 or isinstance(data[0], pd.DataFrame):
        raise InvalidInput("data are a Dataset, a Split or (x, y) of arrays; of a table, Task.from_frame(…).split")
    x, y = data
    if y is None:
        return Dataset(name, x, problem="autoencoder")
    y = np.squeeze(np.asarray(y))
    if y.ndim != 1:
        raise InvalidInput(f"targets are one number or class a row, got shape {y.shape}: y.argmax(1) undoes one-hot")
    found = tables.target_of(pd.Series(y, name="y"), problem, f"{name}: target y")
    if problem is None:
        print(found.note)
    return Dataset(name, x, found.y, found.problem, found.class_names)


def check_fields(changes: Mapping[str, Any]) -> None:
    """Refuse changes that are no field of a task, or are its name or split."""
    allowed = [one.name for one in fields(Task) if one.name not in ("name", "split")]
    for change in changes:
        if change not in allowed:
            raise unknown("task field", change, allowed)


def _split(data: Dataset, folds: int, seed: int) -> Split:
    """Split data, those in time along time."""
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 1:
        raise InvalidInput(f"folds is a whole number of at least 1, got {folds!r}")
    if data.times is not None:
        return by_time(data, folds=folds, validation=0.2 if folds == 1 else 0.1)
    return holdout(data, seed=seed) if folds == 1 else kfold(data, folds, seed=seed)


def _dense(**domains: Any) -> Space:
    return search_space("layers", "units", "learning_rate", "batch_size", "dropout", **domains)


def small_images() -> Space:
    """Return the space of a convolutional network for small images: each of its structures takes a second to trace."""
    return search_space("filters", "kernel_size", "learning_rate", filters=Choice(8, 16), kernel_size=[3, 5])


_CLASSES = ("accuracy", "f1", "roc_auc", "log_loss")
_NUMBERS = ("rmse", "mae", "r2")


def _min_max() -> Any:
    from sklearn.preprocessing import MinMaxScaler

    return MinMaxScaler()


def _without_targets(name: str) -> Dataset:
    """Digits for an autoencoder, which is its own target."""
    data = load("digits")
    return Dataset(name, data.x, problem="autoencoder", source=data.source)


def _years(name: str) -> Dataset:
    """The CO2 series with three years to look back on; a network may read less of them."""
    return windows(load_series(), 36, name=name, source=load("co2").source)


def _registry() -> dict[str, dict[str, Any]]:
    """The ready tasks, a row each. The spaces are the catalogue's, narrowed to what a laptop trains."""
    small = {"layers": Int(1, 3), "units": Int(16, 256, log=True)}
    numbers = search_space("units", "learning_rate", "weight_decay", units=Int(16, 256, log=True))
    gentle = Float(1e-4, 1e-2, log=True)
    return {
        "breast_cancer": {"space": _dense(**small), "metrics": _CLASSES},
        "wine": {"space": _dense(**small), "metrics": _CLASSES},
        "digits": {"space": _dense(**small), "metrics": _CLASSES, "epochs": 20},
        "diabetes": {"space": numbers, "metrics": _NUMBERS},
        "friedman": {"data": lambda name: generated.friedman(), "space": numbers, "metrics": _NUMBERS},
        "digits_autoencoder": {
            "data": _without_targets,
            "build": networks.autoencoder,
            "space": search_space("latent_size", "optimizer", "activation", "learning_rate", learning_rate=gentle),
            "metrics": ("mse",),
            "epochs": 20,
            "scaler": _min_max,
            "defaults": {"layers": 1},
        },
        "digits_conv_autoencoder": {
            "data": _without_targets,
            "build": networks.conv_autoencoder,
            "space": search_space("latent_size", "learning_rate", learning_rate=gentle),
            "metrics": ("mse",),
            "epochs": 10,
            "scaler": _min_max,
            "defaults": {"layers": 1},
        },
        "co2": {
            "space": search_space("units", "learning_rate", "dropout", units=Int(16, 256, log=True)),
            "metrics": _NUMBERS,
        },
        "co2_lstm": {
            "data": _years,
            "build": networks.lstm,
            "space": search_space(
                "sequence_length",
                "units",
                "cell",
                "learning_rate",
                "dropout",
                sequence_length=Choice(6, 12, 24, 36),
                units=Choice(16, 32),
            ),
            "metrics": (*_NUMBERS, "mape"),
            "defaults": {"units": 32},
        },
        "digits_cnn": {
            "data": "digits",
            "build": networks.cnn,
            "space": small_images(),
            "metrics": ("accuracy", "top_5_accuracy", "log_loss"),
            "epochs": 10,
            "scaler": _min_max,
        },
        "recall": {
            "data": lambda name: generated.recall(),
            "build": networks.transformer,
            "space": search_space(
                "heads",
                "units",
                "layers",
                "learning_rate",
                "warmup",
                heads=[1, 2, 4],
                units=Choice(16, 32),
                layers=Int(1, 2),
                learning_rate=Float(1e-4, 1e-1, log=True),
                warmup=Int(0, 200),
            ),
            "metrics": ("accuracy", "log_loss"),
            "epochs": 10,
            "defaults": {"layers": 1, "units": 32},
        },
    }


TASKS: tuple[str, ...] = tuple(_registry())


def task(name: str, *, folds: int = 1, seed: int = 0, **changes: Any) -> Task:
    """Return a ready task, its data freshly split.

    Args:
        name: one of `TASKS`.
        folds: 1 validates on a fifth of the rows; more cross-validates. A series is always cut along time.
        seed: of the split.
        changes: fields of `Task` to replace, such as ``epochs=50`` or ``metrics=("f1",)``.

    Raises:
        UnknownName: for a name that is not there; the message names the near ones.

    >>> task("wine")
    Task('wine', multiclass, 178 rows, searches layers, units, learning_rate, batch_size, dropout for accuracy)
    """
    rows = _registry()
    if name not in rows:
        raise unknown("task", name, rows)
    check_fields(changes)
    row = {"build": networks.mlp, **rows[name], **changes}
    source = row.pop("data", name)
    data = load(source) if isinstance(source, str) else source(name)
    return Task(name=name, split=_split(data, folds, seed), **row)
