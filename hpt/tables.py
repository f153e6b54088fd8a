"""Tables: a data frame of numbers, names, dates and holes becomes inputs and targets.

Four ideas, from top to bottom:

* a table has a *schema*: which columns are numbers, which are categories, and what the categories are called. It is
  read off all rows, as from the form that was filled in. What no network learns from is left out, and said;
* the target says what kind of problem it is. That is a guess, so it is said too;
* a column that says the same as the target is a leak: `copies` finds it, and tells it from a coincidence;
* `encode` writes a frame down by its schema: numbers as they are, categories as codes, holes as NaN.

No statistic is taken here: medians, means and most frequent categories come from the training rows of one fold, in
`hpt.data.prepare`, which hands the columns to scikit-learn's ``ColumnTransformer``. To learn them from all rows is the
leak that Kaufman, Rosset, Perlich and Stitelman 2012, "Leakage in data mining", find in most published tables.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from csv import Sniffer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from hpt.data import LARGEST, Array, Column, Dataset, Problem
from hpt.errors import InvalidInput, printable, unknown

if TYPE_CHECKING:
    import pandas as pd

FEW = 20
"""A target of more different whole numbers than this is taken for a quantity, not for classes."""
LEAST = 3
"""Rows that a table needs, and each of its classes: one to train on, one to validate, one to test."""
MOST = 1000
"""A column of more different texts is left out: each of them would be an input of the network."""
CHANCE = 1e-6
"""A column copies the target if one of its values in another order would do so less often than this."""


def read(
    frame: pd.DataFrame,
    target: Hashable,
    *,
    problem: Problem | None = None,
    name: str | None = None,
    time: Hashable | None = None,
    drop: Iterable[Hashable] | str = (),
) -> tuple[Dataset, list[str]]:
    """Read a frame as a learning problem.

    Args:
        frame: one row an example. Numbers, booleans, texts and pandas categories are read, holes are allowed.
        target: the column to predict. Rows without it are left out.
        problem: ``"binary"``, ``"multiclass"`` or ``"regression"``, default a guess: see `target_of`.
        name: what the table is called, default the name of the target.
        time: the column that says when; the rows are put in its order, and it is no input.
        drop: columns that are no inputs.

    Returns:
        The dataset, whose ``x`` is what `encode` makes, and a sentence for everything that the caller did not say.

    Raises:
        InvalidInput: for a frame that is empty, names two columns alike, holds numbers that are infinite, beyond
            `LARGEST` or written as text, leaves nothing to learn from, or has a target of one value, or fewer than
            `LEAST` rows, or a class of fewer.
        UnknownName: for a column that is not there.

    Warns:
        UserWarning: for a column that says the same as the target, see `copies`.
    """
    apart = [target, *([] if time is None else [time]), *([drop] if isinstance(drop, str) else drop)]
    _check(frame, apart)
    if target in apart[1:]:
        raise InvalidInput(f"{target!r} is the target, so it can be neither the time nor left out")
    name, notes = str(target) if name is None else name, []
    known = frame[target].notna()
    if not known.all():
        notes.append(f"{name}: {int((~known).sum())} of {len(frame)} rows have no target {target!r} and are left out")
        frame = frame[known]
    if frame.empty:
        raise InvalidInput(f"{name}: no row has a target {target!r}")
    times = None
    if time is not None:
        frame, times = _in_time(frame, time)
    answer = target_of(frame[target], problem, f"{name}: target {target!r}")
    notes += [answer.note] if problem is None else []
    found = {label: _column(frame[label]) for label in frame.columns if label not in apart}
    if len(frame) < LEAST:
        raise InvalidInput(
            f"{name} has {len(frame)} {'row' if len(frame) == 1 else 'rows'} with a target, a table needs at least "
            f"{LEAST}: one to train on, one to validate, one to test"
        )
    columns = tuple(one for one in found.values() if isinstance(one, Column))
    left = {label: why for label, why in found.items() if isinstance(why, str)}
    notes += [f"{name}: column {label!r} is left out, it holds {why}" for label, why in left.items()]
    if not columns:
        raise InvalidInput(f"{name}: no column is left to learn from; {'; '.join(notes) or 'there is only the target'}")
    x = encode(columns, frame)
    for label in copies(columns, x, answer.y, answer.problem):
        warnings.warn(
            f"{name}: column {label!r} says the same as the target {target!r}, value for value: a leak, unless it "
            f"is known before the target is. Leave it out with drop=[{label!r}]",
            stacklevel=3,
        )
    dataset = Dataset(name, x, answer.y, answer.problem, answer.class_names, times, columns=columns)
    return dataset, notes


def read_csv(path: str | Path, target: Hashable, options: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Read a file of comma-separated values with pandas.

    Args:
        path: the file.
        target: the column that must be there.
        options: of ``pandas.read_csv``, such as ``{"sep": ";", "thousands": ","}``. Empty cells and pandas's usual
            words for missing values, such as ``NA``, become holes.

    Raises:
        InvalidInput: for a file that is not there, is not text in columns, has no header, has rows longer than its
            header, or names two columns alike.
    """
    import pandas as pd

    options, path = {**(options or {})}, Path(path)
    if path.is_dir():
        raise InvalidInput(f"{str(path)!r} is a folder: name a file in it")
    if not path.is_file():
        raise InvalidInput(f"there is no file {str(path)!r}: a path is read from the folder {Path.cwd().name!r}")
    frame = _parsed(path, **options)
    if any("\0" in str(label) for label in frame.columns):
        raise InvalidInput(f"{path.name!r} has zero bytes in its header. Save it as UTF-8")
    looked_at = options.get("header", 0) == 0 and "names" not in options
    look = {key: options[key] for key in ("sep", "delimiter", "encoding", "skiprows", "comment") if key in options}
    if looked_at:
        head = _parsed(path, header=None, nrows=1, dtype=str, **look).iloc[0].dropna()
        _header(head, target, repr(path.name))
        _no_twins(pd.Index(head), repr(path.name))  # pandas would call the second 'a' 'a.1'
    if len(frame.columns) == 1 and target not in frame.columns:
        text = str(frame.columns[0])
        raise InvalidInput(f"{path.name!r} has one column only, {text[:60]!r}: {_separator(text)}")
    if looked_at and "index_col" not in options:
        _parsed(path, header=None, nrows=2, **look)  # where rows are longer than the header, pandas makes an index
    return frame


