"""Data: what a network is trained on, and which rows it may see when.

Three ideas, from top to bottom:

* a `Dataset` is arrays that were checked once, so that nothing below has to check them again;
* a `Split` says which rows train, which validate, and keeps the test rows in a drawer that opens once;
* `prepare` scales. It learns its means and deviations from the training rows of one fold and from nothing
  else; `leaks` is the test of that sentence.

Splitters and scalers are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from importlib.resources import files
from typing import Any, Literal, get_args
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from hpt.errors import InvalidInput, unknown
from hpt.seeds import derive

Array = NDArray[Any]
Problem = Literal["binary", "multiclass", "regression", "autoencoder"]

LARGEST = 1e38
"""Inputs further from 0 are refused: the single precision of a network ends a little above."""
LARGEST_TARGET = 1e18
"""And targets, which are squared."""


class TestAlreadyOpened(RuntimeError):
    """The test part was opened a second time."""

    __test__ = False  # pytest: not a test class


@dataclass(frozen=True)
class Column:
    """A column of a table: numbers, or categories.

    Args:
        name: what the table calls it.
        categories: the names that a cell may hold, in the order of their codes 0, 1, …; empty for numbers. The list is
            part of the table's schema, not learned from its rows, so that every fold has inputs of the same width.
    """

    name: Any
    categories: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many inputs of a network it becomes: one for a number, one for each category."""
        return len(self.categories) or 1


