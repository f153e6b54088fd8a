"""The stack: a whole rung of networks trained together.

This is a `Trainer` like the Keras loop, and from above it looks the same. Inside, a member is a compact record: its
weights, its optimizer's memory, how many steps it took, how far it came. To advance, the planner cuts the members
into stacks, each stack is padded into one array, the engine trains it, and the records take their numbers back. So
keeping the survivors of a rung is picking records, and a network can go on in another stack than it began in.

What cannot be stacked is trained by the Keras loop; the plan says which and why.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hpt.data import Array, Arrays
from hpt.layers import DENSE
from hpt.metrics import metric
from hpt.seeds import stream
from hpt.training import Member, Progress, failure
from hpt.training.anykeras import KerasBlueprint
from hpt.training.building import built
from hpt.training.dense import TABLE, DenseBlueprint
from hpt.training.engine import Network, Seen, State, Work, traced
from hpt.training.keras_loop import KerasLoop, KerasRun
from hpt.training.planner import Need, Plan, plan
from hpt.training.planner import Stack as Stacked
from hpt.training.reading import NotStackable
from hpt.training.updates import STILL, Rule, coefficients

if TYPE_CHECKING:
    from hpt.tasks import Task

ROOM = 2**26
"""Bytes that the rows and the outputs of one call may take; longer trainings are cut into several calls."""


class Blueprint(Protocol):
    """One member's network as numbers.

    Attributes:
        settings: its completed configuration.
        rule: of its optimizer.
        drops: whether it drops units.
        products: multiply-adds a row of training.
    """

    settings: Any
    rule: Rule
    drops: bool
    products: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers in each layer, inputs first."""

    @property
    def last(self) -> bool:
        """Whether it stands in the second half of its stack."""

    def shapes(self, sizes: Sequence[int]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Return the shapes of weights and moving statistics of a network of these sizes."""

    def structure(self, *, dropout: bool, clip: bool) -> Any:
        """Return what it must share with the others of its stack."""

    def network(self, structure: Any) -> Network:
        """Return the functions of a stack of this structure."""

    def traits(self, members: Any, sizes: Sequence[int]) -> list[Array]:
        """Return what differs between the members of a stack."""

    def initial(self, seed: int) -> tuple[list[Array], list[Array]]:
        """Return the first weights and moving statistics."""

    def model(self, weights: Sequence[Array], stats: Sequence[Array]) -> Any:
        """Return it as a compiled Keras model."""


@dataclass
class Record:
    """One member: what it is, and all that it has become. Lists of arrays follow the blueprint's shapes."""

    member: Member
    blueprint: Blueprint
    progress: Progress = field(default_factory=Progress)
    weights: list[Array] = field(default_factory=list)
    memory: list[Array] = field(default_factory=list)
    squares: list[Array] = field(default_factory=list)
    stats: list[Array] = field(default_factory=list)
    best: tuple[list[Array], list[Array]] | None = None  # weights and statistics, kept only with patience
    lowest: float = np.inf
    waited: int = 0
    step: int = 0
    outputs: Array | None = None  # for the validation rows, at the epoch that counts

    def begin(self) -> None:
        """Draw the first weights."""
        self.weights, self.stats = self.blueprint.initial(self.member.seed)
        self.memory, self.squares = ([np.zeros_like(w) for w in self.weights] for _ in range(2))

    @property
    def patience(self) -> int:
        """Epochs without improvement that end it, 0 for never."""
        return int(self.blueprint.settings["patience"] or 0)


class Stack:
    """Trains all members of a batch together, as far as their structures allow.

    Args:
        threads: how many stacks are trained at the same time, default one a core. The numbers do not depend on it.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1

    def start(self, task: Task, members: Sequence[Member]) -> StackRun:
        """Look at every member once: those that can be stacked become records, the others go to the Keras loop."""
        entries: list[Record | KerasRun | Progress] = []
        alone: dict[int, str] = {}
        for position, member in enumerate(members):
            try:
                entries.append(Record(member, _blueprint(task, member)))
            except NotStackable as reason:
                alone[position] = str(reason)
                entries.append(KerasLoop().start(task, [member]))
            except Exception as error:  # the builder is the user's: whatever it raises is a result
                entries.append(failure(error))
        return StackRun(task, entries, alone, self.threads)


def _blueprint(task: Task, member: Member) -> Blueprint:
    """Describe a member's network by numbers; a user's own dense model is stacked like the package's."""
    if task.build in DENSE:
        return DenseBlueprint(task, member)
    model = built(task, member)
    try:
        return DenseBlueprint(task, member, model)
    except NotStackable:
        return KerasBlueprint(task, member, model)


class StackRun:
    """Members of one task that were started together. See `hpt.training.Run`."""

    def __init__(
        self, task: Task, entries: list[Record | KerasRun | Progress], alone: dict[int, str], threads: int
    ) -> None:
        self._task, self._entries, self._alone, self._threads = task, entries, alone, threads
        records = [entry for entry in entries if isinstance(entry, Record)]
        self._flags = {
            "dropout": any(record.blueprint.drops for record in records),
            "clip": any(np.isfinite(record.blueprint.rule.clip_norm) for record in records),
        }
        self._data = _Data(task, sorted({record.member.fold for record in records})) if records else None
        _one_thread_an_operation()

    @property
    def plan(self) -> Plan:
        """The stacks in which the members would train next."""
        needs = {}
        for position, record in enumerate(self._entries):
            if isinstance(record, Record) and record.progress.status == "complete" and not record.progress.stopped:
                assert self._data is not None
                blueprint, rows = record.blueprint, self._data.count(record.member.fold)
                batch = min(int(blueprint.settings["batch_size"]), rows)
                stacks = not isinstance(blueprint, KerasBlueprint)
                key = blueprint.structure(**self._flags), record.progress.epochs, None if stacks else position
                needs[position] = Need(key, blueprint.sizes, batch, rows, rows * blueprint.products)
        return plan(needs, self._alone)

    def advance(self, epoch: int) -> list[Progress]:
        """Train every kept member until it has seen ``epoch`` epochs; return all progress so far."""
        for entry in self._entries:
            if isinstance(entry, Record) and not entry.weights:
                try:
                    entry.begin()
                except Exception as error:  # an initializer that nobody knows
                    entry.progress = failure(error)
        while stacks := [stack for stack in self.plan.stacks if self._record(stack.members[0]).progress.epochs < epoch]:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(lambda stack: self._train(stack, epoch), stacks))
        for entry in self._entries:
            if isinstance(entry, KerasRun):
                entry.advance(epoch)
        self._measure()
        return [self._progress(entry) for entry in self._entries]

    def keep(self, survivors: Sequence[int]) -> None:
        """Go on with these members, in this order."""
        self._entries = [self._entries[position] for position in survivors]
        self._alone = {new: self._alone[old] for new, old in enumerate(survivors) if old in self._alone}

    def model(self, position: int) -> Any:
        """Return a member as a Keras model with the weights of the epoch that counts, its optimizer as it stands."""
        entry = self._entries[position]
        if isinstance(entry, KerasRun):
            return entry.model(0)
        record = self._record(position)
        weights, stats = record.best or (record.weights, record.stats)
        model = record.blueprint.model(weights, stats)
        if record.best is None:
            _restore_optimizer(model, record)
        return model

    def _record(self, position: int) -> Record:
        entry = self._entries[position]
        if not isinstance(entry, Record):
            raise ValueError(f"member {position} has no network: {self._progress(entry).reason}")
        return entry

    @staticmethod
    def _progress(entry: Record | KerasRun | Progress) -> Progress:
        if isinstance(entry, Progress):
            return entry
        return entry.progress if isinstance(entry, Record) else entry.advance(0)[0]

    def _train(self, stack: Stacked, epoch: int) -> None:
        """Train one stack up to an epoch, or as far as one call may go."""
        began = time.perf_counter()
        records = sorted((self._record(i) for i in stack.members), key=lambda record: record.blueprint.last)
        blueprint, data = records[0].blueprint, self._data
        assert data is not None
        epochs = min(epoch - records[0].progress.epochs, _longest_call(records, data, self._task.shape.outputs))
        network = blueprint.network(blueprint.structure(**self._flags))
        work, steps = _work(records, data, epochs)
        traits = blueprint.traits([record.blueprint for record in records], stack.sizes)
        packing = _Packing(records, stack.sizes)
        state, seen = traced(network, data.y)(packing.pack(), work, traits)
        packing.unpack(state)
        for i, record in enumerate(records):
            record.step += epochs * steps[i]
        self._note(records, seen, data)
        for record in records:
            record.progress.seconds += (time.perf_counter() - began) / len(records)

    def _note(self, records: list[Record], seen: Seen, data: _Data) -> None:
        """Read what a call saw into the curves of its members."""
        scores = self._scores(self._task.objective.name, records, seen.outputs, data)
        for i, record in enumerate(records):
            progress = record.progress
            for e in range(len(seen.train_loss)):
                number, train_loss, val_loss = progress.epochs + 1, seen.train_loss[e, i], seen.val_loss[e, i]
                outputs = seen.outputs[e, i, : data.validation_count(record.member.fold)]
                reason = _diverged(number, train_loss, val_loss, outputs)
                if reason:
                    progress.status, progress.reason, progress.stopped = "diverged", reason, True
                    break
                losses = {"train_loss": float(train_loss), "val_loss": float(val_loss)}
                progress.curve.append({"epoch": number, **losses, "score": float(scores[e, i])})
                if seen.counts[e, i]:
                    progress.best_epoch, record.outputs = number, outputs
                if seen.stopped[e, i]:
                    progress.stopped = True
                    break

    def _scores(self, name: str, records: list[Record], outputs: Array, data: _Data) -> Array:
        """Judge outputs ``(E, M, V, outputs)`` by a metric, in the units of the data; shape ``(E, M)``."""
        found = np.empty(outputs.shape[:2])
        folds = np.array([record.member.fold for record in records])
        for fold in np.unique(folds):
            arrays, chosen = data.arrays[fold], np.flatnonzero(folds == fold)
            own = np.nan_to_num(outputs[:, chosen, : data.validation_count(fold)])
            found[:, chosen] = metric(name).score(arrays.restore(arrays.y_validation), arrays.restore(own))
        return found

    def _measure(self) -> None:
        """Put every metric to the outputs of the epoch that counts."""
        records = [r for r in self._entries if isinstance(r, Record) and r.outputs is not None]
        records = [r for r in records if r.progress.status == "complete"]
        if not records:
            return
        assert self._data is not None
        longest = max(len(record.outputs) for record in records if record.outputs is not None)
        outputs = np.zeros((1, len(records), longest, self._task.shape.outputs), dtype="float32")
        for i, record in enumerate(records):
            assert record.outputs is not None
            outputs[0, i, : len(record.outputs)] = record.outputs
        for name in self._task.metrics:
            for record, value in zip(records, self._scores(name, records, outputs, self._data)[0], strict=True):
                record.progress.metrics[name] = float(value)


