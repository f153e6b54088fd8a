"""Keeping: what of a study is written down while it runs, so that it outlives its process.

A study follows from its task, its strategy, its budget and its seed: all that is random has an address (`hpt.seeds`).
The only thing dear about it is the training. So what is kept is what training gave, round by round. To go on after a
crash is to search again from the start, and to read the rounds that are kept instead of training them (`Keeper`).
The strategy sees the same scores, so it asks for the same trials, and the search arrives where it stopped: nothing
that was finished is trained again, and the end is the same to the last bit.

Between the rungs of a bracket networks are on their way. Their weights, and what their optimizers remember, go to a
file after each rung; the file before it goes then.

Three things are on disk. In an Optuna storage, a file or a database: the rounds, and every finished trial, for
Optuna's own tools to look at. In a folder beside it: the weights of networks on their way, and locks, which the
operating system opens when a process dies. Each round is written in one piece. Numbers, text and arrays of numbers
are all there is; nothing is pickled.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import numpy as np
from filelock import FileLock, Timeout

from hpt.backends import PATIENCE, backend, beside, locks, printed, slug, telling
from hpt.data import checksum
from hpt.domains import Choice
from hpt.errors import InvalidInput, StorageError
from hpt.samplers.basic import Listed
from hpt.search import Search, quiet_optuna
from hpt.space import Space
from hpt.strategies import PARTS, Strategy
from hpt.tasks import Task
from hpt.training import Member, Progress, Run, Trainer, inherited

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

FORMAT = 1
"""Of what is written here; a reader of another one refuses."""
ROUND = "hpt:round:"
"""Under this, and its number, a storage keeps each round."""


class Savable(Run, Protocol):
    """Members that can be put to disk and go on from there."""

    def state(self) -> list[dict[str, Any]]:
        """Return all that each member has become: plain values by name, and under ``arrays`` lists of arrays."""

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over what `state` gave; the members must be the same, untrained."""


# --- what a study is


def identity(task: Task, strategy: Strategy, **settings: Any) -> dict[str, Any]:
    """Return all that a study follows from, as plain values: who opens it again must bring the same.

    Args:
        task: the problem.
        strategy: what is tried, and how long it is trained.
        settings: seed, budgets and what else `hpt.tune` was given.
    """
    import hpt

    rows = [(len(fold.train), len(fold.validation), checksum(fold.train, fold.validation)) for fold in task.split.folds]
    return {
        "version": hpt.__version__,
        "task": task.name,
        "data": task.split.fingerprint,
        "folds": [list(row) for row in rows],
        "network": _named(task.build),
        "space": spelled(task.space),
        "metrics": list(task.metrics),
        "costs": list(task.costs),
        "length": task.epochs,
        "defaults": {name: _plain(value) for name, value in task.defaults.items()},
        "scaler": repr(task.scaler()) if task.scaler else None,
        "scale_target": task.scale_target,
        "limits": asdict(task.limits),
        "strategy": written(strategy, task.space),
        **settings,
    }


def spelled(space: Space) -> list[list[str]]:
    """Return names and domains of a space, in its order, as texts that are the same in every process."""

    def label(name: str, value: Any) -> str:
        above = space[name]
        return above.label(value) if isinstance(above, Choice) else repr(value)

    said = []
    for name, domain in space.items():
        text = f"Choice({', '.join(domain.labels)})" if isinstance(domain, Choice) else repr(domain).split(".when")[0]
        for parent, values in domain.condition:
            text += f" when {parent} is {' or '.join(label(parent, value) for value in values)}"
        said.append([name, text])
    return said


def written(strategy: Strategy, space: Space) -> dict[str, Any]:
    """Return a strategy as plain values; `made` is the way back."""

    def part(one: Any) -> list[Any]:
        if isinstance(one, Listed):
            return ["Listed", {"configurations": [space.labels(each) for each in one.configurations]}]
        kind = type(one).__name__
        if PARTS.get(kind) is not type(one):  # somebody's own
            return [_named(type(one)), repr(one) if is_dataclass(one) else None]
        return [kind, {field.name: getattr(one, field.name) for field in fields(one)}]

    return {"name": strategy.name, "sampler": part(strategy.sampler), "schedule": part(strategy.schedule)}