@dataclass(frozen=True, eq=False)
class Dataset:
    """Arrays for one learning problem, checked.

    Args:
        name: what it is called in tables and messages.
        x: inputs, shape ``(rows, ...)``, finite numbers.
        y: targets, shape ``(rows,)``: class numbers 0, 1, … for classification, finite numbers for
            regression. An autoencoder's target is its input: leave ``y`` out.
        problem: ``"binary"``, ``"multiclass"``, ``"regression"`` or ``"autoencoder"``.
        class_names: the names of the classes, in the order of their numbers.
        times: the moment of each row where rows follow one another in time; such data is split by time.
        source: where the data comes from, and its licence.
        columns: of a table. ``x`` is then what `hpt.tables.encode` makes: one number a column, NaN where it is
            missing, a code for a category; `prepare` turns it into ``inputs``.
        changes: whether inputs and targets are changes of a series, as `windows` makes them; otherwise they are taken
            for its values.

    Raises:
        InvalidInput: if the arrays differ in length, hold NaN, infinity or numbers too large to compute with, or show a
            single class.
    """

    name: str
    x: Array
    y: Array = None  # type: ignore[assignment]  # filled in below: an array from then on
    problem: Problem = "regression"
    class_names: tuple[str, ...] = ()
    times: Array | None = None
    source: str = ""
    columns: tuple[Column, ...] = ()
    changes: bool = False

    def __post_init__(self) -> None:
        if self.problem not in get_args(Problem):
            raise unknown("problem", self.problem, get_args(Problem))
        x = _finite(f"the inputs of {self.name!r}", self.x, holes=bool(self.columns))
        x = x.astype("float64" if self.columns else "float32")  # what is not scaled yet may be large
        if x.ndim < 2:
            raise InvalidInput(
                f"the inputs of {self.name!r} need a row for each example and a column for each feature, "
                f"got shape {x.shape}: for a single feature use x.reshape(-1, 1)"
            )
        if self.columns and (x.shape[1:] != (len(self.columns),) or self.problem == "autoencoder"):
            raise InvalidInput(
                f"{self.name!r} has {len(self.columns)} columns, so its inputs have shape (rows, {len(self.columns)}) "
                f"and its targets are given; got inputs of shape {x.shape} for {self.problem}"
            )
        y: Array | None = self.y
        if y is None and self.problem != "autoencoder":
            raise InvalidInput(f"{self.problem} data need targets: {self.name!r} came without y")
        y = x if y is None else _finite(f"the targets of {self.name!r}", y)
        for what, other in (("targets", y), ("times", self.times)):
            if other is not None and len(other) != len(x):
                raise InvalidInput(f"{self.name!r} has {len(x)} rows of inputs but {len(other)} {what}")
        if self.times is not None and np.any(np.asarray(self.times)[1:] < np.asarray(self.times)[:-1]):
            raise InvalidInput(f"the times of {self.name!r} must not go back: sort the rows by time first")
        if self.problem in ("binary", "multiclass"):
            y = self._classes(y)
        elif self.problem == "regression":
            if np.abs(y).max() > LARGEST_TARGET:
                raise InvalidInput(
                    f"the targets of {self.name!r} reach {np.abs(y).max():g}, and their squares are to stay finite: "
                    f"divide them, or take logarithms, so that none is beyond {LARGEST_TARGET:g}"
                )
            y = y.astype("float32")
            if np.ptp(y) == 0:
                raise InvalidInput(f"all targets of {self.name!r} are {y.flat[0]:g}: nothing to learn")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def _classes(self, y: Array) -> Array:
        found = np.unique(y)
        if y.ndim != 1 or not np.array_equal(found, np.arange(len(found))):
            raise InvalidInput(
                f"the targets of {self.name!r} must be one class number a row, 0 to n-1 with none missing, "
                f"got shape {y.shape} with values {found[:6].tolist()}: numpy.unique(y, return_inverse=True)[1] "
                "numbers any labels"
            )
        if len(found) < 2:
            raise InvalidInput(f"{self.name!r} holds one class only; a classifier needs at least 2")
        if self.problem == "binary" and len(found) != 2:
            raise InvalidInput(f"a binary problem has 2 classes, {self.name!r} has {len(found)}: use 'multiclass'")
        return y.astype("int32")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of one row of inputs, as a network takes it."""
        return (sum(column.width for column in self.columns),) if self.columns else tuple(self.x.shape[1:])

    @property
    def outputs(self) -> int:
        """How many numbers a network has to give for one row."""
        if self.problem == "multiclass":
            return int(self.y.max()) + 1
        return int(np.prod(self.inputs)) if self.problem == "autoencoder" else 1

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {self.problem}, {len(self)} rows of shape {self.inputs})"


def _finite(what: str, values: Any, *, holes: bool = False) -> Array:
    array = np.asarray(values)
    if array.size == 0:
        raise InvalidInput(f"{what} are empty")
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"{what} must be numbers, got {array.dtype}: numpy.unique(values, return_inverse=True)[1] numbers labels"
        )
    bad = np.isinf(array) if holes else ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        kind = "infinite" if holes else "NaN or infinite"
        raise InvalidInput(f"{what} must be finite, got {int(bad.sum())} {kind} values, the first at {where}")
    if array.dtype.itemsize > 4 and ((array > LARGEST) | (array < -LARGEST)).any():
        raise InvalidInput(f"{what} hold numbers beyond {LARGEST:g}, more than single precision can hold: divide them")
    return array


# --- what ships ------------------------------------------------------------------------------------


def load_series(name: str = "co2") -> Any:
    """Return a series that ships with the package, as a pandas Series with a monthly index.

    ``"co2"``: parts per million of carbon dioxide at Mauna Loa, 1959 to 2001 (Keeling and Whorf 2004; public
    domain). Three months of 1964 that were not measured are filled in on a straight line.
    """
    import pandas as pd

    if name != "co2":
        raise unknown("series", name, ["co2"])
    with (files("hpt") / "datasets" / "co2_mauna_loa.csv").open() as file:
        frame = pd.read_csv(file, parse_dates=["month"], index_col="month")
    return frame["co2_ppm"].asfreq("MS").interpolate()


def windows(series: Any, length: int = 24, name: str = "series", source: str = "") -> Dataset:
    """Turn a series into rows: the last ``length`` changes as inputs, the next change as the target.

    A change is the value minus the one before. Changes leave the level out, so a network that trained on
    the early years is not asked about numbers it has never met.

    Args:
        series: a pandas Series in the order of time.
        length: how many changes a row looks back on, at least 1.
        name: name of the dataset.
        source: where the series comes from.
    """
    if length < 1 or length > len(series) - 3:
        raise InvalidInput(f"a series of {len(series)} values allows a length of 1 to {len(series) - 3}, got {length}")
    changes = np.diff(np.asarray(series, dtype="float64"))
    x = np.lib.stride_tricks.sliding_window_view(changes, length)[:-1]
    times = np.asarray(series.index)[length + 1 :]
    return Dataset(name, x.copy(), changes[length:], "regression", times=times, source=source, changes=True)


_SKLEARN: dict[str, tuple[str, Problem, str]] = {
    "breast_cancer": ("load_breast_cancer", "binary", "Wisconsin diagnostic data, Street et al. 1993; CC BY 4.0"),
    "wine": ("load_wine", "multiclass", "Forina et al. 1988; CC BY 4.0"),
    "digits": ("load_digits", "multiclass", "Alpaydin and Kaynak 1998; CC BY 4.0"),
    "diabetes": ("load_diabetes", "regression", "Efron et al. 2004; shipped with scikit-learn (BSD)"),
}
DATASETS: tuple[str, ...] = (*_SKLEARN, "co2")


def load(name: str) -> Dataset:
    """Load a dataset that needs no network: ``breast_cancer``, ``wine``, ``digits``, ``diabetes``, ``co2``.

    >>> load("wine")
    Dataset('wine', multiclass, 178 rows of shape (13,))
    """
    if name == "co2":
        return windows(load_series(), name="co2", source="Keeling and Whorf 2004, Mauna Loa; public domain")
    if name not in _SKLEARN:
        raise unknown("dataset", name, DATASETS)
    from sklearn import datasets

    function, problem, source = _SKLEARN[name]
    bunch = getattr(datasets, function)()
    classes = tuple(str(label) for label in getattr(bunch, "target_names", ()))
    return Dataset(name, bunch.data, bunch.target, problem, classes, source=source)


# --- which rows may be seen when ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Fold:
    """Row numbers that train and row numbers that validate; no row is in both."""

    train: Array
    validation: Array


class LockedTest:
    """The test part of a split: it opens once, and knows when.

    Selection must not see these rows. The lock is a guard against accident, not against intent: it lives as
    long as the `Split` it belongs to.
    """

    def __init__(self, dataset: Dataset, rows: Array) -> None:
        self._dataset = dataset
        self._rows = rows
        self.opened: datetime | None = None

    def open(self) -> tuple[Array, Array]:
        """Return the test inputs and targets, this one time.

        Raises:
            TestAlreadyOpened: on the second call; the message says when the first was.
        """
        if self.opened is not None:
            raise TestAlreadyOpened(
                f"the test part of {self._dataset.name!r} was opened on {self.opened:%Y-%m-%d at %H:%M:%S}; a second "
                "look would turn it into validation data: keep the first result, or make a new split and search again"
            )
        self.opened = datetime.now()
        return self._dataset.x[self._rows], self._dataset.y[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        state = f"opened {self.opened:%Y-%m-%d %H:%M:%S}" if self.opened else "locked"
        return f"LockedTest({len(self)} rows, {state})"


def checksum(*arrays: Array) -> int:
    """Return a number that differs where arrays differ, one after the other."""
    found = 0
    for array in arrays:
        found = crc32(np.ascontiguousarray(array).data, found)
    return found


@dataclass(frozen=True, eq=False)
class Split:
    """A dataset, the folds that train and validate, and the locked test part."""

    dataset: Dataset
    folds: tuple[Fold, ...]
    test: LockedTest

    @cached_property
    def fingerprint(self) -> int:
        """A checksum of the data and of which rows are locked. It opens nothing; the folds do not count.

        Splits with the same fingerprint keep the same rows from training, so a search on the one may be judged by the
        test part of the other.
        """
        return checksum(self.dataset.x, self.dataset.y, self.test._rows)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(f.train)}+{len(f.validation)}" for f in self.folds)
        return f"Split({self.dataset.name!r}, train+validation rows {sizes}, {self.test!r})"


def holdout(dataset: Dataset, *, validation: float = 0.2, test: float = 0.2, seed: int = 0) -> Split:
    """Split once into train, validation and a locked test part; classes keep their shares.

    Args:
        dataset: what to split. Data with times go to `by_time`.
        validation: share of all rows for validation.
        test: share of all rows for the test part.
        seed: of the shuffle.
    """
    if not (0 < validation < 1 and 0 < test < 1 and validation + test < 1):
        raise InvalidInput(
            f"validation and test are shares of the rows that leave some for training, got {validation} and {test}"
        )
    rest, locked = _cut(dataset, np.arange(len(dataset)), test, derive(seed, "test"))
    train, held = _cut(dataset, rest, validation / (1 - test), derive(seed, "validation"))
    return Split(dataset, (Fold(train, held),), LockedTest(dataset, locked))


def kfold(dataset: Dataset, k: int = 5, *, test: float = 0.2, seed: int = 0) -> Split:
    """Lock a test part away, then cut the other rows into ``k`` folds; each fold validates once.

    Args:
        dataset: what to split.
        k: how many folds, 2 or more; for classes at most the size of the smallest one.
        test: share of all rows for the test part.
        seed: of the shuffle.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if not 0 < test < 1:
        raise InvalidInput(f"test is a share of the rows between 0 and 1, got {test}")
    rest, locked = _cut(dataset, np.arange(len(dataset)), test, derive(seed, "test"))
    classes = dataset.y[rest] if dataset.problem in ("binary", "multiclass") else None
    most = len(rest) if classes is None else int(np.bincount(classes).min())
    if not 2 <= k <= most:
        why = "rows" if classes is None else "members of its smallest class"
        raise InvalidInput(f"k-fold of {dataset.name!r} takes 2 to {most} folds (the {why}), got {k}")
    cutter = (KFold if classes is None else StratifiedKFold)(k, shuffle=True, random_state=derive(seed, "folds"))
    folds = tuple(Fold(rest[a], rest[b]) for a, b in cutter.split(rest, classes))
    return Split(dataset, folds, LockedTest(dataset, locked))


