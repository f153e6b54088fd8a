"""Building: a member's Keras model, made under the member's seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.errors import InvalidInput
from hpt.training import Member

if TYPE_CHECKING:
    from hpt.tasks import Task


def built(task: Task, member: Member) -> Any:
    """Call the task's builder under the member's seed.

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
    return model


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
