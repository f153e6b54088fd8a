"""Recording: a finished study, written to where people look at it later.

A study lives as long as its Python process. Here it is written down four times: as plain files (`to_csv`), as event
files for TensorBoard (`to_tensorboard`), as runs for Weights & Biases that stay on this machine (`to_wandb`), and as a
study in an Optuna storage (`to_storage`), which ``optuna-dashboard`` shows. They do not keep the same things: only
the plain files hold all of it. None of them touches the network, and none overwrites what is there.

Storage knows numbers and text, so a value of a `hpt.Choice` is written as its label (see `hpt.space`). TensorBoard's
table of hyperparameters is described in its tutorial *Hyperparameter tuning with the HParams dashboard*; Optuna's
storages in Akiba et al. (2019).
"""

from __future__ import annotations

import ast
import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hpt.backends import backend, printed, telling
from hpt.errors import InvalidInput, missing
from hpt.pages import versions
from hpt.search import quiet_optuna
from hpt.space import Space
from hpt.study import Study, called

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when wandb is imported, or when its service starts

FRAMES = ("trials", "curves", "rungs")
"""The frames of a study, a file each."""

LOSSES = ("train_loss", "val_loss", "score")
"""What a curve holds for every epoch."""


@dataclass(frozen=True)
class Recording:
    """What `read_csv` gives back.

    Attributes:
        trials: as in `hpt.Study`.
        curves: as in `hpt.Study`.
        rungs: as in `hpt.Study`.
        configurations: of each trial. Python values where the space was given, else labels.
        facts: about the study: its name, task, strategy, seed, objective, direction, costs, patience, whether it was
            interrupted, the fingerprint of its split, the distributions that were searched, and the versions.
    """

    trials: pd.DataFrame
    curves: pd.DataFrame
    rungs: pd.DataFrame
    configurations: tuple[dict[str, Any], ...]
    facts: dict[str, Any]


