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
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.data import Array
from hpt.errors import InvalidInput
from hpt.layers import DENSE
from hpt.metrics import Metric, metric
from hpt.training import Member, Progress, failure
from hpt.training.anykeras import KerasBlueprint
from hpt.training.blueprints import Blueprint, DenseBlueprint
from hpt.training.building import lent
from hpt.training.engine import Seen, traced
from hpt.training.keras_loop import KerasLoop, KerasRun
from hpt.training.planner import Need, Plan, PlannedStack, plan
from hpt.training.reading import NotStackable
from hpt.training.records import Data, Packing, Record, restore_optimizer, work_of

if TYPE_CHECKING:
    from hpt.tasks import Task

ROOM = 2**26
"""Bytes that the rows and the outputs of one call may take; longer trainings are cut into several calls."""


STRETCH = 5
"""Epochs of a call after which somebody may stop: early stopping, or a limit of time."""


class Stack:
    """Trains all members of a batch together, as far as their structures allow.

    Args:
        threads: how many stacks are trained at the same time, default one a core. The numbers do not depend on it.

    The first `Stack` of a process also tells TensorFlow to use one thread an operation, where TensorFlow has not
    started yet: two stacks on two cores are faster than one on both. That holds for the whole process.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1
        self._scaled: tuple[Task, Data] | None = None

    def data(self, task: Task) -> Data:
        """Return the rows of a task; those of the last task are kept, for its next round needs them again."""
        if self._scaled is None or self._scaled[0] is not task:
            self._scaled = task, Data(task, range(len(task.split.folds)))
        return self._scaled[1]

    def start(self, task: Task, members: Sequence[Member]) -> StackRun:
        """Look at every member once: those that can be stacked become records, the others go to the Keras loop."""
        threads_an_operation()
        entries: list[Record | KerasRun | Progress] = []
        alone: dict[int, str] = {}
        for position, member in enumerate(members):
            try:
                blueprint = _blueprint(task, member)
                why = task.limits.too_large(sum(map(math.prod, blueprint.shapes(blueprint.sizes)[0])))
                entries.append(Progress("failed", why, stopped=True) if why else Record(member, blueprint))
            except NotStackable as reason:
                alone[position] = str(reason)
                entries.append(Progress())  # its place
            except Exception as error:  # the builder is the user's: whatever it raises is a result
                entries.append(failure(error))
        run = StackRun(task, entries, alone, self)
        run.leave({position: members[position] for position in alone})
        return run

    def advance(self, waiting: Sequence[tuple[Any, int]]) -> None:
        """Train the members of all runs as one heap, each until its run's epoch."""
        if waiting:
            StackRun.advance_all([run for run, _ in waiting], [epoch for _, epoch in waiting])

    def together(self, task: Task) -> int:
        """Return how many members are worth starting at once: many dense ones, few of a builder that is not known."""
        return 64 if task.build in DENSE else 8

    def train(self, jobs: Sequence[Job], data: Data) -> list[Exception | None]:
        """Train stacks side by side; return what each of them raised."""
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                return list(pool.map(lambda job: self.attempt(job, data), jobs))
            except BaseException:  # Ctrl-C, also while jobs are being handed out
                pool.shutdown(cancel_futures=True)
                raise

    def attempt(self, job: Job, data: Data) -> Exception | None:
        """Train one stack; return what it raised."""
        try:
            job.train(data)
        except Exception as error:  # a loss or an activation that Keras does not know shows only now
            return error
        return None


@dataclass
class Job:
    """A stack to train, with all that this takes besides the rows; it could be done in another process.

    Attributes:
        records: of the members, those in the second half of their stack last. Training changes them.
        sizes: numbers in each layer, of the widest member.
        structure: what the members share.
        epochs: how many to train.
        objective: what their curves are scored by.
    """

    records: list[Record]
    sizes: tuple[int, ...]
    structure: Any
    epochs: int
    objective: Metric

    def train(self, data: Data) -> None:
        """Train the stack, and let the records say what has become of them."""
        began = time.perf_counter()
        records, blueprint = self.records, self.records[0].blueprint
        network = blueprint.network(self.structure)
        work, steps = work_of(records, data, self.epochs)
        traits = blueprint.traits([record.blueprint for record in records], self.sizes)
        packing = Packing(records, self.sizes)
        state, seen = traced(network, data.y)(packing.pack(), work, traits)
        packing.unpack(state)
        for i, record in enumerate(records):
            record.step += self.epochs * steps[i]
        self._note(seen, data)
        for record in records:
            record.progress.seconds += (time.perf_counter() - began) / len(records)

    def _note(self, seen: Seen, data: Data) -> None:
        """Read what a call saw into the curves of the members."""
        scores = _scores(self.objective, self.records, seen.outputs, data)
        for i, record in enumerate(self.records):
            progress, best = record.progress, None
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
                    progress.best_epoch, best = number, outputs
                if seen.stopped[e, i]:
                    progress.stopped = True
                    break
            if best is not None:
                record.outputs = best.copy()  # a view would keep the outputs of the whole call