def _diverged(epoch: int, train_loss: float, val_loss: float, outputs: Array) -> str:
    if not np.isfinite(train_loss):
        return f"the training loss became {train_loss} in epoch {epoch}"
    if not np.isfinite(val_loss) or not np.isfinite(outputs).all():
        return f"a prediction became NaN or infinite in epoch {epoch}"
    return ""


# --- from records to arrays and back ------------------------------------------------------------------------


class _Data:
    """The rows of all folds, one below the other, and an empty row at the end."""

    def __init__(self, task: Task, folds: Sequence[int]) -> None:
        self.arrays: dict[int, Arrays] = {fold: task.arrays(fold) for fold in folds}
        xs, ys, self.first, place = [], [], {}, 0
        for fold, arrays in self.arrays.items():
            for part, x, y in (("train", arrays.x_train, arrays.y_train),
                               ("validation", arrays.x_validation, arrays.y_validation)):  # fmt: skip
                self.first[fold, part] = place
                xs.append(x.reshape(len(x), -1))
                ys.append(y)
                place += len(x)
        self.empty = place
        self.x = np.concatenate([*xs, np.zeros_like(xs[0][:1])])
        self.y = np.concatenate([*ys, np.zeros_like(ys[0][:1])])
        if task.shape.problem != "multiclass":
            self.y = self.y.astype("float32")

    def count(self, fold: int) -> int:
        return len(self.arrays[fold].x_train)

    def validation_count(self, fold: int) -> int:
        return len(self.arrays[fold].x_validation)


