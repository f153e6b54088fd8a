"""Records: what a member has become, and how records turn into the arrays of a stack and back.

A member between two calls is a compact record. For a call its numbers are padded into one array with those of the
others (`Packing`), and every batch of every member is laid out beforehand (`work_of`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.data import Array, Arrays
from hpt.errors import InvalidInput
from hpt.seeds import stream
from hpt.training import Member, Progress, inherited
from hpt.training.blueprints import Blueprint
from hpt.training.engine import State, Work
from hpt.training.noise import TABLE
from hpt.training.updates import STILL, coefficients

if TYPE_CHECKING:
    from hpt.tasks import Task


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

    def heir(self, member: Member, blueprint: Blueprint) -> Record:
        """Return a record that goes on from here as another member. Arrays are replaced, never changed: both hold them.

        Raises:
            InvalidInput: if its layers are others.
        """
        if blueprint.shapes(blueprint.sizes) != self.blueprint.shapes(self.blueprint.sizes):
            raise InvalidInput(
                f"an heir goes on with its parent's weights, so its layers must be the same: got sizes "
                f"{blueprint.sizes}, expected {self.blueprint.sizes}"
            )
        return replace(self, member=member, blueprint=blueprint, progress=inherited(self.progress), waited=0)

    def state(self) -> dict[str, Any]:
        """Return all that it has become, as plain values and lists of arrays; `restore` is the way back.

        The outputs are left out: the metrics of the epoch that counts are in the progress already.
        """
        best = {} if self.best is None else {"best_weights": self.best[0], "best_stats": self.best[1]}
        arrays = {name: getattr(self, name) for name in ("weights", "memory", "squares", "stats")} | best
        numbers = {name: getattr(self, name) for name in ("lowest", "waited", "step")}
        return {"progress": asdict(self.progress), **numbers, "arrays": arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave."""
        arrays = dict(state["arrays"])
        self.best = (arrays.pop("best_weights"), arrays.pop("best_stats")) if "best_weights" in arrays else None
        self.progress = Progress(**state["progress"])
        for name, value in {**arrays, **{name: state[name] for name in ("lowest", "waited", "step")}}.items():
            setattr(self, name, value)

    @property
    def patience(self) -> int:
        """Epochs without improvement that end it, 0 for never."""
        return int(self.blueprint.settings["patience"] or 0)


class Data:
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

    @cached_property
    def tensors(self) -> tuple[Any, Any]:
        """All rows as TensorFlow holds them; made once, not at every call."""
        import tensorflow as tf

        return tf.constant(self.x), tf.constant(self.y)

    def count(self, fold: int) -> int:
        """Return how many rows of a fold train."""
        return len(self.arrays[fold].x_train)

    def validation_count(self, fold: int) -> int:
        """Return how many rows of a fold validate."""
        return len(self.arrays[fold].x_validation)


def work_of(records: Sequence[Record], data: Data, epochs: int) -> tuple[Work, list[int]]:
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
        x=data.tensors[0],
        y=data.tensors[1],
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


class Packing:
    """Pads records into the arrays of one stack, and cuts them out again."""

    def __init__(self, records: Sequence[Record], sizes: Sequence[int]) -> None:
        self.records = records
        self.weights, self.stats = records[0].blueprint.shapes(sizes)

    def pack(self) -> State:
        """Return the numbers of all records, padded."""
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
        """Give every record its numbers back, cut to its own size."""
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


def restore_optimizer(model: Any, record: Record) -> None:
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