def by_time(dataset: Dataset, *, folds: int = 1, validation: float = 0.2, test: float = 0.2) -> Split:
    """Split along time: train on the past, validate on what follows, lock the last stretch away.

    With more than one fold the training part grows and the validation part walks forward (scikit-learn's
    ``TimeSeriesSplit``); every validation part is ``validation`` of all rows long.
    """
    from sklearn.model_selection import TimeSeriesSplit

    n = len(dataset)
    held, locked = int(n * validation), int(n * test)
    if folds < 1 or min(held, locked) < 1 or n - locked - folds * held < 1:
        raise InvalidInput(
            f"{n} rows can't hold {folds} validation parts of {validation:g} and a test part of {test:g} of the rows, "
            "and still train on some"
        )
    past = np.arange(n - locked)
    whole = [(past[:-held], past[-held:])]
    parts = whole if folds == 1 else TimeSeriesSplit(folds, test_size=held).split(past)
    return Split(dataset, tuple(Fold(a, b) for a, b in parts), LockedTest(dataset, np.arange(n - locked, n)))


def _cut(dataset: Dataset, rows: Array, share: float, seed: int) -> tuple[Array, Array]:
    from sklearn.model_selection import train_test_split

    if dataset.times is not None:
        raise InvalidInput(
            f"the rows of {dataset.name!r} follow one another in time: a shuffled split would train on the future, "
            "use by_time"
        )
    classes = dataset.y[rows] if dataset.problem in ("binary", "multiclass") else None
    try:
        kept, cut = train_test_split(rows, test_size=share, stratify=classes, random_state=seed)
    except ValueError as error:
        raise InvalidInput(f"{dataset.name!r} with {len(rows)} rows is too small for this split: {error}") from None
    return np.sort(kept), np.sort(cut)


