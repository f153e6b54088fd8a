"""From what was typed to a task, and back again when a study is resumed.

Between the two stands the *source* of a task: a dict of plain values which a storage keeps beside a study. It holds
what was typed, and of a table the whole path of the file, so that `make` builds the same task in another process.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import hpt
from hpt import networks
from hpt.catalog import KEYS, TASK_SPECIFIC, hyperparameter, search_space
from hpt.domains import Choice, Domain, Float, Int
from hpt.errors import InvalidInput, UnknownName, printable, unknown
from hpt.metrics import METRICS
from hpt.tables import read_csv
from hpt.tasks import TASKS, Builder, Task

READ_CSV = {"sep": "sep", "decimal": "decimal", "thousands": "thousands", "na": "na_values"}
"""Options of a table, and what pandas calls them."""
OF_TABLES = ("problem", "time", "drop", *READ_CSV)
OF_TASKS = ("metric", "folds", "train_epochs", "set")
OF_CLASSES = ("accuracy", "top_5_accuracy", "f1", "roc_auc", "log_loss")
"""The metrics that judge classes; the others judge numbers."""
LISTED = 5
"""A remark lists at most so many columns of a kind."""
READ_BY: dict[str, tuple[Builder, ...]] = {
    **dict.fromkeys(("filters", "kernel_size"), (networks.cnn, networks.conv_autoencoder)),
    "cell": (networks.lstm,),
    "heads": (networks.transformer,),
    "latent_size": (networks.autoencoder, networks.conv_autoencoder),
    "sequence_length": (networks.lstm, networks.transformer),
}
"""Hyperparameters that only some networks have, and the builders that read them; elsewhere they would do nothing."""


def source(arguments: Namespace) -> dict[str, Any]:
    """Return the source of the task that was asked for.

    Raises:
        UnknownName: for a task that is not there.
        InvalidInput: for a table without a target, or options of a table for a ready task.
    """
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    name = arguments.task
    if name in TASKS:
        extra = [option for option in ("target", *OF_TABLES) if option in given]
        if extra:
            raise InvalidInput(f"--{extra[0]} is for a table, and {name!r} is a ready task: leave it out")
        return {"task": name, **{option: given[option] for option in OF_TASKS if option in given}}
    path = Path(name)
    if not (path.suffix or path.exists()):
        raise unknown("task", name, TASKS)
    if "target" not in given:
        columns = ", ".join(map(str, read_csv(path, None, _reading(given)).columns))
        raise InvalidInput(f"say which column of {path.name!r} to predict, --target COLUMN; it has {columns}")
    options = {option: given[option] for option in (*OF_TABLES, *OF_TASKS) if option in given}
    return {"csv": str(path.resolve()), "target": given["target"], **options}


def noted(source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a storage must keep of a source: nothing of a ready task as it is."""
    return None if set(source) == {"task"} else dict(source)


def make(source: Mapping[str, Any]) -> Task:
    """Make a task of its source.

    Raises:
        InvalidInput: for a file that is not there or holds no task, a metric that does not fit the problem, or a
            domain that cannot be.
        UnknownName: for a column, metric or hyperparameter that is not there.
    """
    options: dict[str, Any] = {"folds": source.get("folds", 1)}
    if "train_epochs" in source:
        options["epochs"] = source["train_epochs"]
    if "csv" in source:
        options |= {name: source[name] for name in ("problem", "time", "drop") if name in source}
        path = _nearer(Path(source["csv"]))
        task = Task.from_csv(path, source["target"], read_csv=_reading(source), **options)
        print(_seen(task))
    else:
        task = hpt.task(source["task"], **options)
    if "metric" in source:
        task = _judged_by(task, source["metric"])
    return _searching(task, source["set"]) if "set" in source else task


def _seen(task: Task) -> str:
    """Say in a line what a table was read as."""
    x, columns = task.dataset.x, task.dataset.columns
    said = []
    for kind in ("numbers", "categories"):
        places = [place for place, one in enumerate(columns) if bool(one.categories) == (kind == "categories")]
        holes = int(np.isnan(x[:, places]).sum())
        names = [str(columns[place].name) for place in places]
        more = [f"… and {len(names) - LISTED} more"] if len(names) > LISTED else []
        filled = f" ({holes:,} {'hole' if holes == 1 else 'holes'} filled)" if holes else ""
        said += [f"{kind} {', '.join([*names[:LISTED], *more])}{filled}"] if names else []
    return printable(f"{task.name}: {len(x):,} rows; {'; '.join(said)}")


def _nearer(path: Path) -> Path:
    """Return a path as a person would type it: from the working directory where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _reading(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of ``pandas.read_csv`` among those that were given."""
    found = {pandas: given[name] for name, pandas in READ_CSV.items() if name in given}
    return found | {"sep": "\t"} if found.get("sep") in ("\\t", "tab") else found


