"""What the commands do, a function each, named like its command.

A function checks all that it was given, the places to write to as well, before anything is trained or written. It
prints its result and returns the exit code.
"""

from __future__ import annotations

import re
import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import hpt
from hpt import storage as keep
from hpt import strategies as known
from hpt.backends import check_journal, printed
from hpt.catalog import TABLES
from hpt.command import FAILED, FINE, pictures, problems, words
from hpt.command.aside import Aside, Beginning, aside
from hpt.errors import InvalidInput, unknown
from hpt.recording import check_new, to_csv
from hpt.schedules import epochs_of
from hpt.search import longest
from hpt.strategies import Strategy
from hpt.study import called
from hpt.tasks import TASKS, Task
from hpt.training import Trainer
from hpt.training.stack import Stack

NETWORKS = 20
"""Where no budget is given, that of a comparison is what so many networks cost."""
_INPUTS = "the model takes scaled inputs, which task.arrays().transform(...) makes"
_OUTPUTS = ", and gives scaled outputs, which task.arrays().restore(...) turns into the units of the target"


# --- what there is


def tasks(arguments: Namespace) -> int:
    """List the ready tasks."""
    rows = []
    for name in TASKS:
        task = hpt.task(name)
        about = {"task": name, "problem": task.dataset.problem, "rows": len(task.dataset)}
        rows.append({**about, "objective": task.objective.name, "searches": ", ".join(task.space)})
    return _show(rows, arguments)


def strategies(arguments: Namespace) -> int:
    """List the strategies, a line each; manual search takes a list, which can be given in Python only."""
    made = {name: make for name, make in known.STRATEGIES.items() if name != "manual"}
    return _show([{"strategy": name, "idea": _idea(make)} for name, make in made.items()], arguments)


def _idea(make: Any) -> str:
    """Return the first line of a docstring, with the usual settings in the place of their names."""
    usual = {name: str(one.default) for name, one in signature(make).parameters.items()}

    def filled(quoted: re.Match[str]) -> str:
        return re.sub(r"\w+", lambda word: usual.get(word[0], word[0]), quoted[1])

    return re.sub(r"``(.*?)``", filled, str(make.__doc__).split("\n")[0])


def table(arguments: Namespace) -> int:
    """Print a table of the catalogue, or list them."""
    if arguments.name is None:
        rows = [{"table": name, "columns": ", ".join(TABLES[name][0])} for name in TABLES]
        return _show(rows, arguments)
    rows = words.records(hpt.table(arguments.name).reset_index())
    print(words.as_json(rows) if arguments.json else words.sheet(arguments.name, rows))
    return FINE


def studies(arguments: Namespace) -> int:
    """List the studies of a storage."""
    rows = _rows(arguments.storage)
    if arguments.json:
        return _show(rows, arguments)
    if not rows:
        raise InvalidInput(keep.NO_STUDY.format(printed(arguments.storage)))
    columns = ("name", "task", "strategy", "seed", "rounds", "trials", "best", "ended")
    return _show([{name: row[name] for name in columns} for row in rows], arguments)


def _show(rows: Sequence[Mapping[str, Any]], arguments: Namespace) -> int:
    print(words.as_json(rows) if arguments.json else words.table(rows))
    return FINE


# --- what trains


def tune(arguments: Namespace) -> int:
    """Search a task."""
    source, storage = problems.source(arguments), arguments.storage
    if arguments.name is not None and storage is None:
        raise InvalidInput("--name is of a study in a storage: say --storage FILE too, or leave it out")
    strategy = known.resolve(arguments.strategy)
    if storage is not None and "://" not in storage:
        check_journal(Path(storage))
        _check_above(Path(storage))
    with aside(arguments.quiet) as said:
        task = problems.make(source)
        name = arguments.name or called(task.name, strategy.name, arguments.seed)
        study = hpt.tune(
            task,
            strategy,
            trials=arguments.trials,
            epochs=arguments.epochs,
            seed=arguments.seed,
            progress=_progress(arguments),
            trainer=_trainer(arguments, said),
            **({} if storage is None else {"storage": storage, "name": name, "source": problems.noted(source)}),
        )
    return _ended(study, arguments, name)


def resume(arguments: Namespace) -> int:
    """Go on with a stored study."""
    row = _row(arguments)
    with aside(arguments.quiet) as said:
        task = _task(row, arguments.storage)
        progress, trainer = _progress(arguments), _trainer(arguments, said)
        study = keep.resume(arguments.storage, row["name"], task=task, progress=progress, trainer=trainer)
    return _ended(study, arguments, row["name"])