# --- scaling, fitted on the training rows ----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a network is given for one fold: scaled training and validation parts, and the way back.

    All four arrays are in the network's units. ``transform`` scales new inputs as the training inputs were
    scaled; ``restore`` brings targets and predictions back to the units of the data.
    """

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array
    transform: Callable[[Array], Array]
    restore: Callable[[Array], Array]


def prepare(
    dataset: Dataset, fold: Fold, scaler: Callable[[], Any] | None = None, *, scale_target: bool = True
) -> Arrays:
    """Scale one fold; everything that is learned is learned from its training rows.

    Args:
        dataset: the data.
        fold: which rows train and which validate.
        scaler: makes a scikit-learn scaler, default ``StandardScaler``; for a table `column_transformer`.
        scale_target: scale the target of a regression too. Classes are never scaled; the target of an
            autoencoder is its scaled input.

    Returns:
        `Arrays`.
    """
    from sklearn.preprocessing import StandardScaler

    default = partial(column_transformer, dataset.columns) if dataset.columns else StandardScaler
    scale = (scaler or default)().fit(flat(dataset.x[fold.train]))

    def transform(x: Array) -> Array:
        return np.asarray(scale.transform(flat(x)), dtype="float32").reshape(len(x), *dataset.inputs)

    x_train, x_validation = transform(dataset.x[fold.train]), transform(dataset.x[fold.validation])
    y_train, y_validation = dataset.y[fold.train], dataset.y[fold.validation]
    restore: Callable[[Array], Array] = _same
    if dataset.problem == "autoencoder":
        y_train, y_validation = flat(x_train), flat(x_validation)
    elif dataset.problem == "regression" and scale_target:
        middle, spread = float(y_train.mean()), float(y_train.std()) or 1.0
        y_train, y_validation = (y_train - middle) / spread, (y_validation - middle) / spread

        def restore(predicted: Array) -> Array:
            return predicted * spread + middle

    return Arrays(x_train, y_train, x_validation, y_validation, transform, restore)


def column_transformer(columns: Sequence[Column]) -> Any:
    """Make scikit-learn's transformer for the columns of a table; nothing is fitted yet.

    Numbers: the median where one is missing, then mean 0 and deviation 1. Categories: the most frequent one where one
    is missing, then an input for each; a category that is not in the list is 0 in all of them.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [place for place, column in enumerate(columns) if not column.categories]
    names = [place for place, column in enumerate(columns) if column.categories]
    codes = [np.arange(float(columns[place].width)) for place in names]
    # Without keep_empty_features a column that is empty in one fold would make its inputs narrower.
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    frequent = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    one_hot = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(median, StandardScaler()), numbers),
            ("categories", make_pipeline(frequent, one_hot), names),
        ]
    )