def _blueprint(task: Task, member: Member) -> Blueprint:
    """Describe a member's network by numbers; a user's own dense model is stacked like the package's."""
    if task.build in DENSE:
        return DenseBlueprint(task, member)
    with lent(task, member) as model:
        try:
            return DenseBlueprint(task, member, model)
        except NotStackable:
            return KerasBlueprint(task, member, model)


class StackRun:
    """Members of one task that were started together. See `hpt.training.Run`."""

    def __init__(
        self, task: Task, entries: list[Record | KerasRun | Progress], alone: dict[int, str], trainer: Stack
    ) -> None:
        self._task, self._entries, self._alone, self._trainer = task, entries, alone, trainer
        self._look()

    def _look(self) -> None:
        """See what the members have in common."""
        records = [entry for entry in self._entries if isinstance(entry, Record)]
        self._flags = {
            "dropout": any(record.blueprint.drops for record in records),
            "clip": any(np.isfinite(record.blueprint.rule.clip_norm) for record in records),
        }
        dense = [record.blueprint for record in records if isinstance(record.blueprint, DenseBlueprint)]
        self._mixed = any(blueprint.mixed for blueprint in dense)
        self._data = self._trainer.data(self._task) if records else None

    @property
    def plan(self) -> Plan:
        """The stacks in which the members would train next."""
        return self._plan([0] * len(self._entries))

    def _plan(self, epochs: Sequence[int]) -> Plan:
        """Plan stacks of members that train until the same epoch."""
        needs = {}
        for position, record in enumerate(self._entries):
            if isinstance(record, Record) and record.progress.status == "complete" and not record.progress.stopped:
                assert self._data is not None
                blueprint, rows = record.blueprint, self._data.count(record.member.fold)
                batch = min(int(blueprint.settings["batch_size"]), rows)
                stacks = not isinstance(blueprint, KerasBlueprint)
                head, apart = blueprint.sizes[-1], None if stacks else position
                key = self._structure(blueprint), record.progress.epochs, epochs[position], head, apart
                needs[position] = Need(key, blueprint.sizes, batch, rows, rows * blueprint.products)
        return plan(needs, self._alone)

    @property
    def progress(self) -> list[Progress]:
        """How far the members have come, in the current order."""
        return [self._progress(entry) for entry in self._entries]

    def advance(self, epoch: int) -> list[Progress]:
        """Train every kept member until it has seen ``epoch`` epochs; return all progress so far."""
        self._advance([epoch] * len(self._entries))
        return self.progress

    @classmethod
    def advance_all(cls, runs: Sequence[StackRun], epochs: Sequence[int]) -> None:
        """Train the members of several runs of one task as one heap."""
        first, starts = runs[0], [0]
        for run in runs:
            starts.append(starts[-1] + len(run._entries))
        alone = {start + i: why for start, run in zip(starts, runs, strict=False) for i, why in run._alone.items()}
        whole = cls(first._task, [entry for run in runs for entry in run._entries], alone, first._trainer)
        try:
            whole._advance([epoch for run, epoch in zip(runs, epochs, strict=True) for _ in run._entries])
        finally:  # what a stack gave up is another entry now
            for run, start, end in zip(runs, starts, starts[1:], strict=False):
                run._entries = whole._entries[start:end]
                run._alone = {i - start: why for i, why in whole._alone.items() if start <= i < end}

    def _advance(self, epochs: Sequence[int]) -> None:
        """Train every member until it has seen its number of epochs."""
        for entry in self._entries:
            if isinstance(entry, Record) and not entry.weights:
                try:
                    entry.begin()
                except Exception as error:  # an initializer that nobody knows
                    entry.progress = failure(error)

        def unfinished() -> list[PlannedStack]:
            planned = self._plan(epochs).stacks
            return [one for one in planned if self._record(one.members[0]).progress.epochs < epochs[one.members[0]]]

        while stacks := unfinished():
            assert self._data is not None
            jobs = [self._job(stack, epochs[stack.members[0]], self._data) for stack in stacks]
            for stack, raised in zip(stacks, self._trainer.train(jobs, self._data), strict=True):
                if raised is not None:
                    self._give_up(stack, raised)
            for progress in (entry.progress for entry in self._entries if isinstance(entry, Record)):
                if progress.status == "complete" and (why := self._task.limits.too_long(progress.seconds)):
                    progress.status, progress.reason, progress.stopped = "failed", why, True
        for entry, epoch in zip(self._entries, epochs, strict=True):
            if isinstance(entry, KerasRun):
                entry.advance(epoch)
        self._measure()

    def keep(self, survivors: Sequence[int], heirs: Mapping[int, Member] | None = None) -> None:
        """Go on with these members, in this order; see `hpt.training.Run`."""
        kept = [self._entries[position] for position in survivors]
        self._alone = {new: self._alone[old] for new, old in enumerate(survivors) if old in self._alone}
        for position, member in (heirs or {}).items():
            entry = kept[position]
            if isinstance(entry, KerasRun):
                kept[position] = entry.heir(member)
            elif isinstance(entry, Record):
                try:
                    kept[position] = entry.heir(member, _blueprint(self._task, member))
                except Exception as error:  # other layers, or a builder that raises
                    kept[position] = failure(error)
        self._entries = kept
        self._look()

    def state(self) -> list[dict[str, Any]]:
        """Return all that each member has become; see `hpt.keeping.Savable`."""
        states: list[dict[str, Any]] = []
        for position, entry in enumerate(self._entries):
            if isinstance(entry, Record):
                states.append({"kind": "record", **entry.state()})
            elif isinstance(entry, KerasRun):
                states.append({"kind": "alone", "why": self._alone[position], **entry.state()[0]})
            else:
                states.append({"kind": "failed", "progress": asdict(entry), "arrays": {}})
        return states

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over what `state` gave; a member that its stack gave up goes on in the Keras loop."""
        for position, state in enumerate(states):
            entry = self._entries[position]
            if state["kind"] == "alone" and isinstance(entry, Record):
                self._alone[position] = state["why"]
                self.leave({position: entry.member})
                entry = self._entries[position]
            if state["kind"] == "failed":
                self._entries[position] = Progress(**state["progress"])
            elif isinstance(entry, Record):
                entry.restore(state)
            elif isinstance(entry, KerasRun):
                entry.restore([state])
        self._look()

    def model(self, position: int) -> Any:
        """Return a member as a Keras model with the weights of the epoch that counts.

        Its optimizer stands where training stands; where early stopping gives earlier weights back, it is fresh.

        Raises:
            InvalidInput: for a member that could not be built.
        """
        entry = self._entries[position]
        if isinstance(entry, KerasRun):
            return entry.model(0)
        record = self._record(position)
        if not record.weights:
            record.begin()
        weights, stats = record.best or (record.weights, record.stats)
        model = record.blueprint.model(weights, stats)
        if record.best is None:
            restore_optimizer(model, record)
        return model

    def _structure(self, blueprint: Blueprint) -> Any:
        """What a member must share with the others of its stack; what one of them does holds for all."""
        if isinstance(blueprint, DenseBlueprint):
            return blueprint.structure(**self._flags, mixed=self._mixed)
        return blueprint.structure(**self._flags)

    def outputs(self, position: int, x: Array) -> Array:
        """Return a member's answers ``(rows, outputs)``, as of the epoch that counts, for scaled inputs."""
        entry = self._entries[position]
        if isinstance(entry, KerasRun):
            return entry.outputs(0, x)
        record = self._record(position)
        return record.blueprint.outputs(*(record.best or (record.weights, record.stats)), x)

    def _record(self, position: int) -> Record:
        entry = self._entries[position]
        if not isinstance(entry, Record):
            raise InvalidInput(f"member {position} has no network: {self._progress(entry).reason}")
        return entry

    @staticmethod
    def _progress(entry: Record | KerasRun | Progress) -> Progress:
        if isinstance(entry, Progress):
            return entry
        return entry.progress if isinstance(entry, Record) else entry.progress[0]

    def _job(self, stack: PlannedStack, epoch: int, data: Data) -> Job:
        """Make the job of training a stack up to an epoch, or as far as one call may go."""
        records = sorted((self._record(i) for i in stack.members), key=lambda record: record.blueprint.last)
        epochs = min(epoch - records[0].progress.epochs, _longest_call(records, data, self._task.shape.outputs))
        if self._task.limits.seconds is not None:
            epochs = min(epochs, STRETCH)
        return Job(records, stack.sizes, self._structure(records[0].blueprint), epochs, self._task.objective)

    def _give_up(self, stack: PlannedStack, error: Exception) -> None:
        """Hand the members of a stack to the Keras loop, which says what is wrong; what has begun to train fails."""
        left = {}
        for position in stack.members:
            progress = self._record(position).progress
            if progress.epochs:
                bad = failure(error)
                progress.status, progress.reason, progress.stopped = bad.status, bad.reason, bad.stopped
            else:
                left[position] = self._record(position).member
                self._alone[position] = f"it did not train in a stack ({type(error).__name__})"
        self.leave(left)

    def leave(self, members: dict[int, Member]) -> None:
        """Leave members, by position, to the Keras loop."""
        runs = KerasLoop().start(self._task, list(members.values())).apart() if members else []
        for position, run in zip(members, runs, strict=True):
            self._entries[position] = run

    def _measure(self) -> None:
        """Put every metric to the outputs of the epoch that counts."""
        records = [r for r in self._entries if isinstance(r, Record) and r.outputs is not None]
        records = [r for r in records if r.progress.status == "complete"]
        if not records:
            return
        assert self._data is not None
        longest = max(len(record.outputs) for record in records if record.outputs is not None)
        width = max(record.outputs.shape[-1] for record in records if record.outputs is not None)
        outputs = np.zeros((1, len(records), longest, width), dtype="float32")
        for i, record in enumerate(records):
            assert record.outputs is not None
            outputs[0, i, : len(record.outputs)] = record.outputs
        for name in self._task.metrics:
            for record, value in zip(records, _scores(metric(name), records, outputs, self._data)[0], strict=True):
                record.progress.metrics[name] = float(value)


