"""The Keras loop: any Keras model, one at a time.

This is what most people write, done with care: Keras's own training step, compiled once a network; the order
of the rows from the member's own seed; early stopping that gives the best weights back; and a network that
diverges or raises is a result, not a crash.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.errors import InvalidInput
from hpt.layers import DENSE, initial_weights, layers, parameters
from hpt.metrics import metric
from hpt.networks import DEFAULTS
from hpt.seeds import stream
from hpt.training import Member, Progress, Run, failure, inherited
from hpt.training.building import built

if TYPE_CHECKING:
    from hpt.data import Array, Arrays
    from hpt.tasks import Task


class KerasLoop:
    """Trains members one after another with Keras; the `Trainer` for everything that Keras can build."""

    def together(self, task: Task) -> int:
        """Return 1: a second member gains nothing from waiting for the first."""
        return 1

    def start(self, task: Task, members: Sequence[Member]) -> KerasRun:
        """Prepare the data of every fold that the members use; networks are built when they train."""
        _forget_gradients()
        arrays = {fold: task.arrays(fold) for fold in {member.fold for member in members}}
        return KerasRun([_Trainee(task, member, arrays[member.fold]) for member in members])

    def advance(self, waiting: Sequence[tuple[Run, int]]) -> None:
        """Train one run after the other."""
        for run, epoch in waiting:
            run.advance(epoch)


class KerasRun:
    """Members of one task, trained one after another. See `hpt.training.Run`."""

    def __init__(self, trainees: list[_Trainee]) -> None:
        self._trainees = trainees

    def advance(self, epoch: int) -> list[Progress]:
        """Train every kept member until it has seen ``epoch`` epochs."""
        return [trainee.advance(epoch) for trainee in self._trainees]

    @property
    def progress(self) -> list[Progress]:
        """How far the members have come."""
        return [trainee.progress for trainee in self._trainees]

    def apart(self) -> list[KerasRun]:
        """Return a run for each member; they share the data."""
        return [KerasRun([trainee]) for trainee in self._trainees]

    def keep(self, survivors: Sequence[int], heirs: Mapping[int, Member] | None = None) -> None:
        """Go on with these members, in this order; see `hpt.training.Run`."""
        kept = [self._trainees[position] for position in survivors]
        self._trainees = [kept[i].heir(heirs[i]) if heirs and i in heirs else kept[i] for i in range(len(kept))]

    def state(self) -> list[dict[str, Any]]:
        """Return all that each member has become; see `hpt.keeping.Savable`."""
        return [trainee.state() for trainee in self._trainees]

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over what `state` gave."""
        for trainee, state in zip(self._trainees, states, strict=True):
            trainee.restore(state)

    def heir(self, member: Member) -> KerasRun:
        """Return a run in which a copy of the first member goes on as another."""
        return KerasRun([self._trainees[0].heir(member)])

    def model(self, position: int) -> Any:
        """Return a member's Keras model with the weights of the epoch that counts."""
        return self._trainees[position].finished()

    def outputs(self, position: int, x: Array) -> Array:
        """Return a member's answers ``(rows, outputs)``, as of the epoch that counts, for scaled inputs."""
        return self._trainees[position].outputs_for(x)


