"""Building: a member's Keras model, made under the member's seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.data import Array
from hpt.errors import InvalidInput
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
    with seeded(member.seed):
        model = task.build(task.configuration(member.configuration), task.shape)
        if getattr(model, "optimizer", None) is None or not hasattr(model, "train_step"):
            raise InvalidInput(f"the builder must return a compiled Keras model, got {model!r}")
        if not model.built:
            model(np.zeros((1, *task.shape.inputs), dtype="float32"))
    if weights:
        variables, arrays = [*model.trainable_variables], [*weights]
        if stats is not None:
            variables, arrays = [*variables, *moving(model)], [*arrays, *stats]
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(np.reshape(array, variable.shape))
    return model


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