def _scores(judge: Metric, records: Sequence[Record], outputs: Array, data: Data) -> Array:
    """Judge outputs ``(E, M, V, outputs)`` by a metric, in the units of the data; shape ``(E, M)``."""
    found = np.empty(outputs.shape[:2])
    folds = np.array([record.member.fold for record in records])
    for fold in np.unique(folds):
        arrays, chosen = data.arrays[fold], np.flatnonzero(folds == fold)
        own = outputs[:, chosen, : data.validation_count(fold)]
        own = np.where(np.isfinite(own), own, 0)  # a member that diverged is told by `_diverged`
        found[:, chosen] = judge.score(arrays.restore(arrays.y_validation), arrays.restore(own))
    return found


def _diverged(epoch: int, train_loss: float, val_loss: float, outputs: Array) -> str:
    if not np.isfinite(train_loss):
        return f"the training loss became {train_loss} in epoch {epoch}"
    if not np.isfinite(val_loss) or not np.isfinite(outputs).all():
        return f"a prediction became NaN or infinite in epoch {epoch}"
    return ""


def _longest_call(records: Sequence[Record], data: Data, outputs: int) -> int:
    """How many epochs one call may take: what fits in `ROOM`, and with patience a stretch of it at a time."""
    batches = [int(r.blueprint.settings["batch_size"]) for r in records]
    steps = max(-(-data.count(r.member.fold) // batch) for r, batch in zip(records, batches, strict=True))
    rows = steps * (min(max(batches), max(data.count(r.member.fold) for r in records)) + 10)
    held = max(data.validation_count(r.member.fold) for r in records)
    fits = max(1, ROOM // (4 * len(records) * (rows + held * outputs)))
    patience = [record.patience for record in records if record.patience]
    return min(fits, max(STRETCH, *patience)) if patience else fits


def threads_an_operation(threads: int = 1) -> None:
    """Let TensorFlow use so many cores an operation: two stacks at a time on two cores are faster than one on both.

    It can only be said before TensorFlow starts; where it has, things stay as they are.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:
        return