class _Trainee:
    """One member: its model, and how far it has come."""

    def __init__(self, task: Task, member: Member, arrays: Arrays) -> None:
        self.task, self.member, self.arrays = task, member, arrays
        self.progress = Progress()
        self.model: Any = None
        self.step: Any = None  # trains on one batch
        self.evaluate: Any = None  # outputs and loss for the validation part
        self.outputs: Any = None  # at the epoch that counts
        self.best_weights: Any = None

    def advance(self, epoch: int) -> Progress:
        began, progress = time.perf_counter(), self.progress
        if progress.status != "complete":
            return progress
        try:
            configuration = self.task.configuration(self.member.configuration)
            settings = {**DEFAULTS, **configuration}
            if self.model is None:
                self.build()
            while progress.epochs < epoch and not progress.stopped:
                self.train_epoch(settings["batch_size"])
                self.judge(settings["patience"])
                _within(self.task.limits.too_long(progress.seconds + time.perf_counter() - began))
            if self.outputs is not None:
                progress.metrics = {name: self.measure(name, self.outputs) for name in self.task.metrics}
        except _Diverged as diverged:
            progress.status, progress.reason, progress.stopped = "diverged", str(diverged), True
        except _Over as over:
            progress.status, progress.reason, progress.stopped = "failed", str(over), True
        except Exception as error:  # the builder is the user's: whatever it raises is a result
            bad = failure(error)
            progress.status, progress.reason, progress.stopped = bad.status, bad.reason, bad.stopped
        progress.seconds += time.perf_counter() - began
        return progress

    def build(self) -> None:
        self.model = _built(self.task, self.member)
        self.step, self.evaluate = _compiled(self.model, self.arrays)

    def state(self) -> dict[str, Any]:
        """All that it has become: also the seeds from which its layers draw, which Keras counts among the variables."""
        arrays: dict[str, Any] = {}
        if self.model is not None:
            arrays = {"model": self.model.variables, "optimizer": self.model.optimizer.variables}
        if self.best_weights is not None:
            arrays["best"] = self.best_weights
        held = {name: [np.asarray(value) for value in values] for name, values in arrays.items()}
        return {"progress": asdict(self.progress), "arrays": held}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the outputs stay away, for the metrics are in the progress already."""
        self.progress, arrays = Progress(**state["progress"]), state["arrays"]
        self.best_weights = arrays.get("best")
        if "model" in arrays and self.progress.status == "complete":
            self.build()
            for own, kept in ((self.model, "model"), (self.model.optimizer, "optimizer")):
                for variable, value in zip(own.variables, arrays[kept], strict=True):
                    variable.assign(value)

    def heir(self, member: Member) -> _Trainee:
        """Return a copy that goes on as another member, from the same weights and optimizer."""
        twin = _Trainee(self.task, member, self.arrays)
        twin.progress, twin.outputs, twin.best_weights = inherited(self.progress), self.outputs, self.best_weights
        if self.model is None or self.progress.status != "complete":
            return twin
        try:
            twin.model = _built(self.task, member)
            twin.model.set_weights(self.model.get_weights())
            twin.step, twin.evaluate = _compiled(twin.model, self.arrays)
            # SGD has a memory only with momentum: an heir that begins with it begins with none.
            for new, old in zip(twin.model.optimizer.variables, self.model.optimizer.variables, strict=False):
                if new.name != "learning_rate":
                    new.assign(old)
        except Exception as error:  # other layers, another optimizer
            twin.progress = failure(error)
        return twin

    def train_epoch(self, batch_size: int) -> None:
        """Train one epoch; the order of the rows comes from the member's seed and the epoch's number."""
        x, y = self.arrays.x_train, self.arrays.y_train
        epoch = self.progress.epochs + 1
        order = stream(self.member.seed, "order", epoch).permutation(len(x))
        self.model.reset_metrics()
        for first in range(0, len(x), batch_size):
            rows = order[first : first + batch_size]
            logs = self.step(x[rows], y[rows])
        loss = float(logs["loss"])  # Keras's running mean over the batches of this epoch
        if not np.isfinite(loss):
            raise _Diverged(f"the training loss became {loss} in epoch {epoch}")
        self.progress.curve.append({"epoch": epoch, "train_loss": loss})

    def judge(self, patience: int | None) -> None:
        """Put the validation part's loss and objective to the newest epoch; stop where patience has run out."""
        progress, point = self.progress, self.progress.curve[-1]
        outputs, loss = (np.asarray(value) for value in self.evaluate())
        point["val_loss"] = float(loss)
        if not np.isfinite(outputs).all() or not np.isfinite(loss):
            progress.curve.pop()
            raise _Diverged(f"a prediction became NaN or infinite in epoch {point['epoch']}")
        point["score"] = self.measure(self.task.objective.name, outputs)
        lowest = min((earlier["val_loss"] for earlier in progress.curve[:-1]), default=np.inf)
        if patience is None or point["val_loss"] < lowest:
            progress.best_epoch, self.outputs = int(point["epoch"]), outputs
            self.best_weights = None if patience is None else self.model.get_weights()
        elif progress.epochs - progress.best_epoch >= patience:
            progress.stopped = True

    def measure(self, name: str, outputs: Any) -> float:
        """Judge outputs for the validation part by a metric, in the units of the data."""
        restore = self.arrays.restore
        return metric(name).score(restore(self.arrays.y_validation), restore(outputs))

    def outputs_for(self, x: Array) -> Array:
        if self.model is None:
            raise InvalidInput(f"this member has no network: {self.progress.reason or 'it was not trained yet'}")
        newest = self.model.get_weights()
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
        found = np.asarray(self.model(x, training=False))
        self.model.set_weights(newest)
        return found

    def finished(self) -> Any:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            self.progress.stopped = True  # from here on it would go on from other weights
        return self.model


def _built(task: Task, member: Member) -> Any:
    """Build a member's model; a dense one starts from the weights that `hpt.layers` draws for every trainer."""
    if task.build not in DENSE:
        model = built(task, member)
        _within(task.limits.too_large(model.count_params()))
        return model
    described = layers(task.build, task.configuration(member.configuration), task.shape)
    _within(task.limits.too_large(parameters(described)))  # before its weights are drawn
    return built(task, member, initial_weights(described, member.seed))


def _compiled(model: Any, arrays: Arrays) -> tuple[Any, Any]:
    """Compile Keras's own ``train_step`` once, for batches of any length, and the look at the validation part.

    ``fit`` and ``train_on_batch`` compile the step three times: before the optimizer has its variables, after,
    and for the shorter last batch. For a small network compiling is most of the cost.
    """
    import tensorflow as tf

    model.optimizer.build(model.trainable_variables)
    signature = [tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in (arrays.x_train, arrays.y_train)]
    x, y = tf.constant(arrays.x_validation), tf.constant(arrays.y_validation)

    def evaluate() -> tuple[Any, Any]:
        outputs = model(x, training=False)
        return outputs, model.compute_loss(x=x, y=y, y_pred=outputs, training=False)

    step = tf.function(lambda x, y: model.train_step((x, y)), input_signature=signature, autograph=False)
    return step.get_concrete_function(), tf.function(evaluate, autograph=False).get_concrete_function()


class _Diverged(Exception):
    """A loss or a prediction is no longer a finite number."""


class _Over(Exception):
    """A network takes more than its limit."""


def _within(too_much: str) -> None:
    """Give up a network of which `hpt.limits` says in what it is too much."""
    if too_much:
        raise _Over(too_much)


def _forget_gradients() -> None:
    """Drop the gradient functions that optimizers of earlier networks left behind.

    Keras optimizers register one for every variable they update, TensorFlow keeps them for ever, and each
    holds its network: about 5 MB a trial. The registry is private, so a TensorFlow without it is left alone.
    """
    try:
        from tensorflow.python.framework import ops

        registered = ops.gradient_registry._registry
        for name in [name for name in registered if name.startswith("CustomGradient-")]:
            del registered[name]
    except (ImportError, AttributeError):
        return