def _ended(study: hpt.Study, arguments: Namespace, name: str) -> int:
    """Print what a search found, and say where it did not end well."""
    storage = arguments.storage
    if arguments.json:
        where = {} if storage is None else {"storage": printed(storage), "name": name}
        print(words.as_json({**words.facts(study), **where}))
    else:
        ended = replace(study, interrupted=False)  # where it was not, that is said below
        print(repr(ended) if arguments.quiet else words.summary(ended))
    if study.interrupted:
        again = _typed("resume", storage, name) if storage is not None else ""
        kept = f"go on with {again}" if again else "nothing was kept; with --storage FILE a search can go on later"
        return _failed(f"interrupted: {kept}")
    if words.completed(study).empty:
        said = next((str(reason) for reason in study.trials["reason"] if reason), "no reason")
        return _failed(f"none of the {len(study.trials)} trials completed; the first said: {said}")
    if storage is not None and not arguments.quiet:
        print(f"kept in {printed(storage)}: {_typed('report', storage, name)}", file=sys.stderr)
    return FINE


def compare(arguments: Namespace) -> int:
    """Let strategies search the same task, many times."""
    source, names = problems.source(arguments), arguments.strategies
    if len(names) < 2:
        raise InvalidInput(f"a comparison needs two strategies, such as --strategies random,tpe, got {names[0]}")
    if arguments.folds is not None:
        raise InvalidInput("compare splits the rows anew for each repeat: leave --folds out")
    chosen = [known.resolve(name) for name in names]
    with aside(arguments.quiet) as said:
        task = problems.make(source)
        found = hpt.compare(
            task,
            chosen,
            epochs=arguments.epochs or _budget(task, chosen),
            repeats=arguments.repeats,
            seed=arguments.seed,
            progress=_progress(arguments),
            trainer=_trainer(arguments, said),
        )
    ended = replace(found, interrupted=False)  # where it was not, that is said below
    print(words.as_json(words.compared(found)) if arguments.json else words.comparison(ended))
    return _failed("interrupted: this is what there is") if found.interrupted else FINE


def _budget(task: Task, chosen: Sequence[Strategy]) -> int:
    """Return the epochs of `NETWORKS` networks, or of the dearest first bracket where that costs more."""
    length = longest(task, task.space)
    return max(NETWORKS * length, *(epochs_of(one.schedule.plan(length).brackets[0]) for one in chosen))


# --- what reads a storage


def report(arguments: Namespace) -> int:
    """Say what a stored study found."""
    row = _row(arguments)
    if arguments.html is not None:
        _check_new_file(arguments.html, (".html",))
    with aside(quiet=True) as said:
        study, task = _read(row, arguments.storage)
        tested = None
        if arguments.test:
            if words.completed(study).empty:
                return _no_result(row, arguments.storage)
            tested = _tested(study, _there(task), arguments, row["name"], _trainer(arguments, said))
        page = words.Page(row, study, task, tested)
        if arguments.html is not None:
            Path(arguments.html).write_text(page.to_html(pictures.inline(study, tested)), encoding="utf-8")
    print(words.as_json(page.to_dict()) if arguments.json else page.to_text())
    return FINE


def _tested(study: hpt.Study, task: Task, arguments: Namespace, name: str, trainer: Trainer) -> hpt.Report:
    """Open the test rows, if no study of the storage has done so; that is written down before anybody sees them."""
    if before := keep.opened(arguments.storage, name, task):
        raise InvalidInput(f"the test rows were opened on {before}: a second look would make validation data of them")
    tested = hpt.report(task, study, repeats=arguments.repeats, trainer=trainer)
    keep.note_opened(arguments.storage, name)
    return tested


def plot(arguments: Namespace) -> int:
    """Draw a stored study."""
    if arguments.kind not in pictures.KINDS:
        raise unknown("kind", arguments.kind, pictures.KINDS)
    for option, kind in (("axes", "searched"), ("bracket", "curves")):
        if getattr(arguments, option) is not None and arguments.kind != kind:
            raise InvalidInput(f"--{option} is for --kind {kind}: leave it out")
    row = _row(arguments)
    _check_new_file(arguments.out, (".png", ".svg", ".pdf"))
    with aside(quiet=True):
        study, task = _read(row, arguments.storage)
        if words.completed(study).empty:
            return _no_result(row, arguments.storage)
        if arguments.kind == "searched":
            how = {"task": _there(task), "axes": arguments.axes}
        else:
            how = {"bracket": arguments.bracket or 0} if arguments.kind == "curves" else {}
        pictures.save(arguments.out, arguments.kind, study, **how)
    print(arguments.out)
    return FINE