def _parsed(path: Path, **options: Any) -> pd.DataFrame:
    """Return what pandas reads, or say in a line why it does not."""
    import pandas as pd

    refused = f"{path.name!r} could not be read as comma-separated values"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # a column of mixed types: `read` looks at it
            frame: pd.DataFrame = pd.read_csv(path, **options)
    except UnicodeDecodeError as error:
        guess = "utf-16" if path.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise InvalidInput(
            f"{refused}: byte {error.object[error.start]:#04x} is no {error.encoding} text. Save it as UTF-8, or say "
            f"read_csv={{'encoding': {guess!r}}}"
        ) from None
    except (ValueError, LookupError, OSError) as error:  # pandas's own errors are ValueErrors
        raise InvalidInput(f"{refused}: {' '.join(str(error).split())}") from None
    return frame


def _header(first: pd.Series[str], target: Hashable, what: str) -> None:
    """Refuse a file that begins with its data: all names are numbers, or one has decimals, and none is the target."""
    import pandas as pd

    numbers = pd.to_numeric(first, errors="coerce")
    if target not in set(first) and len(first) and (numbers.notna().all() or (numbers % 1 > 0).any()):
        few = ", ".join(first[:3]) + (", …" if len(first) > 3 else "")
        raise InvalidInput(
            f"{what} has no header, it begins with {few!r}: write the names of the columns in its first line, or say "
            "read_csv={'names': ['a', 'b', …]}"
        )