def _judged_by(task: Task, name: str) -> Task:
    """Let a metric decide; those of the task stay behind it."""
    classes = task.dataset.problem in ("binary", "multiclass")
    fitting = [one for one in METRICS if (one in OF_CLASSES) == classes]
    if name not in METRICS:
        begun = [one for one in fitting if name and one.startswith(name)]  # too short to be near
        error = unknown("metric", name, fitting)
        raise UnknownName(f"{error}: did you mean {begun[0]!r}?") if begun and "did you" not in str(error) else error
    if name not in fitting:
        raise InvalidInput(f"{name} does not judge a {task.dataset.problem} problem: take {', '.join(fitting)}")
    return replace(task, metrics=(name, *(one for one in task.metrics if one != name)))


# --- domains as text


def _searching(task: Task, settings: Iterable[str]) -> Task:
    """Give single hyperparameters other domains; conditions of the catalogue hold, momentum waits for SGD."""
    given: dict[str, Domain] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InvalidInput(f"--set takes NAME=DOMAIN, such as units=16..256, got {setting!r}")
        if name in given:
            raise InvalidInput(f"--set names {name!r} twice: leave one of them out")
        if name not in KEYS:
            raise unknown("hyperparameter", name, KEYS)
        given[name] = _fitting(task, name, read_domain(name, text))
    domains: dict[str, Any] = {**task.space, **given}
    for name in given:
        for parent, value in hyperparameter(name, _problem(task)).only_with.items():
            if parent not in domains:
                raise InvalidInput(f"{name} does something only with {parent} {value}: search {parent} too, {parent}=…")
    return task.with_space(search_space(**domains))


def _problem(task: Task) -> str:
    """Return the problem of a task as the catalogue calls it."""
    kinds = [one.problem for one in TASK_SPECIFIC]
    return task.dataset.problem if task.dataset.problem in kinds else kinds[0]


def _fitting(task: Task, name: str, found: Domain) -> Domain:
    """Return a domain of a hyperparameter if networks can have its values."""
    usual = hyperparameter(name, _problem(task)).domain
    if name in READ_BY and task.build not in READ_BY[name]:
        raise InvalidInput(f"the networks of {task.name!r} have no {name}: leave it out")
    words = isinstance(usual, Choice) and not all(type(value) in (int, float) for value in usual.values)
    if isinstance(usual, Float) and isinstance(found, Int) and found.low < found.high:
        found = Float(found.low, found.high, log=found.log)
    values = found.values if isinstance(found, Choice) else (found.low, found.high)
    for value in values:
        if words and not usual.contains(value):
            raise unknown(name, value, usual.values)  # type: ignore[union-attr]
        if not words and (isinstance(value, str | bool) or value is None or (isinstance(usual, Int) and value % 1)):
            wanted = "whole numbers" if isinstance(usual, Int) else "numbers"
            raise InvalidInput(f"{name} takes {wanted}, such as {usual}, got {value!r}")
        networks.hidden(networks.complete({**task.defaults, name: value}))
    return found


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log)|:step=(\d+))?")
_WORDS = {"true": True, "false": False, "none": None}


def read_domain(name: str, text: str) -> Domain:
    """Read a domain as it is typed.

    Args:
        name: of the hyperparameter, for messages.
        text: a range such as ``16..256``, ``1e-4..1e-1:log`` or ``16..256:step=16``, or values with commas between.

    Raises:
        InvalidInput: for a text that is neither, or bounds that cannot be.

    >>> read_domain("learning_rate", "1e-4..1e-1:log"), read_domain("units", "16..64:step=16")
    (Float(0.0001, 0.1, log=True), Int(16, 64, step=16))
    >>> read_domain("optimizer", "adam,sgd"), read_domain("batch_norm", "true")
    (Choice('adam', 'sgd'), Choice(True))
    """
    values = text.split(",")
    if dash := re.fullmatch(rf"({_NUMBER})-({_NUMBER})", text):
        raise InvalidInput(f"{name}={text} is no domain: write {name}={dash[1]}..{dash[2]}")
    if not all(values) or (".." in text and not _RANGE.fullmatch(text)):
        raise InvalidInput(
            f"{name}={text} is no domain: write a range, such as 16..256, 1e-4..1e-1:log or 16..256:step=16, or values "
            "with commas between them, such as adam,sgd"
        )
    match = _RANGE.fullmatch(text)
    if match is None:
        return Choice(*map(_value, values))
    (low, high), log, step = map(_value, match.group(1, 2)), bool(match[3]), int(match[4] or 1)
    if low > high:
        raise InvalidInput(
            f"{name}={text} ends below its start: write {name}={match[2]}..{match[1]}{text[match.end(2) :]}"
        )
    if log and low <= 0:
        example = f"{high / 1000:g}..{match[2]}" if high > 0 else "1..10"
        raise InvalidInput(f"{name}={text}: with :log a range starts above 0, such as {name}={example}:log")
    if isinstance(low, int) and isinstance(high, int):
        if step < 1 or (high - low) % step:
            raise InvalidInput(f"{name}={text}: steps of {step} from {low} do not lead to {high}: choose another end")
        return Int(low, high, log=log, step=step)
    if match[4]:
        raise InvalidInput(f"{name}={text}: steps are for whole numbers; list the values, such as 0.1,0.2,0.3")
    if low == high:
        raise InvalidInput(f"{name}={text} holds one value only: write {name}={low}")
    return Float(low, high, log=log)


def _value(text: str) -> Any:
    if re.fullmatch(_NUMBER, text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return _WORDS.get(text.lower(), text)