def made(found: Mapping[str, Any], space: Space) -> Strategy:
    """Make a strategy of what `written` gave.

    Raises:
        InvalidInput: for a sampler or a schedule that is not of this package.
    """

    def part(kind: str, settings: Any) -> Any:
        if kind not in PARTS:
            raise InvalidInput(f"{kind} is not a part of hpt, so it cannot be made again: give strategy=")
        if kind == "Listed":
            return Listed([space.from_labels(labels) for labels in settings["configurations"]])
        return PARTS[kind](**settings)

    return Strategy(found["name"], part(*found["sampler"]), part(*found["schedule"]))


def check_names(name: Any, source: Any) -> None:
    """Refuse a name that is no text, and a source that a storage cannot hold."""
    if name is not None and not (isinstance(name, str) and name):
        raise InvalidInput(f"the name of a study is a text, got {name!r}")
    try:
        json.dumps(source)
    except (TypeError, ValueError):
        raise InvalidInput(f"source= must be of dicts, lists, texts and numbers, got {source!r}") from None


def _plain(value: Any) -> Any:
    """A value where JSON knows it, else a name for it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return _named(value)


def _named(value: Any) -> str:
    """The name of a function or a class, or else that of a value's class: the same in every process."""
    one = value if hasattr(value, "__qualname__") else type(value)
    return f"{one.__module__}.{one.__qualname__}"


def _number(value: Any) -> Any:
    """A number of NumPy's as JSON knows it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not plain")


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say in a line what a study was begun with, and with what it is opened now; nothing where they are the same."""
    named = {"version": "hpt", "length": "networks trained for", "strategy": "the strategy"}
    for key in [*old, *(key for key in new if key not in old)]:
        was: Any = old.get(key)
        now: Any = new.get(key)
        if was == now or key == "at_once":  # that of the trainer then; it holds
            continue
        if key in ("data", "folds"):
            return "on other rows: the data, or their split, have changed"
        if key == "space":
            was, now = dict(was), dict(now)
            if was == now:
                return f"with the space in the order {', '.join(was)}, now it is {', '.join(now)}"
        if key == "strategy":
            was, now = (f"{one['name']} {one['sampler']} {one['schedule']}" for one in (was, now))
        elif isinstance(was, dict) and isinstance(now, dict):
            inner = next(name for name in [*was, *now] if was.get(name) != now.get(name))
            return f"with {key} {inner}: {was.get(inner, 'nothing')}, now it is {now.get(inner, 'nothing')}"
        if key in ("trials", "epochs"):
            was, now = (f"no {key}=" if one is None else f"{key}={one}" for one in (was, now))
            return f"with {was}, now it is {now}"
        return f"with {named.get(key, key)} {was}, now it is {now}"
    return ""


# --- the record