def flat(x: Array) -> Array:
    """Return rows of any shape as rows of numbers."""
    return x.reshape(len(x), -1)


def _same(values: Array) -> Array:
    return values


def leaks(prepare: Callable[[Dataset, Fold], Arrays], dataset: Dataset, fold: Fold) -> bool:
    """Say whether a way of preparing data lets validation rows reach the training part.

    The rows outside the training part are replaced by wild values. What trains must not change by a bit.

    Args:
        prepare: takes a dataset and a fold, returns `Arrays`.
        dataset: the data to try it on.
        fold: the fold to try it on.

    >>> from hpt.data import holdout, leaks, load, prepare
    >>> split = holdout(load("wine"))
    >>> leaks(prepare, split.dataset, split.folds[0])
    False
    """
    outside = np.setdiff1d(np.arange(len(dataset)), fold.train)
    x, y = dataset.x.copy(), dataset.y.copy()
    x[outside] = x[outside][::-1] * 1000 + 7
    if dataset.problem == "regression":
        y[outside] = y[outside] * 1000 + 7
    target = None if dataset.problem == "autoencoder" else y
    wild = replace(dataset, x=x, y=target)  # type: ignore[arg-type]
    before, after = prepare(dataset, fold), prepare(wild, fold)
    return not (np.array_equal(before.x_train, after.x_train) and np.array_equal(before.y_train, after.y_train))
