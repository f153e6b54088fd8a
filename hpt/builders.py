"""A reader's own Keras builder: a function with hyperparameters as its arguments becomes a task's builder.

Most people write ``def build_model(lr=0.001, dropout=0.3)``. A task wants a function of a configuration and a shape.
`keras_builder` stands between the two, and checks what can be checked before anything trains: that the space names
arguments that are there, and that the model fits the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np

from hpt.errors import InvalidInput
from hpt.networks import Shape

LOOP = ("batch_size", "epochs", "patience")
"""Hyperparameters that the training loop reads itself."""


@dataclass(frozen=True, eq=False)
class KerasBuilder:
    """A function that builds a Keras model, called as a task calls its builder; see `keras_builder`.

    It can be pickled if the function can.

    Attributes:
        function: the reader's own.
        takes: the arguments it is given by name; None if it takes a configuration and a shape.
        defaults: values of what a configuration leaves out.
    """

    function: Callable[..., Any]
    takes: tuple[str, ...] | None
    defaults: Mapping[str, Any]

    @property
    def __name__(self) -> str:
        """What the function is called."""
        return _called(self.function)

    def __call__(self, configuration: Mapping[str, Any], shape: Shape) -> Any:
        """Build a model.

        Raises:
            InvalidInput: if its inputs or outputs do not fit the data. What the function raises passes through.
        """
        full = {**self.defaults, **configuration}
        if self.takes is None:
            model = self.function(full, shape)
        else:
            full["shape"] = shape
            model = self.function(**{name: full[name] for name in self.takes if name in full})
        _check_shapes(model, shape, self.__name__)
        return model


def keras_builder(function: Callable[..., Any], space: Iterable[str], defaults: Mapping[str, Any]) -> KerasBuilder:
    """Turn a function that builds a Keras model into a task's builder.

    Args:
        function: takes hyperparameters by name, and the `Shape` as ``shape`` if it wants it; or, like the builders of
            `hpt.networks`, two arguments: a configuration, by any name that the space lacks, and ``shape``.
        space: the hyperparameters that are searched.
        defaults: values that go before the function's own defaults.

    Raises:
        InvalidInput: for a name that neither the function nor the loop takes, or an argument without a value.
    """
    if not callable(function) or hasattr(function, "compile"):  # a model can be called too
        raise InvalidInput(f"build is a function that returns a compiled Keras model, got {function!r}")
    called, parameters = _called(function), signature(function).parameters
    if any(one.kind is Parameter.POSITIONAL_ONLY for one in parameters.values()):
        raise InvalidInput(f"{called} takes arguments by position only; hyperparameters are given by name")
    named = {name: one for name, one in parameters.items() if one.kind not in (_REST, _MANY)}
    anything = any(one.kind is _REST for one in parameters.values())
    own = {name: one.default for name, one in named.items() if one.default is not Parameter.empty}
    wanted = dict.fromkeys([*space, *defaults])
    missing = [name for name in named if name not in own and name not in wanted and name != "shape"]
    if list(parameters)[1:2] == ["shape"] and missing == list(parameters)[:1] and len(named) == 2:
        return KerasBuilder(function, None, dict(defaults))
    for name in wanted:
        if name == "shape" or not (name in named or name in LOOP or anything):
            raise InvalidInput(
                f"{name!r} is no hyperparameter of {called}: it takes {', '.join(named) or 'none'}, "
                f"and the training loop {', '.join(LOOP)}"
            )
    if missing:
        raise InvalidInput(
            f"{called} needs {', '.join(missing)}: put it into the space or the defaults, or give it a default value"
        )
    takes = tuple(dict.fromkeys([*named, *(name for name in wanted if anything and name not in LOOP)]))
    return KerasBuilder(function, takes, {**{key: own[key] for key in own if key != "shape"}, **defaults})


_REST, _MANY = Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL


def _called(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _check_shapes(model: Any, shape: Shape, called: str) -> None:
    """See that a model takes the rows of the data and gives what the problem needs.

    What does not fit may train all the same: Keras spreads one target out over two outputs, and says nothing.
    """
    import keras

    if not isinstance(model, keras.Model):
        return  # `hpt.training.building` says what it should be
    try:
        takes, gives = model.input_shape, model.output_shape
    except (AttributeError, ValueError):  # a class of its own, or not built yet: it knows when it was called
        takes = (None, *shape.inputs)
        gives = np.shape(np.asarray(model(np.zeros((1, *shape.inputs), dtype="float32"))))
    if not _fits(takes, shape.inputs):
        raise InvalidInput(f"{called} builds a model for inputs of shape {takes}, a row of the data has {shape.inputs}")
    if not _fits(gives, (shape.outputs,)):
        raise InvalidInput(
            f"{called} builds a model with outputs of shape {gives}, {shape.problem} data need (None, {shape.outputs})"
        )


def _fits(own: Any, row: tuple[int, ...]) -> bool:
    """Say whether a model's shape, whose first axis is the batch, is one tensor of such rows."""
    if not isinstance(own, tuple) or len(own) != len(row) + 1:
        return False
    return all(one in (None, other) for one, other in zip(own[1:], row, strict=True))