def _work(records: Sequence[Record], data: _Data, epochs: int) -> tuple[Work, list[int]]:
    """Lay out every batch of every member for some epochs. Returns it, and each member's steps an epoch.

    The order of a member's rows, and where its random numbers start, come from its own seed and the number of the
    epoch, so they are the same whoever stands beside it.
    """
    counts = [data.count(record.member.fold) for record in records]
    batches = [min(int(r.blueprint.settings["batch_size"]), n) for r, n in zip(records, counts, strict=True)]
    steps = [-(-n // batch) for n, batch in zip(counts, batches, strict=True)]
    held = [data.validation_count(record.member.fold) for record in records]
    shape = epochs, max(steps), len(records)
    rows = np.full((*shape, max(batches)), data.empty, dtype="int32")
    weights = np.zeros((*shape[1:], max(batches)), dtype="float32")
    shares = np.zeros(shape[1:], dtype="float32")
    table = np.empty((*shape, len(STILL)), dtype="float32")
    table[:] = STILL
    starts = np.zeros(shape, dtype="int32")
    validation = np.full((len(records), max(held)), data.empty, dtype="int32")
    for i, (record, n, batch, own) in enumerate(zip(records, counts, batches, steps, strict=True)):
        fold, order = record.member.fold, np.full(own * batch, data.empty, dtype="int32")
        for e in range(epochs):
            rng = stream(record.member.seed, "order", record.progress.epochs + e + 1)
            order[:n] = data.first[fold, "train"] + rng.permutation(n)
            rows[e, :own, i, :batch] = order.reshape(own, batch)
            if record.blueprint.drops:
                starts[e, :own, i] = rng.integers(TABLE, size=own)
        lengths = np.minimum(batch, n - batch * np.arange(own))
        weights[:own, i, :batch] = (np.arange(batch) < lengths[:, None]) / lengths[:, None]
        shares[:own, i] = lengths / n
        table[:, :own, i] = coefficients(record.blueprint.rule, record.step + 1, epochs * own).reshape(epochs, own, -1)
        validation[i, : held[i]] = data.first[fold, "validation"] + np.arange(held[i])
    work = Work(
        x=data.x,
        y=data.y,
        rows=rows.reshape(-1, *rows.shape[2:]),
        weights=weights,
        shares=shares,
        heights=(weights > 0).sum(axis=2).max(axis=1).astype("int32"),
        table=table.reshape(-1, *table.shape[2:]),
        starts=starts.reshape(-1, starts.shape[2]),
        validation=validation,
        validation_weights=((validation != data.empty) / np.array(held)[:, None]).astype("float32"),
        patience=np.array([record.patience for record in records], dtype="int32"),
        clip=np.array([[record.blueprint.rule.clip_norm] for record in records], dtype="float32"),
    )
    return work, steps


def _longest_call(records: Sequence[Record], data: _Data, outputs: int) -> int:
    """How many epochs one call may take: what fits in `ROOM`, and with patience a stretch of it at a time."""
    rows = max(data.count(r.member.fold) + int(r.blueprint.settings["batch_size"]) for r in records)
    held = max(data.validation_count(r.member.fold) for r in records)
    fits = max(1, ROOM // (4 * len(records) * (rows + held * outputs)))
    patience = [record.patience for record in records if record.patience]
    return min(fits, max(5, *patience)) if patience else fits


class _Packing:
    """Pads records into the arrays of one stack, and cuts them out again."""

    def __init__(self, records: Sequence[Record], sizes: Sequence[int]) -> None:
        self.records = records
        self.weights, self.stats = records[0].blueprint.shapes(sizes)

    def pack(self) -> State:
        records = self.records
        w, m, v = (self._pad([getattr(r, name) for r in records]) for name in ("weights", "memory", "squares"))
        stats = self._pad([record.stats for record in records], stats=True)
        patient = any(record.best for record in records)
        return State(
            w,
            m,
            v,
            stats,
            self._pad([r.best[0] if r.best else r.weights for r in records]) if patient else w,
            self._pad([r.best[1] if r.best else r.stats for r in records], stats=True) if patient else stats,
            np.array([record.lowest for record in records], dtype="float32"),
            np.array([record.waited for record in records], dtype="int32"),
            np.zeros(len(records), dtype=bool),
        )

    def unpack(self, state: State) -> None:
        for i, record in enumerate(self.records):
            record.weights, record.memory, record.squares = (
                self._cut(array[i], record) for array in (state.w, state.m, state.v)
            )
            record.stats = self._cut(state.stats[i], record, stats=True)
            record.lowest, record.waited = float(state.lowest[i]), int(state.waited[i])
            if record.patience:
                record.best = self._cut(state.best_w[i], record), self._cut(state.best_stats[i], record, stats=True)

    def _pad(self, lists: Sequence[list[Array]], *, stats: bool = False) -> Array:
        shapes = self.stats if stats else self.weights
        padded = [np.zeros((len(lists), *shape), dtype="float32") for shape in shapes]
        for i, arrays in enumerate(lists):
            for whole, array in zip(padded, arrays, strict=True):
                whole[i][tuple(map(slice, array.shape))] = array
        flat = [whole.reshape(len(lists), -1) for whole in padded]
        return np.concatenate(flat, axis=1) if flat else np.zeros((len(lists), 0), dtype="float32")

    def _cut(self, row: Array, record: Record, *, stats: bool = False) -> list[Array]:
        shapes, own = (self.stats, record.stats) if stats else (self.weights, record.weights)
        found, place = [], 0
        for shape, array in zip(shapes, own, strict=True):
            size = math.prod(shape)
            whole = row[place : place + size].reshape(shape)
            found.append(whole[tuple(map(slice, array.shape))].copy())
            place += size
        return found


def _restore_optimizer(model: Any, record: Record) -> None:
    """Give a Keras optimizer the memory of a record, so that training can go on in Keras."""
    optimizer, name = model.optimizer, record.blueprint.rule.name
    optimizer.build(model.trainable_variables)
    optimizer.iterations.assign(record.step)
    slots = {
        "sgd": [("momentums", -1.0, record.memory)],
        "rmsprop": [("_velocities", 1.0, record.squares)],
        "adam": [("_momentums", 1.0, record.memory), ("_velocities", 1.0, record.squares)],
    }
    for slot, sign, arrays in slots[name]:
        for variable, array in zip(getattr(optimizer, slot, []), arrays, strict=False):
            variable.assign(sign * array.reshape(variable.shape))


@lru_cache(maxsize=1)
def _one_thread_an_operation() -> None:
    """Let TensorFlow use one core an operation: two stacks at a time on two cores are faster than one on both.

    It can only be said before TensorFlow starts; where it has, things stay as they are.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:
        return