def _separator(header: str) -> str:
    """Guess what stands between the columns of a header that came as one."""
    try:
        return f'say read_csv={{"sep": {Sniffer().sniff(header, ";|" + chr(9)).delimiter!r}}}'
    except Exception:  # the sniffer found none
        return "is it a table at all?"


# --- the schema ------------------------------------------------------------------------------------------


def _check(frame: Any, labels: Sequence[Hashable]) -> None:
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InvalidInput(f"a table is a pandas DataFrame, got {type(frame).__name__}")
    if frame.empty:
        raise InvalidInput(f"the frame is empty: it has {len(frame)} rows and {len(frame.columns)} columns")
    _no_twins(frame.columns, "the frame")
    for label in labels:
        if label not in frame.columns:
            raise unknown("column", label, frame.columns)


def _no_twins(labels: pd.Index[Any], what: str) -> None:
    twins = labels[labels.duplicated()]
    if len(twins):
        raise InvalidInput(f"{what} has two columns {twins[0]!r}: rename one of them")


_KINDS = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), "numbers"),
    **dict.fromkeys(("boolean", "categorical"), "categories"),
    **dict.fromkeys(("string", "mixed-integer", "mixed"), "texts"),
    **dict.fromkeys(("date", "datetime", "datetime64", "period"), "dates"),
}
"""What pandas's ``infer_dtype`` sees, and what it is here."""
_AROUND = r"[\s,'_%$€£]"
"""What people write around and inside numbers."""


def _kind(values: pd.Series[Any]) -> str:
    """Say whether a column holds numbers, categories, texts or dates; look at texts twice, for both hide in them."""
    import pandas as pd

    seen = pd.api.types.infer_dtype(values, skipna=True)
    if seen not in _KINDS or (seen == "mixed" and not all(isinstance(value, Hashable) for value in values)):
        raise InvalidInput(
            f"column {values.name!r} holds {seen} values, such as {values.dropna().iloc[0]!r}, which are not read: "
            "convert it, or drop it"
        )
    if _KINDS[seen] != "texts":
        return _KINDS[seen]
    counts = values.value_counts(sort=False).to_numpy()
    texts = values.dropna().drop_duplicates().astype(str)  # in the same order, that of their first rows
    numbers = pd.to_numeric(texts.str.replace(_AROUND, "", regex=True), errors="coerce").notna()
    if counts[numbers].sum() > 0.5 * counts.sum():
        example = texts[~numbers].iloc[0] if not numbers.all() else texts.iloc[0]
        what = "holds numbers, and others that are not" if not numbers.all() else "holds numbers written as text"
        raise InvalidInput(
            f"column {values.name!r} {what}, such as {example!r}: make it numbers with pandas.to_numeric (of a file: "
            "read_csv={'thousands': ','}, {'decimal': ','} or {'na_values': ['?']}), or names with astype('category')"
        )
    if not texts.str.contains("-").all():
        return "texts"
    return "dates" if pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce").notna().all() else "texts"


def _column(values: pd.Series[Any]) -> Column | str:
    """Read a column's schema, or say why no network learns from it."""
    present = values.dropna()
    if present.empty:
        return "nothing"
    kind = _kind(values)
    if kind == "dates":
        return f"dates: make numbers of them, such as the year, or split by time with time={values.name!r}"
    if kind == "numbers":
        return Column(values.name) if np.ptp(_numbers(present)) else "the same number wherever there is one"
    names = _names(present)
    if len(names) == 1:
        return f"{names[0]!r} wherever there is anything"
    if len(names) > 0.9 * len(present):
        return "a different text in almost every row"
    if len(names) > min(MOST, max(FEW, len(present) / 2)):
        return f"{len(names):,} different texts in {len(present):,} rows: join the rare ones"
    return Column(values.name, names)


def _names(present: pd.Series[Any]) -> tuple[str, ...]:
    """Name the categories of a column: in the order of the pandas category, or else sorted."""
    import pandas as pd

    if isinstance(present.dtype, pd.CategoricalDtype):
        return tuple(_name(value) for value in present.cat.remove_unused_categories().cat.categories)
    return tuple(sorted({_name(value) for value in present.unique()}))