def export(arguments: Namespace) -> int:
    """Write a stored study as CSV, or its winner as a Keras model."""
    row = _row(arguments)
    if arguments.csv is not None:
        check_new(Path(arguments.csv))
        _check_above(Path(arguments.csv))
    else:
        _check_new_file(arguments.keras, (".keras",))
    with aside(quiet=True) as said:
        study, task = _read(row, arguments.storage)
        if arguments.csv is not None:
            to_csv(study, arguments.csv)
        elif words.completed(study).empty:
            return _no_result(row, arguments.storage)
        else:
            task = _there(task)
            trained = _winner(study, task, _trainer(arguments, said))
            trained.model.save(arguments.keras)
            print(_INPUTS + (_OUTPUTS if task.dataset.problem == "regression" else ""), file=sys.stderr)
    print(arguments.csv or arguments.keras)
    return FINE


def _no_result(row: Mapping[str, Any], storage: str) -> int:
    """Say that a search has nothing to show, and what to do."""
    if row["ended"]:
        return _failed(f"no network was trained to the end: {_typed('report', storage, row['name'])} says why")
    return _failed(f"no network has been trained to the end yet: go on with {_typed('resume', storage, row['name'])}")


def _typed(command: str, storage: str, name: str) -> str:
    """Return a command as it is typed, but for a password."""
    return shlex.join(["hpt", command, printed(storage), name])


def _winner(study: hpt.Study, task: Task, trainer: Trainer) -> hpt.Trained:
    """Train the winner of a study again, under its seed."""
    best = study.best_trial
    if len(study.lineage(best)) > 1:
        raise InvalidInput(
            f"trial {best} took over the weights of another one on its way, so it cannot be trained again in one go: "
            "export the study with --csv"
        )
    if study.patience is not None:
        task = replace(task, defaults={**task.defaults, "patience": study.patience})
    return hpt.train(task, study.best, seed=int(study.trials["seed"].iloc[best]), trainer=trainer)


def _rows(storage: str) -> list[dict[str, Any]]:
    return words.records(keep.studies(storage).astype(object))


def _row(arguments: Namespace) -> dict[str, Any]:
    """Return what a storage says of the study that was named, or of its only one."""
    rows = {row["name"]: row for row in _rows(arguments.storage)}
    return rows[keep.chosen(arguments.name, list(rows), arguments.storage)]


def _task(row: Mapping[str, Any], storage: str) -> Task | None:
    """Make the task of a stored study again; None is a ready one, which `hpt.storage` makes."""
    source = row["source"]
    if isinstance(source, dict) and {"csv", "task"} & set(source):
        return problems.make(source)
    if source is None and row["task"] in TASKS:
        return None
    raise InvalidInput(
        f"{row['name']!r} searches {row['task']!r}, a task that was made in Python: go on with it there, "
        f"hpt.resume({printed(storage)!r}, {row['name']!r}, task=…)"
    )


def _read(row: Mapping[str, Any], storage: str) -> tuple[hpt.Study, Task | None]:
    """Read a stored study, and its task: None where it is a ready one with changes that were made in Python."""
    task = _task(row, storage)
    if task is not None:
        return keep.read(storage, row["name"], task=task), task
    with suppress(InvalidInput):
        ready = hpt.task(row["task"])
        return keep.read(storage, row["name"], task=ready), ready
    return keep.read(storage, row["name"]), None


def _there(task: Task | None) -> Task:
    if task is None:
        raise InvalidInput("this needs the task as it was searched, which was made in Python: go on with it there")
    return task


# --- what they share


def _failed(what: str) -> int:
    print(f"hpt: {what}", file=sys.stderr)
    return FAILED


def _progress(arguments: Namespace) -> bool | None:
    """Show a bar where somebody may look at it, unless ``HPT_PROGRESS`` says otherwise."""
    return None if sys.stderr.isatty() and not arguments.quiet else False


def _trainer(arguments: Namespace, said: Aside) -> Trainer:
    """Return the usual trainer, or that of a Ray cluster."""
    if getattr(arguments, "ray_address", None) is None:
        return Beginning(Stack(), said)
    from hpt.training.ray import RayStack

    return Beginning(RayStack(address=arguments.ray_address), said)


def _check_new_file(name: str, endings: Sequence[str]) -> None:
    if Path(name).suffix not in endings:
        raise InvalidInput(f"expected a file that ends in {' or '.join(endings)}, got {name!r}")
    if Path(name).exists():
        raise InvalidInput(f"{name} is there already, and nothing is overwritten: name another file")
    _check_above(Path(name))


def _check_above(path: Path) -> None:
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no folder {str(path.parent)!r} to put {path.name!r} in: make it first")