class Kept:
    """A study in a storage, open for one process; a context manager.

    Args:
        where: the storage, see `hpt.backends.backend`.
        name: of the study.
        facts: what it follows from, see `identity`.
        notes: what else to write down where the study is new, for people and for `hpt.resume`.
        directions: of the objectives, whether greater is better.
        writes: whether to go on with it. Else it is only read: nothing is locked and nothing written.

    Attributes:
        facts: what it was begun with.
        rounds: what is kept, see `Keeper`.
        ended: whether the search had come to its end before.

    Raises:
        InvalidInput: for a study of this name that was begun with other facts, or by a newer package.
        StorageError: if the storage fails, or another process has the study open.
    """

    def __init__(
        self,
        where: str | Path,
        name: str,
        facts: Mapping[str, Any],
        notes: Mapping[str, Any],
        directions: Sequence[bool],
        *,
        writes: bool = True,
    ) -> None:
        self.where, self.name, self.writes = printed(where), name, writes
        self.folder = beside(where)
        self.slug, self._told = slug(name), 0
        facts, notes = (dict(json.loads(json.dumps(one, default=_number))) for one in (facts, notes))
        self.storage = backend(where, writes=writes)
        self.locks = locks(where, self.slug)
        with telling(where), quiet_optuna():
            if writes:
                self._take()
            try:
                self.id, self.facts = self._find(facts, notes, directions)
                attributes = self.storage.get_study_system_attrs(self.id)
                self._there = self.storage.get_all_trials(self.id, deepcopy=False)
                self.ended = bool(attributes.get("hpt:ended"))
                keys = sorted(key for key in attributes if key.startswith(ROUND))
                self.rounds: list[list[dict[str, Any]]] = [attributes[key] for key in keys]
            except BaseException:
                self._close()
                raise

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self.writes:
            with suppress(OSError):
                self._owner.unlink(missing_ok=True)
            for lock in reversed(self.locks):
                lock.release()

    @property
    def _owner(self) -> Path:
        """Says which process has the study open."""
        return self.folder / f"{self.slug}.process"

    def _take(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        here, *server = self.locks
        try:
            here.acquire(timeout=0)
        except Timeout:
            raise self._refusal(f", in process {self._owner.read_text()}" if self._owner.is_file() else "") from None
        try:
            for lock in server:
                lock.acquire(timeout=0)
        except BaseException as error:
            for lock in self.locks:
                lock.release()
            if isinstance(error, Timeout):
                raise self._refusal(", by another user or on another machine") from None
            raise
        with suppress(OSError):  # of a full disk we shall hear
            self._owner.write_text(str(os.getpid()))

    def _refusal(self, where: str) -> StorageError:
        return StorageError(
            f"{self.name!r} in {self.where} is open already{where}: wait until it ends, or give another name="
        )

    def _check_locks(self) -> None:
        """Take a lock of the server again whose connection is lost: unless somebody has gone on with the study."""
        for lock in self.locks:
            if isinstance(lock, FileLock) or lock.held():
                continue
            lost = f"the connection to {self.where} was lost, and"
            try:
                lock.acquire(timeout=PATIENCE)
            except Timeout:
                raise StorageError(f"{lost} {self.name!r} is locked now: resume it when it is free") from None
            kept = self.storage.get_study_system_attrs(self.id)
            if sum(key.startswith(ROUND) for key in kept) != len(self.rounds):
                raise StorageError(
                    f"{lost} another process went on with {self.name!r}: resume it when that one has ended"
                )

    def _find(
        self, facts: dict[str, Any], notes: Mapping[str, Any], directions: Sequence[bool]
    ) -> tuple[int, dict[str, Any]]:
        from optuna.study import StudyDirection

        ways = [StudyDirection.MAXIMIZE if up else StudyDirection.MINIMIZE for up in directions]
        try:
            found = self.storage.get_study_id_from_name(self.name)
        except KeyError:
            if not self.writes:
                raise InvalidInput(f"{self.where} holds no study {self.name!r}") from None
            found = self.storage.create_new_study(ways, self.name)
        kept = facts_of(self.storage, found, self.where, self.name)
        if kept is not None:
            reads = not self.writes or self.storage.get_study_system_attrs(found).get("hpt:ended")
            if differs := _difference(kept, {**facts, "version": kept["version"]} if reads else facts):
                more = " and seed= for more trials" if "trials=" in differs or "epochs=" in differs else ""
                raise InvalidInput(
                    f"{self.name!r} in {self.where} was begun {differs}; open it as it was, or give another name={more}"
                )
            return found, kept
        own = not set(self.storage.get_study_user_attrs(found)) - set(notes)
        if self.storage.get_all_trials(found) or self.storage.get_study_directions(found) != ways or not own:
            raise InvalidInput(f"{self.name!r} in {self.where} was not begun by hpt.tune: give another name=")
        for key, value in notes.items():
            self.storage.set_study_user_attr(found, key, value)
        self.storage.set_study_system_attr(found, "study:metric_names", [facts["metrics"][0], *facts["costs"]])
        self.storage.set_study_system_attr(found, "hpt:facts", {"format": FORMAT, **facts})
        return found, facts

    def add(self, results: list[dict[str, Any]], states: Sequence[Mapping[str, Any]] | None) -> None:
        """Write down a round; before it, where networks are on their way, what they have become."""
        number = len(self.rounds)
        with telling(self.where):
            self._check_locks()
            if states is not None:
                _save(self._weights(number), states)
            self.storage.set_study_system_attr(self.id, f"{ROUND}{number:06d}", results)
            self.rounds.append(results)
            for path in self.folder.glob(f"{self.slug}-*.npz"):
                if path != self._weights(number):
                    path.unlink()

    def states(self) -> list[dict[str, Any]]:
        """Return what the networks of the last round have become.

        Raises:
            StorageError: if the file is gone.
        """
        path = self._weights(len(self.rounds) - 1)
        try:
            return _load(path)
        except FileNotFoundError:
            said = "is gone"
        except Exception as error:  # whatever a damaged file makes of a reader
            said = f"is damaged ({type(error).__name__})"
        raise StorageError(f"{path}, the weights of the networks on their way, {said}: put it back, or begin anew")

    def _weights(self, number: int) -> Path:
        return self.folder / f"{self.slug}-{number:06d}.npz"

    def tell(self, search: Search) -> None:
        """Put the trials that have ended on the record, in the order of their ends; those that are there stay.

        Raises:
            StorageError: if the record holds other trials than the search makes.
        """
        known = search.record.get_trials(deepcopy=False)
        for number in list(search.rows)[self._told :]:
            trial = known[number]
            if self._told < len(self._there):
                if self._there[self._told].params != trial.params:
                    raise StorageError(
                        f"trial {number} of {self.name!r} in {self.where} is not the one that the search makes: "
                        "was it begun with another version of a library? Give another name="
                    )
            elif self.writes:
                copy = deepcopy(trial)
                copy.system_attrs = {}  # a sampler's own notes; that of CMA-ES is a pickle
                copy.user_attrs["trial"] = number
                with telling(self.where):
                    self._check_locks()
                    self.storage.create_new_trial(self.id, template_trial=copy)
            self._told += 1

    def end(self, search: Search) -> None:
        """Write down that the search has come to its end."""
        self.tell(search)
        if self.writes:
            with telling(self.where):
                self._check_locks()
                if not self.ended:
                    self.storage.set_study_system_attr(self.id, "hpt:ended", True)
                for path in self.folder.glob(f"{self.slug}-*.npz"):
                    path.unlink()


def facts_of(storage: BaseStorage, found: int, where: str | Path, name: str) -> dict[str, Any] | None:
    """Return what a study follows from, or None where `hpt.tune` has not begun it.

    Raises:
        InvalidInput: for a study that a newer package has written.
    """
    facts: dict[str, Any] | None = storage.get_study_system_attrs(found).get("hpt:facts")
    if facts is None:
        return None
    if facts["format"] > FORMAT:
        raise InvalidInput(
            f"{name!r} in {where} was written by hpt {facts['version']}, in a newer format: update hpt to read it"
        )
    return {key: value for key, value in facts.items() if key != "format"}


def _save(path: Path, states: Sequence[Mapping[str, Any]]) -> None:
    """Write states in one piece: a file that is there is whole."""
    arrays = {
        f"{i}/{name}/{j}": array
        for i, state in enumerate(states)
        for name, held in state["arrays"].items()
        for j, array in enumerate(held)
    }
    rest = [
        {**{key: value for key, value in state.items() if key != "arrays"},
         "lengths": {name: len(held) for name, held in state["arrays"].items()}}
        for state in states
    ]  # fmt: skip
    half = path.with_suffix(".half")
    with half.open("wb") as file:
        np.savez(file, allow_pickle=False, states=np.array(json.dumps(rest)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _load(path: Path) -> list[dict[str, Any]]:
    with np.load(path, allow_pickle=False) as held:
        states: list[dict[str, Any]] = json.loads(str(held["states"]))
        for i, state in enumerate(states):
            lengths = state.pop("lengths")
            state["arrays"] = {name: [held[f"{i}/{name}/{j}"] for j in range(n)] for name, n in lengths.items()}
    return states


# --- the trainer that keeps


class Keeper:
    """A trainer that trains a round only if it is not kept, and keeps it then.

    Args:
        trainer: does the work.
        kept: where to.
        paused: whether networks go on after a round, so that their weights are kept too.
    """

    def __init__(self, trainer: Trainer, kept: Kept, *, paused: bool) -> None:
        self.trainer, self.kept, self.paused = trainer, kept, paused
        self.rounds = 0

    def together(self, task: Task) -> int:
        """Return how many members are worth starting at once."""
        return self.trainer.together(task)

    def start(self, task: Task, members: Sequence[Member]) -> KeptRun:
        """Note the members; they are built where they must be trained.

        Raises:
            InvalidInput: where networks go on after a round, and the trainer cannot put them to disk.
        """
        run = KeptRun(self, task, members)
        if self.rounds == len(self.kept.rounds) and self.paused and not hasattr(run.started(), "state"):
            raise InvalidInput(
                "this trainer cannot keep networks on their way: its runs lack state and restore, see "
                "hpt.keeping.Savable"
            )
        return run

    def advance(self, waiting: Sequence[tuple[Any, int]]) -> None:
        """Read the next round, or train and keep it.

        Raises:
            StorageError: if a round is kept that is another one.
        """
        if self.rounds < len(self.kept.rounds):
            kept = self.kept.rounds[self.rounds]
            asked = [(run.members, epoch) for run, epoch in waiting]
            if asked != [(one["members"], one["epoch"]) for one in kept]:
                raise StorageError(
                    f"round {self.rounds} of {self.kept.name!r} in {self.kept.where} trained other networks than the "
                    "search asks for: was it begun with another version of a library? Give another name="
                )
            for (run, _), one in zip(waiting, kept, strict=True):
                run.progress = [Progress(**each) for each in one["progress"]]
            self.rounds += 1
            return
        started = [(run.started(), epoch) for run, epoch in waiting]
        self.trainer.advance(started)
        results = [
            {
                "members": run.members,
                "epoch": epoch,
                "progress": json.loads(json.dumps(list(map(asdict, run.inner.progress)))),
            }
            for run, epoch in waiting
        ]
        self.kept.add(results, [state for run, _ in started for state in run.state()] if self.paused else None)
        self.rounds += 1
        for (run, _), one in zip(waiting, results, strict=True):
            run.progress = [Progress(**each) for each in one["progress"]]


class Paused(Exception):
    """The kept rounds are at their end, and nobody trains."""


class Nobody:
    """A trainer that trains nothing: with it `hpt.tune` reads a kept study as far as it came."""

    def together(self, task: Task) -> int:
        """Return 1."""
        return 1

    def start(self, task: Task, members: Sequence[Member]) -> Run:
        """Raise `Paused`."""
        raise Paused

    def advance(self, waiting: Sequence[tuple[Run, int]]) -> None:
        """Raise `Paused`."""
        raise Paused


class KeptRun:
    """Members that may have been trained by an earlier process. See `hpt.training.Run`."""

    def __init__(self, keeper: Keeper, task: Task, members: Sequence[Member]) -> None:
        self._keeper, self._task, self._members = keeper, task, list(members)
        self.progress = [Progress() for _ in members]
        self.inner: Any = None
        self._began = keeper.rounds

    @property
    def members(self) -> list[list[int]]:
        """Which ones they are: the seed of each, and a checksum of its configuration."""
        labels = [self._task.space.labels(member.configuration) for member in self._members]
        sums = [crc32(json.dumps(one, default=_number).encode()) for one in labels]
        return [[member.seed, found] for member, found in zip(self._members, sums, strict=True)]

    def started(self) -> Any:
        """Return the members as the trainer's own run, where they stood when the last kept round ended."""
        if self.inner is None:
            self.inner = self._keeper.trainer.start(self._task, self._members)
            if self._keeper.rounds > self._began:
                self.inner.restore(self._keeper.kept.states())
        return self.inner

    def keep(self, survivors: Sequence[int], heirs: Mapping[int, Member] | None = None) -> None:
        """Go on with these members; see `hpt.training.Run`."""
        heirs = heirs or {}
        if self._keeper.rounds == len(self._keeper.kept.rounds):
            self.started().keep(survivors, heirs)
        self._members = [heirs.get(new, self._members[old]) for new, old in enumerate(survivors)]
        self.progress = [
            inherited(self.progress[old]) if new in heirs else self.progress[old] for new, old in enumerate(survivors)
        ]

    def advance(self, epoch: int) -> list[Progress]:
        """Train the members as a round of their own."""
        self._keeper.advance([(self, epoch)])
        return self.progress

    def model(self, position: int) -> Any:
        """Return a member as a Keras model."""
        return self.started().model(position)

    def outputs(self, position: int, x: Any) -> Any:
        """Return a member's answers for scaled inputs."""
        return self.started().outputs(position, x)


# --- Ctrl-C


class Hold:
    """A trainer that lets Ctrl-C through while networks train; around it Ctrl-C is held back. A context manager.

    So a result is never put away half. `heard` lets it through between two rounds; a second Ctrl-C is not held back.
    Outside Python's main thread, and where somebody else handles the signal, nothing is held.

    Args:
        trainer: does the work.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._pressed = self._training = False
        self._before: Any = None

    def __enter__(self) -> Hold:
        here = current_thread() is main_thread()
        if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, *_: object) -> None:
        if self._training or self._pressed:
            raise KeyboardInterrupt
        self._pressed = True

    def together(self, task: Task) -> int:
        """Return how many members are worth starting at once."""
        return self.trainer.together(task)

    def start(self, task: Task, members: Sequence[Member]) -> Run:
        """Build the members, untrained."""
        with self._open():
            return self.trainer.start(task, members)

    def advance(self, waiting: Sequence[tuple[Run, int]]) -> None:
        """Train the members of each run until they have seen its number of epochs."""
        with self._open():
            self.trainer.advance(waiting)

    def heard(self) -> None:
        """Let a Ctrl-C through that was held back."""
        if self._pressed:
            self._pressed = False
            raise KeyboardInterrupt

    @contextmanager
    def _open(self) -> Iterator[None]:
        self.heard()
        self._training = True
        try:
            yield
        finally:
            self._training = False