def _name(value: Any) -> str:
    """Name a category; 1 and 1.0 are the same one, for a hole makes pandas write the one as the other."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _numbers(values: pd.Series[Any]) -> Array:
    numbers = values.to_numpy("float64", na_value=np.nan)
    if np.isinf(numbers).any():
        row = values.index[np.isinf(numbers)][0]
        raise InvalidInput(
            f"column {values.name!r} holds {int(np.isinf(numbers).sum())} infinite numbers, the first in row {row}: "
            "put a number or NaN in their place"
        )
    if (np.abs(numbers) > LARGEST).any():
        worst = numbers[np.nanargmax(np.abs(numbers))]
        raise InvalidInput(f"column {values.name!r} holds {worst:g}, beyond {LARGEST:g}: write it in a larger unit")
    return numbers


def _in_time(frame: pd.DataFrame, time: Hashable) -> tuple[pd.DataFrame, Array]:
    """Put rows in the order of a column of dates or numbers; return it too."""
    import pandas as pd

    moments = frame[time]
    if moments.isna().any():
        raise InvalidInput(f"{int(moments.isna().sum())} rows have no time {time!r}: leave them out first")
    kind = _kind(moments)
    if kind not in ("numbers", "dates"):
        raise InvalidInput(f"column {time!r} holds {kind}, not times: use dates such as 2024-05-31, or numbers")
    if isinstance(moments.dtype, pd.PeriodDtype):
        moments = moments.dt.to_timestamp()
    if kind == "dates":  # what says no time zone is UTC
        times = pd.to_datetime(moments, format="ISO8601", utc=True).dt.tz_localize(None).to_numpy()
    else:
        times = _numbers(moments)
    order = np.argsort(times, kind="stable")
    return frame.iloc[order], times[order]


# --- the target ------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """A target as it was read: numbers, the problem they pose, and the sentence that says so."""

    y: Array
    problem: Problem
    class_names: tuple[str, ...]
    note: str


def target_of(values: pd.Series[Any], problem: Problem | None, what: str) -> Target:
    """Read a target, and guess its problem where it is not said.

    Texts, booleans and categories are classes. Numbers are a quantity, but few different whole numbers are classes:
    two of them, or at most `FEW` with five rows each on average.

    Args:
        values: one a row, none missing.
        problem: if it is known.
        what: what the message calls it.
    """
    kinds = [kind for kind in get_args(Problem) if kind != "autoencoder"]
    if problem is not None and problem not in kinds:
        raise unknown("problem", problem, kinds)
    kind, distinct = _kind(values), int(values.nunique())
    if distinct == 1:
        raise InvalidInput(f"{what} holds a single value, {printable(_name(values.iloc[0]))[:60]}: nothing to learn")
    if kind == "dates":
        raise InvalidInput(f"{what} holds dates: make numbers or classes of them")
    numbers = _numbers(values) if kind == "numbers" else None
    guess: Problem = "binary" if distinct == 2 else "multiclass"
    if numbers is not None and (np.any(numbers % 1) or distinct > max(2, min(FEW, len(values) // 5))):
        guess = "regression"
    chosen = problem or guess
    called = numbers is not None and ("whole numbers" if not np.any(numbers % 1) else "numbers")
    note = f"{what} holds {distinct} different {called or kind}, so this is {_ARTICLE[chosen]}"
    if chosen == "regression":
        if numbers is None:
            raise InvalidInput(f"{what} holds {kind}; a regression needs numbers: say problem={guess!r}")
        return Target(numbers, chosen, (), f'{note} (say problem="multiclass" if not)')
    if numbers is not None:
        labels, y = np.unique(numbers, return_inverse=True)
        names = tuple(_name(float(label)) for label in labels)
    else:
        names = _names(values)
        y = _codes(values, names).astype("int64")
    if chosen == "binary":
        note += f", and {names[-1]!r} is the positive class"
    counts = np.bincount(y)
    if counts.min() < LEAST:
        raise InvalidInput(
            f"{what} has {counts.min()} {'row' if counts.min() == 1 else 'rows'} of class {names[counts.argmin()]!r}, "
            f"a class needs at least {LEAST}: leave it out, or join it with another"
            + (', or say problem="regression"' if numbers is not None else "")
        )
    return Target(y, chosen, names, f'{note} (say problem="regression" if not)' if numbers is not None else note)


_ARTICLE = {
    "binary": "a binary classification",
    "multiclass": "a multiclass classification",
    "regression": "a regression",
}


# --- leaks -----------------------------------------------------------------------------------------------


def copies(columns: Sequence[Column], x: Array, y: Array, problem: Problem) -> list[Any]:
    """Return the names of the columns that say the same as the target, whatever they call it.

    A column copies the target if it equals it, or if each of its values goes with one value of the target and the other
    way round. In few rows that happens by chance, and where every row has a value of its own it always does: so how
    often it would happen is counted, over all orders of the column's values, and must stay below `CHANCE` for a
    whole table. Rows without a value are not looked at.

    Args:
        columns: the schema.
        x: what `encode` makes.
        y: the target, a number or a class a row.
        problem: in a regression a row that comes twice is counted once, for all of its numbers repeat together.
    """
    import pandas as pd

    once = ~pd.DataFrame(np.column_stack([x, y])).duplicated() if problem == "regression" else slice(None)
    found = []
    for column, values in zip(columns, x.T, strict=True):
        pairs = pd.DataFrame({"own": values[once], "target": y[once]}).value_counts(sort=False)
        own, target = pairs.index.get_level_values("own"), pairs.index.get_level_values("target")
        if not own.is_unique or not target.is_unique:
            continue
        orders = math.lgamma(pairs.sum() + 1) - sum(map(math.lgamma, pairs + 1))
        if not own.equals(target):  # values of which there are equally many can change places
            orders -= sum(map(math.lgamma, pairs.value_counts() + 1))
        if orders > math.log(len(columns) / CHANCE):
            found.append(column.name)
    return found


# --- rows ------------------------------------------------------------------------------------------------


def encode(columns: Sequence[Column], frame: pd.DataFrame) -> Array:
    """Write a frame down by its schema.

    Args:
        columns: the schema.
        frame: has these columns; others are not looked at.

    Returns:
        Shape ``(rows, columns)``: numbers as they are, the code of each category, NaN where nothing is. A category
        that the schema does not have is -1, which becomes zeros in all inputs of its column.

    Raises:
        InvalidInput: for texts where numbers are due, numbers where texts are, or infinite numbers.
        UnknownName: for a column that is missing.
    """
    _check(frame, [column.name for column in columns])
    return np.column_stack([_cells(column, frame[column.name]) for column in columns])


def _cells(column: Column, values: pd.Series[Any]) -> Array:
    import pandas as pd

    if values.isna().all():
        return np.full(len(values), np.nan)
    seen = pd.api.types.infer_dtype(values, skipna=True)
    if not column.categories:
        if _KINDS.get(seen) != "numbers" and seen != "boolean":
            raise InvalidInput(f"column {column.name!r} holds numbers, got {seen} values: {values.dropna().iloc[0]!r}")
        return _numbers(values)
    codes = _codes(values, column.categories)
    if _KINDS.get(seen) != "texts" and seen not in ("boolean", "categorical") and np.nanmax(codes) < 0:
        few = ", ".join(column.categories[:3])
        raise InvalidInput(f"column {column.name!r} holds categories ({few}, …), got {seen} values")
    return codes


def _codes(values: pd.Series[Any], names: Sequence[str]) -> Array:
    """Number categories by their place among the names; -1 is none of them, NaN is a hole."""
    import pandas as pd

    places = {name: place for place, name in enumerate(names)}
    numbers, found = pd.factorize(values)  # each different value once; a hole is -1, which finds the last place
    return np.array([*(places.get(_name(value), -1) for value in found), np.nan])[numbers]
