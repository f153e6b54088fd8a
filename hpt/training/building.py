"""Building: a member's Keras model, made under the member's seed.

To build a small model takes as long as to train it for some epochs. So where the package knows the builder, members
whose models differ only in numbers borrow one model, one after the other (`lent`): its optimizer, its dropout rates and
its weights become the member's. The first weights are those that Keras would give under the member's seed: an
initializer without a seed takes the next one that Python's generator gives, so what is kept of a variable is its
initializer and which of those seeds it took.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import lru_cache
from inspect import getclosurevars
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpt import networks
from hpt.data import Array
from hpt.errors import InvalidInput
from hpt.networks import Shape
from hpt.training import Member

if TYPE_CHECKING:
    from hpt.tasks import Task


def built(task: Task, member: Member, weights: Sequence[Array] = (), stats: Sequence[Array] | None = None) -> Any:
    """Call the task's builder under the member's seed.

    Args:
        task: the problem.
        member: the network.
        weights: if given, the trainable weights to put in place, in Keras's order; their axes may be split.
        stats: likewise the moving statistics; left out, they stay as the builder made them.

    Returns:
        A compiled Keras model, its weights in place.

    Raises:
        InvalidInput: if the builder returns anything else. What the builder itself raises passes through.
    """
    model = _made(task.build, task.configuration(member.configuration), task.shape, member.seed)
    if weights:
        _put(model, weights, stats)
    return model


def _made(build: Callable[..., Any], configuration: Mapping[str, Any], shape: Shape, seed: int) -> Any:
    with seeded(seed):
        model = build(configuration, shape)
        if getattr(model, "optimizer", None) is None or not hasattr(model, "train_step"):
            raise InvalidInput(f"the builder must return a compiled Keras model, got {model!r}")
        if not model.built:
            model(np.zeros((1, *shape.inputs), dtype="float32"))
    return model


def _put(model: Any, weights: Sequence[Array], stats: Sequence[Array] | None) -> None:
    variables, arrays = [*model.trainable_variables], [*weights]
    if stats is not None:
        variables, arrays = [*variables, *moving(model)], [*arrays, *stats]
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(np.reshape(array, variable.shape))


def moving(model: Any) -> list[Any]:
    """Return a model's moving statistics; its other variables that are not trained hold seeds."""
    return [variable for variable in model.non_trainable_variables if str(variable.dtype).startswith("float")]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set every generator that Keras draws from, and leave the caller's own random numbers as they were."""
    import keras

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002, Keras sets the legacy generator
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


# --- one model for many members -----------------------------------------------------------------------

SHARED = (networks.lstm, networks.transformer, networks.cnn, networks.conv_autoencoder)
"""The builders of which is known what in a configuration is no more than a number to their models."""
NUMBERS = (
    "optimizer", "learning_rate", "warmup", "momentum", "weight_decay", "clip_norm", "batch_size", "patience", "epochs",
)  # fmt: skip
"""What the layers do not depend on."""
_lock = threading.RLock()


@contextmanager
def lent(
    task: Task, member: Member, weights: Sequence[Array] = (), stats: Sequence[Array] | None = None
) -> Iterator[Any]:
    """Lend what `built` returns, to be read and called; it must not be kept, for the next member may borrow it too."""
    if task.build not in SHARED:
        yield built(task, member, weights, stats)
        return
    with _lock:
        model = _borrowed(task, member)
        if model is None:
            model = built(task, member, weights, stats)
        elif weights:
            _put(model, weights, stats)
        yield model


def _borrowed(task: Task, member: Member) -> Any:
    """Return a model that was built before as the member's own, or None if only its builder can make it."""
    import keras

    configuration = task.configuration(member.configuration)
    if type(member.seed) is not int or not 0 <= member.seed < 2**32:
        return None  # Keras refuses it
    numbers = {name: value for name, value in configuration.items() if name in (*NUMBERS, "dropout")}
    layers = {name: value for name, value in configuration.items() if name not in numbers}
    try:
        optimizer = networks.optimizer(numbers)
        if numbers.get("dropout"):
            layers["dropout"] = 0.5  # whether it drops decides on a layer, how much is a number
        settings = keras.config.dtype_policy().name, keras.config.image_data_format()
        shared = _shared(task.build, json.dumps(layers, sort_keys=True), task.shape, settings)
    except Exception:  # the builder says what is wrong
        return None
    return shared and shared.turned(optimizer, numbers.get("dropout", 0.0), member.seed)


class _Start(NamedTuple):
    """Where a variable's first value comes from: the initializer, and which seed of its model's it takes, if any."""

    variable: Any
    initializer: Any
    place: int | None


class _Shared(NamedTuple):
    model: Any
    starts: list[_Start]

    def first(self, seed: int) -> list[Array]:
        """Draw what Keras would start every variable from under a seed."""
        seeds = _seeds(seed, 1 + max((start.place for start in self.starts if start.place is not None), default=0))
        found = []
        for variable, initializer, place in self.starts:
            if place is not None:
                initializer = copy(initializer)
                initializer.seed = seeds[place]
            found.append(np.asarray(initializer(tuple(variable.shape), dtype=variable.dtype)))
        return found

    def turned(self, optimizer: Any, dropout: float, seed: int) -> Any:
        """Return the model as that of another member."""
        import keras

        self.model.compile(optimizer=optimizer, loss=self.model.loss)
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = dropout
        for start, array in zip(self.starts, self.first(seed), strict=True):
            start.variable.assign(array)
        return self.model


@lru_cache(maxsize=64)
def _shared(build: Callable[..., Any], layers: str, shape: Shape, settings: tuple[str, str]) -> _Shared | None:
    """Build a model to share, or return None if its first weights cannot be drawn again.

    Args:
        build: one of `SHARED`.
        layers: the part of a configuration that decides on the layers, as text.
        shape: of the data.
        settings: of Keras, which its layers follow.
    """
    import tensorflow as tf

    made: dict[int, Any] = {}

    def creator(make: Callable[..., Any], **how: Any) -> Any:
        variable = make(**how)
        if callable(how["initial_value"]):  # a function of Keras's, which calls the initializer
            made[id(variable)] = getclosurevars(how["initial_value"]).nonlocals.get("initializer")
        return variable

    with tf.variable_creator_scope(creator):
        model = _made(build, json.loads(layers), shape, seed=0)
    seeds, starts = _seeds(0, 1000), []
    for variable in [*model.trainable_variables, *moving(model)]:
        initializer = made.get(id(variable.value))
        seed = getattr(initializer, "seed", None)
        if initializer is None or (seed is not None and seed not in seeds):
            return None
        starts.append(_Start(variable, initializer, None if seed is None else seeds.index(seed)))
    shared = _Shared(model, starts)
    same = all(np.array_equal(array, one.variable) for array, one in zip(shared.first(0), starts, strict=True))
    return shared if same else None


def _seeds(seed: int, count: int) -> list[int]:
    """Return the seeds that Keras draws for its initializers after ``set_random_seed``."""
    rng = random.Random(seed)
    return [rng.randint(1, int(1e9)) for _ in range(count)]