def to_csv(study: Study, folder: str | Path) -> Path:
    """Write a study as ``trials.csv``, ``curves.csv``, ``rungs.csv`` and ``study.json``.

    Args:
        study: the study.
        folder: is made; must not hold anything yet.

    Returns:
        The folder.

    Raises:
        InvalidInput: for a folder that holds something.
    """
    home, labels = _new(folder), [trial.params for trial in _told(study)]
    frames = {name: getattr(study, name) for name in FRAMES}
    written = frames["trials"].copy()
    for name in _hyperparameters(written):
        if written[name].dtype == object:
            written[name] = [label.get(name) for label in labels]
    for name, frame in {**frames, "trials": written}.items():
        frame.to_csv(home / f"{name}.csv", index=False)
    dtypes = {name: frame.dtypes.astype(str).to_dict() for name, frame in frames.items()}
    held = {"facts": facts(study), "configurations": labels, "dtypes": dtypes}
    (home / "study.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    return home


def read_csv(folder: str | Path, space: Space | None = None) -> Recording:
    """Read what `to_csv` has written: the same values, to the last digit, in the same dtypes.

    Args:
        folder: where it is.
        space: that was searched. With it configurations are Python values again, such as ``(64, 32)``; without it a
            choice stays its label, ``"(64, 32)"``.

    Raises:
        InvalidInput: for a folder without a recording, and where the configurations are not of the space.
        UnknownName: for a hyperparameter or a choice that the space does not have.
    """
    home = Path(folder)
    if not (home / "study.json").is_file():
        raise InvalidInput(f"{home} holds no study.json: name a folder that hpt.recording.to_csv has written")
    held = json.loads((home / "study.json").read_text(encoding="utf-8"))
    frames = {name: _read(home / f"{name}.csv", held["dtypes"][name]) for name in FRAMES}
    configurations = held["configurations"]
    if space is not None:
        configurations = [space.from_labels(labels) for labels in configurations]
        names = _hyperparameters(frames["trials"])
        frames["trials"][names] = pd.DataFrame(configurations, columns=names)
    return Recording(**frames, configurations=tuple(configurations), facts=held["facts"])


def to_tensorboard(study: Study, folder: str | Path) -> Path:
    """Write a study for TensorBoard: a run a trial, and the table of hyperparameters over all of them.

    A run holds ``train_loss``, ``val_loss`` and ``score`` for every epoch; with several folds a curve each, such as
    ``val_loss/fold 0``. The metrics stand apart, such as ``final/accuracy``, at the epoch that counts. In the table a
    trial that was trained to the end is a success, one that diverged or failed a failure, and one that was stopped on
    the way has no status. Look at it with ``tensorboard --logdir FOLDER``.

    TensorBoard holds scalars as single-precision numbers, about seven digits. A `hpt.Study` knows when a trial began
    and ended, not the time of each epoch: all points of a trial bear the time of its end.

    Args:
        study: the study.
        folder: is made; must not hold anything yet.

    Returns:
        The folder.

    Raises:
        InvalidInput: for a folder that holds something.
        MissingExtra: where TensorBoard is not installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise missing("to_tensorboard", "tensorboard", "tensorboard") from error

    def write(run: Path, events: Iterable[Any]) -> None:
        run.mkdir(exist_ok=True)
        with (run / "events.out.tfevents.0").open("wb") as file:
            writer = RecordWriter(file)
            for event in [Event(file_version="brain.Event:2"), *events]:
                writer.write(event.SerializeToString())

    def scalar(name: str, value: float, step: int, when: float) -> Any:
        return Event(wall_time=when, step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))

    def ending(status: str, when: float) -> Any:
        success, failure = api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE
        known = {"complete": success, "diverged": failure, "failed": failure}.get(status, api_pb2.STATUS_UNKNOWN)
        info = plugin_data_pb2.SessionEndInfo(status=known, end_time_secs=when)
        about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
        value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
        return Event(wall_time=when, summary=Summary(value=[value]))

    home, told = _new(folder), _told(study)
    numeric = {name: values for name, one in _distributions(told).items() if (values := _numbers(study, name, one))}

    def domain(name: str, one: Any) -> Any:
        if name in numeric:
            return summary_v2.Discrete(list(numeric[name].values()))
        if hasattr(one, "choices"):
            return summary_v2.Discrete(list(one.choices))
        kind = summary_v2.IntInterval if isinstance(one.low, int) else summary_v2.RealInterval
        return kind(one.low, one.high)

    def events(row: Mapping[str, Any], trial: FrozenTrial) -> Iterator[Any]:
        began, ended = _times(trial)
        chosen = {name: numeric.get(name, {}).get(label, label) for name, label in trial.params.items()}
        yield Event(wall_time=began, summary=summary_v2.hparams_pb(chosen, _run(row["number"]), began))
        for epoch, point in _curve(study, row["number"]):
            for name, value in point.items():
                yield scalar(name, value, epoch, ended)
        for name, value in _metrics(study, row).items():
            yield scalar(f"final/{name}", value, row["best_epoch"], ended)
        yield ending(row["status"], ended)

    found = [summary_v2.HParam(name, domain(name, one)) for name, one in _distributions(told).items()]
    metrics = [summary_v2.Metric(f"final/{name}", display_name=name) for name in _names(study)]
    began = min((_times(trial)[0] for trial in told), default=0.0)
    write(home, [Event(wall_time=began, summary=summary_v2.hparams_config_pb(found, metrics, began))])
    for row, trial in zip(study.trials.to_dict("records"), told, strict=True):
        write(home / _run(row["number"]), events({str(key): value for key, value in row.items()}, trial))
    return home


def to_wandb(study: Study, folder: str | Path, *, project: str = "hpt") -> Path:
    """Write a study for Weights & Biases, offline: a run a trial, all in one group.

    A run's config holds the hyperparameters and what the study was, its history the curves as `to_tensorboard` names
    them, its summary the outcome. Nothing is sent. Who has an account uploads it later:
    ``wandb sync FOLDER/wandb/offline-run-*``. Until then `read_wandb` reads it.

    Args:
        study: the study.
        folder: is made; must not hold anything yet.
        project: to which the runs belong.

    Returns:
        The folder.

    Raises:
        InvalidInput: for a folder that holds something.
        MissingExtra: where wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise missing("to_wandb", "wandb", "wandb") from error
    quiet = wandb.Settings(
        mode="offline",
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        host="",
        symlink=False,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    home, about = _new(folder), facts(study)
    for row, trial in zip(study.trials.to_dict("records"), _told(study), strict=True):
        number = row["number"]
        config = {name: _simple(study.configurations[number][name], label) for name, label in trial.params.items()}
        run = wandb.init(
            dir=home,
            project=project,
            group=about["name"],
            name=_run(number),
            tags=[row["status"]],
            config={**config, "trial": number, "study": about},
            settings=quiet,
            reinit="create_new",
        )
        for epoch, point in _curve(study, number):
            run.log(point, step=epoch)
        kept = ("parent", "best_epoch", "epochs", "seconds", "seed", "status", "reason")
        outcome = {name: row[name] for name in kept if name in row and row[name] == row[name]}
        run.summary.update({**_metrics(study, row), **outcome})
        run.finish(exit_code=0 if row["status"] in ("complete", "pruned") else 1)
    if wandb.run is None:  # whoever has a run of their own keeps the service that writes it
        wandb.teardown()
    return home


def read_wandb(folder: str | Path) -> pd.DataFrame:
    """Read the offline runs of a folder; wandb itself shows them only after an upload.

    Its file is a log as LevelDB writes it: blocks of 32 KiB, in them pieces of messages of wandb's own format.

    Args:
        folder: that `to_wandb` has written, or another one in which wandb wrote offline runs.

    Returns:
        One row a run, in the order of their names: ``name``, ``group``, ``project``, ``tags``, ``config`` and
        ``summary`` (dicts), ``history`` (a list of dicts) and ``exit_code``.

    Raises:
        MissingExtra: where wandb is not installed.
    """
    try:
        from wandb.proto import wandb_internal_pb2
    except ImportError as error:
        raise missing("read_wandb", "wandb", "wandb") from error

    read: Any = wandb_internal_pb2

    def one(path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {"config": {}, "summary": {}, "history": [], "exit_code": None}
        for message in _messages(path.read_bytes()):
            record = read.Record.FromString(message)
            if record.HasField("run"):
                run = record.run
                found |= {"name": run.display_name, "group": run.run_group, "project": run.project}
                found |= {"tags": list(run.tags), "config": found["config"] | _items(run.config.update)}
            found["config"] |= _items(record.config.update)
            found["summary"] |= _items(record.summary.update)
            if record.HasField("history"):
                found["history"].append(_items(record.history.item))
            if record.HasField("exit"):
                found["exit_code"] = record.exit.exit_code
        return found

    runs = [one(path) for path in Path(folder).rglob("run-*.wandb")]
    runs.sort(key=lambda run: str(run["name"]))
    columns = ["name", "group", "project", "tags", "config", "summary", "history", "exit_code"]
    return pd.DataFrame(runs, columns=columns)


def to_storage(study: Study, where: str | Path, *, name: str | None = None) -> str:
    """Copy the Optuna study behind a study into a storage, where it outlives this process.

    Look at it with ``optuna-dashboard FILE``, and load it with ``optuna.load_study``. What a sampler of Optuna's notes
    down for itself stays behind: that of CMA-ES is a pickle, and whoever opens a storage should not have to trust it.

    Args:
        study: the study.
        where: a file for Optuna's journal, which may hold other studies, its folder is made; or the address of a
            database, such as ``"sqlite:///studies.db"``.
        name: of the study there, default its task, strategy and seed.

    Returns:
        The name.

    Raises:
        InvalidInput: if there is a study of this name, or a file that is no journal.
        StorageError: if the storage fails.
    """
    import optuna

    about = facts(study)
    name = about["name"] if name is None else name
    with telling(where), quiet_optuna():
        if "://" not in str(where):
            Path(where).parent.mkdir(parents=True, exist_ok=True)
        try:
            copy = optuna.create_study(storage=backend(where), study_name=name, directions=study.record.directions)
        except optuna.exceptions.DuplicatedStudyError:
            raise InvalidInput(f"{printed(where)} holds a study {name!r} already: give another name=") from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            copy.set_metric_names([study.objective, *study.costs])
        for key, value in about.items():
            copy.set_user_attr(key, value)
        for trial in study.record.get_trials():  # copies
            trial.system_attrs = {}  # a sampler's own notes; that of CMA-ES is a pickle
            copy.add_trial(trial)
    return str(name)


def facts(study: Study) -> dict[str, Any]:
    """Return what there is to know about a study besides its trials, as `Recording.facts` holds it."""
    from optuna.distributions import distribution_to_json

    return {
        "name": called(study.task, study.strategy, study.seed),
        "task": study.task,
        "strategy": study.strategy,
        "seed": study.seed,
        "objective": study.objective,
        "direction": "maximize" if study.greater_is_better else "minimize",
        "costs": list(study.costs),
        "patience": study.patience,
        "interrupted": study.interrupted,
        "fingerprint": study.fingerprint,
        "distributions": {
            name: json.loads(distribution_to_json(one)) for name, one in _distributions(_told(study)).items()
        },
        "versions": versions(),
    }


# --- what the writers share


def _new(folder: str | Path) -> Path:
    """Make a folder, or refuse one that holds something."""
    check_new(home := Path(folder))
    home.mkdir(parents=True, exist_ok=True)
    return home


def check_new(folder: Path) -> None:
    """Refuse a folder that holds something, and a file."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InvalidInput(f"{folder} holds something already, and nothing is overwritten: name another folder")


def _told(study: Study) -> list[FrozenTrial]:
    """Return the record's trial of each row. Threads may have told them in another order; a seed is a trial's own."""
    by_seed: dict[int, list[FrozenTrial]] = {}
    for trial in study.record.get_trials(deepcopy=False):
        by_seed.setdefault(trial.user_attrs.get("seed", -1), []).append(trial)
    return [by_seed[seed].pop(0) for seed in study.trials["seed"].tolist()]


def _distributions(told: list[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return what was searched. A condition is not part of it."""
    return {name: one for trial in told for name, one in trial.distributions.items()}


def _hyperparameters(trials: pd.DataFrame) -> list[str]:
    names = list(trials.columns)
    return [name for name in names[1 : names.index("score")] if name != "parent"]


def _names(study: Study) -> list[str]:
    """Return the metrics, the objective first."""
    names = list(study.trials.columns)
    return names[names.index("score") + 1 : names.index("best_epoch")]


def _metrics(study: Study, row: Mapping[Any, Any]) -> dict[str, float]:
    """Return the metrics of a trial; one that failed has none."""
    return {name: row[name] for name in _names(study) if not math.isnan(row[name])}


def _curve(study: Study, number: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield each epoch of a trial and its losses by name, the folds apart."""
    several = (study.curves["fold"] > 0).any()
    epochs: dict[int, dict[str, float]] = {}
    for point in study.curves[study.curves["trial"] == number].to_dict("records"):
        for name in LOSSES:
            tag = f"{name}/fold {point['fold']}" if several else name
            epochs.setdefault(point["epoch"], {})[tag] = point[name]
    yield from sorted(epochs.items())


def _run(number: int) -> str:
    return f"trial-{number:04}"


def _times(trial: FrozenTrial) -> tuple[float, float]:
    """Return when a trial began and ended, in seconds since 1970."""
    began, ended = trial.datetime_start, trial.datetime_complete
    return (began.timestamp() if began else 0.0), (ended.timestamp() if ended else 0.0)


def _numbers(study: Study, name: str, one: BaseDistribution) -> dict[str, float]:
    """Return the numbers behind the labels of a choice, or nothing where it is not a choice of numbers."""
    tried = [configuration[name] for configuration in study.configurations if name in configuration]
    if not hasattr(one, "choices") or not all(type(value) in (int, float) for value in tried):
        return {}
    try:
        values = {label: ast.literal_eval(label) for label in one.choices}
    except (ValueError, SyntaxError):
        return {}
    whole = all(type(value) in (int, float) for value in values.values())
    return {label: float(value) for label, value in values.items()} if whole else {}


def _simple(value: Any, label: Any) -> Any:
    """Return a value that a page can show as it is, or its label."""
    return value if value is None or isinstance(value, bool | int | float | str) else label


def _read(path: Path, dtypes: dict[str, str]) -> pd.DataFrame:
    """Read a frame. An empty cell is a missing value, but for what says in words how a trial ended."""
    holes = {name: [""] for name in dtypes if name not in ("status", "reason")}
    return pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=holes, engine="python")  # exact floats


def _messages(data: bytes) -> Iterator[bytes]:
    """Yield the messages of a log: each is a piece, or a first, some middle and a last one, 7 bytes before each."""
    block, place, message = 32768, 7, b""
    while place + 7 <= len(data):
        left = block - place % block
        if left < 7:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        message += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):
            yield message
            message = b""


def _items(items: Any) -> dict[str, Any]:
    """Return the pairs of a message of wandb's; a key may be a path."""
    found = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
    return {key: value for key, value in found.items() if not key.startswith("_")}
