"""Any Keras model: one at a time, but with one trace for all.

Most of what a small Keras network costs is building its graph. So here a model is traced once, with its weights as
arguments (Keras's ``stateless_call``), and every member of its structure runs through that trace: learning rate,
weight decay, dropout rates, first weights and, where the layers stand in a row, widths are data. Members are stacks
of one: a convolution or a recurrent cell with weights of its own for every member gains little from being stacked
by TensorFlow (``vectorized_map``), and takes seconds to trace.

Widths are padded, so that few different ones remain (see `rounded`): new units start at 0 and stay there, as in
`hpt.training.dense`. Recurrent cells keep their gates apart while they are padded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpt.data import Array
from hpt.networks import DEFAULTS
from hpt.training import Member
from hpt.training.building import built, lent, moving
from hpt.training.noise import LAYER, uniform
from hpt.training.planner import BLOCK
from hpt.training.reading import NotStackable, check_targets, checked, loss_of, rule_of

if TYPE_CHECKING:
    from hpt.tasks import Task

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
"""Recurrent layers, and how many matrices Keras keeps side by side in one of theirs."""
WIDTH = {"Dense": "units", "Conv1D": "filters", "Conv2D": "filters", **dict.fromkeys(GATES, "units")}
"""Layers that have a width, and what Keras calls it."""
FOLLOWS = (
    "InputLayer", "Activation", "ReLU", "LeakyReLU", "Dropout", "BatchNormalization", "MaxPooling1D", "MaxPooling2D",
    "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
)  # fmt: skip
"""Layers without a width that leave a unit of zeros a unit of zeros."""
KNOWN = {
    *WIDTH, *FOLLOWS, "Reshape", "Flatten", "Permute", "EinsumDense", "MultiHeadAttention", "LayerNormalization",
    "Embedding", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Softmax", "PReLU",
    "ELU", "Cropping1D", "ZeroPadding1D", "ZeroPadding2D", "Rescaling", "Identity", "DepthwiseConv2D",
    "SeparableConv2D", "UpSampling1D", "UpSampling2D", "Conv2DTranspose", "RepeatVector",
}  # fmt: skip
"""Keras layers whose description says all they do: no random numbers, no state, no code of the user's."""
THROUGH_ZERO = ("relu", "leaky_relu", "tanh", "linear", "elu", "selu", "gelu", "silu", "softsign")
"""Activations that are 0 at 0."""


@dataclass(frozen=True)
class Structure:
    """What models must have in common to share one traced function.

    Attributes:
        config: the model as Keras describes it, as text; widths padded, dropout rates and names left out.
        inputs: shape of one row.
        loss: a Keras name.
        dropout: whether any member drops units.
        clip: whether any member clips its gradient.
    """

    config: str
    inputs: tuple[int, ...]
    loss: str
    dropout: bool
    clip: bool


class AnyKeras:
    """The functions of one Keras model as a stack of one; see `hpt.training.engine.Network`."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._model: Any = None

    @property
    def trait_signature(self) -> list[Any]:
        """TensorFlow's description of the traits: the share of units that each dropout layer keeps."""
        import tensorflow as tf

        return [tf.TensorSpec([None, None], tf.float32, "keep")]

    def prepare(self, traits: Sequence[Any]) -> Any:
        """Build the model whose layers every member borrows."""
        import tensorflow as tf

        with tf.init_scope():  # outside of the trace: a function that makes variables is traced twice
            self._model = _functional(self.structure.config, self.structure.dropout)
        return traits[0]

    def gradient(self, fixed: Any, w: Any, stats: Any, x: Any, y: Any, weight: Any, start: Any) -> tuple[Any, Any, Any]:
        """Return each member's loss, its gradient, and the new moving statistics; shapes as in `Dense.gradient`."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(w)
            _, rows, moved = self._call(w[0], stats[0], x[0], y[0], fixed[0], start)
            loss = tf.reduce_sum(rows * weight[0])
        return loss[None], tape.gradient(loss, w), moved[None]

    def judge(self, fixed: Any, w: Any, stats: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """Return outputs and each row's loss, nothing dropped."""
        outputs, rows, _ = self._call(w[0], stats[0], x[0], y[0])
        return outputs[None], rows[None]

    def _call(self, w: Any, stats: Any, x: Any, y: Any, keep: Any = None, start: Any = None) -> tuple[Any, Any, Any]:
        """Call the model with a member's own weights; with ``keep`` and ``start`` as in training."""
        import keras
        import tensorflow as tf

        model = self._model
        for i, layer in enumerate(_dropouts(model)):
            layer.given = None if keep is None else (keep[i], start, i)
        places = [id(variable) for variable in moving(model)]
        given = dict(zip(places, _cut(stats, moving(model)), strict=True))
        fixed = [given.get(id(variable), variable.value) for variable in model.non_trainable_variables]
        x = tf.reshape(x, (-1, *self.structure.inputs))
        outputs, after = model.stateless_call(_cut(w, model.trainable_variables), fixed, x, training=keep is not None)
        moved = [
            new for new, variable in zip(after, model.non_trainable_variables, strict=True) if id(variable) in given
        ]
        if len(y.shape) == 1 and not self.structure.loss.startswith("sparse"):
            y = y[:, None]
        flat = tf.concat([tf.reshape(part, [-1]) for part in moved], axis=0) if moved else stats
        rows = keras.losses.get(self.structure.loss)(y, outputs)
        if len(rows.shape) != 1:
            raise ValueError(f"a stack needs a loss for every row, {self.structure.loss} gives one for all")
        return outputs, rows, flat


def _cut(flat: Any, variables: Sequence[Any]) -> list[Any]:
    """Cut a flat row into tensors of the shapes of some variables."""
    import tensorflow as tf

    lengths = [math.prod(variable.shape) for variable in variables]
    parts = tf.split(flat, lengths) if lengths else []
    return [tf.reshape(part, variable.shape) for part, variable in zip(parts, variables, strict=True)]


@lru_cache(maxsize=64)
def _functional(text: str, dropout: bool) -> Any:
    """Build a model from its description, with dropout layers that take rate and random numbers from outside, or none.

    Without dropout it also serves to learn the shapes of its variables, and to see what it does.
    """
    import keras

    config = json.loads(text)
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Dropout":
            kind = _dropout_class() if dropout else keras.layers.Identity
            layer |= keras.saving.serialize_keras_object(kind(name=layer["config"]["name"]))
    kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    return kind.from_config(config["config"], custom_objects={"GivenDropout": _dropout_class()})


@lru_cache(maxsize=1)
def _dropout_class() -> Any:
    """Make the layer class when Keras is there to make it from."""
    import keras

    class GivenDropout(keras.layers.Layer):  # type: ignore[misc]
        """Dropout whose rate and random numbers are set from outside, for each member its own."""

        given: ClassVar[Any] = None

        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            if self.given is None:
                return inputs
            keep, start, number = self.given
            width = inputs.shape[-1]
            rows = tf.reshape(inputs, (-1, width))
            blocks = number * LAYER + tf.range(-(-width // BLOCK))
            drawn = uniform(start, tf.shape(rows)[0], blocks)[0, :, :width]
            return tf.reshape(rows * tf.floor(drawn + keep) / keep, tf.shape(inputs))

    return GivenDropout


def _dropouts(model: Any) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == "GivenDropout"]


_VERIFIED: set[str] = set()
"""Structures whose rebuilt and padded model was seen to do what a member's own does."""


# --- one member ---------------------------------------------------------------------------------------------


class KerasBlueprint:
    """One member's Keras model as numbers; see `hpt.training.blueprints.Blueprint`.

    Raises:
        NotStackable: if the model can only be trained by Keras itself.
    """

    last = False

    def __init__(self, task: Task, member: Member, model: Any) -> None:
        import keras

        self.task, self.member = task, member
        self.settings = checked({**DEFAULTS, **task.configuration(member.configuration)})
        self.rule, self.loss = rule_of(model), loss_of(model)
        check_targets(task, self.loss)
        try:
            self.config = json.dumps(_described(model), sort_keys=True)
            self.rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
            self.drops = any(self.rates)
            gates = [gates for layer in model.layers for gates in _gates(layer)]
            self.products = 2.0 * sum(math.prod(variable.shape) for variable in model.trainable_variables)
            self._start = [_view(v.numpy(), g) for v, g in zip(model.trainable_variables, gates, strict=True)]
            self._moving = [variable.numpy() for variable in moving(model)]
            rebuilt = _functional(self.config, dropout=False)
            self._shapes = [_view(v.numpy(), g).shape for v, g in zip(rebuilt.trainable_variables, gates, strict=True)]
            self._stat_shapes = [tuple(variable.shape) for variable in moving(rebuilt)]
            same = self.config in _VERIFIED or self._does_the_same(model, rebuilt)
        except NotStackable:
            raise
        except Exception as error:  # a layer that cannot describe itself, or be built from its description
            raise NotStackable(f"Keras cannot rebuild it from its description ({type(error).__name__})") from None
        if not same:
            raise NotStackable("rebuilt from its description it does something else")
        _VERIFIED.add(self.config)

    def _does_the_same(self, model: Any, rebuilt: Any) -> bool:
        """Say whether the rebuilt and padded model, with the member's weights, gives what the member gives."""
        x = np.linspace(-1, 1, 3 * math.prod(self.task.shape.inputs), dtype="float32")
        x = x.reshape(3, *self.task.shape.inputs)
        variables, shapes = [*rebuilt.trainable_variables, *moving(rebuilt)], [*self._shapes, *self._stat_shapes]
        for variable, array, shape in zip(variables, [*self._start, *self._moving], shapes, strict=True):
            padded = np.zeros(shape, dtype="float32")
            padded[tuple(map(slice, array.shape))] = array
            variable.assign(padded.reshape(variable.shape))
        return bool(np.allclose(model(x, training=False), rebuilt(x, training=False), rtol=1e-4, atol=1e-5))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Stand-ins for the sizes of layers: as many products a row as the padded model has weights."""
        return sum(math.prod(shape) for shape in self.shapes(())[0]), 1

    def shapes(self, sizes: Sequence[int]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Return the shapes of the padded weights and moving statistics, gates on an axis of their own."""
        return self._shapes, self._stat_shapes

    def structure(self, *, dropout: bool, clip: bool) -> Structure:
        """Return what this member must share with the others of its stack."""
        return Structure(self.config, self.task.shape.inputs, self.loss, dropout, clip)

    def network(self, structure: Structure) -> AnyKeras:
        """Return the functions of a stack of this structure."""
        return AnyKeras(structure)

    @staticmethod
    def traits(members: Sequence[KerasBlueprint], sizes: Sequence[int]) -> list[Array]:
        """Return the share of units that each dropout layer of each member keeps ``(M, dropout layers)``."""
        return [np.array([[1 - rate for rate in member.rates] for member in members], dtype="float32")]

    def initial(self, seed: int) -> tuple[list[Array], list[Array]]:
        """Return the weights and moving statistics that Keras gave the model under the member's seed."""
        return [w.copy() for w in self._start], [s.copy() for s in self._moving]

    def outputs(self, weights: Sequence[Array], stats: Sequence[Array], x: Array) -> Array:
        """Return the member's answers ``(rows, outputs)``."""
        with lent(self.task, self.member, weights, stats) as model:
            return np.asarray(model(x, training=False))

    def model(self, weights: Sequence[Array], stats: Sequence[Array]) -> Any:
        """Return the member as a compiled Keras model with these weights."""
        return built(self.task, self.member, weights, stats)


def _view(array: Array, gates: int) -> Array:
    """Give the gates that stand side by side in a matrix an axis of their own."""
    return array.reshape(*array.shape[:-1], gates, array.shape[-1] // gates) if gates > 1 else array


def _described(model: Any) -> dict[str, Any]:
    """Describe a model as Keras does, without what is data here: names, first weights, rates; widths padded.

    Raises:
        NotStackable: if the description does not say all.
    """
    import keras

    if type(model) is not keras.Sequential and type(model).__name__ != "Functional":
        raise NotStackable("its model is a class of its own")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NotStackable("its model has several inputs or outputs")
    if len({id(layer) for layer in model.layers}) < len(model.layers):
        raise NotStackable("a layer of it stands in two places")
    described = json.loads(json.dumps({"class_name": type(model).__name__, "config": model.get_config()}))
    layers = described["config"]["layers"]
    for layer in layers:
        kind, config = layer["class_name"], layer["config"]
        if kind not in KNOWN or not str(layer.get("module", "")).startswith("keras"):
            raise NotStackable(f"its layer {kind} is not one that a description says all of")
        if any(not isinstance(config.get(name) or "", str) for name in ("activation", "recurrent_activation")):
            raise NotStackable(f"the activation of its {kind} is not one of Keras's by name")
        draws = kind in (*GATES, "MultiHeadAttention") and (config.get("dropout") or config.get("recurrent_dropout"))
        if draws or config.get("stateful") or (kind == "Dropout" and (config["noise_shape"] or config["seed"])):
            raise NotStackable(f"its {kind} draws random numbers of its own, or remembers")
        _plain(config)
        layer.pop("build_config", None)
    names = {layer["config"]["name"]: f"layer_{i}" for i, layer in enumerate(layers)}
    wide = [layer for layer in layers if layer["class_name"] in WIDTH]
    first = layers.index(wide[0]) if wide else 0  # before it nothing is padded, so a reshape does no harm
    if type(model) is keras.Sequential and all(_paddable(layer) for layer in layers[first:-1]):
        for layer in wide[:-1]:
            name = WIDTH[layer["class_name"]]
            layer["config"][name] = rounded(layer["config"][name])
    described["config"].pop("build_input_shape", None)
    described["config"]["name"] = "member"
    return _renamed(described, names)  # type: ignore[no-any-return]


_PLACES = ("name", "inbound_nodes", "input_layers", "output_layers")
"""Where a description names its layers."""


def _renamed(part: Any, names: dict[str, str], place: bool = False) -> Any:
    """Put other names in the places where a description names its layers."""
    if isinstance(part, dict):
        return {key: _renamed(value, names, place or key in _PLACES) for key, value in part.items()}
    if isinstance(part, list):
        return [_renamed(value, names, place) for value in part]
    return names.get(part, part) if place and isinstance(part, str) else part


def rounded(width: int) -> int:
    """Return the next power of two, or the one and a half of it that comes before.

    >>> [rounded(width) for width in (1, 5, 6, 7, 8, 9, 12, 13, 100, 200)]
    [1, 6, 6, 8, 8, 12, 12, 16, 128, 256]
    """
    power = 1 << (width - 1).bit_length()
    return power * 3 // 4 if power >= 4 and width <= power * 3 // 4 else power


def _plain(config: dict[str, Any]) -> None:
    """Leave out of a layer's description what is data: rates, seeds, first weights."""
    for key in list(config):
        if key.endswith("initializer"):
            config[key] = "zeros"
    config.pop("seed", None)
    if "rate" in config:
        config["rate"] = 0.5


def _paddable(layer: dict[str, Any]) -> bool:
    kind, config = layer["class_name"], layer["config"]
    activation = config.get("activation", "linear")
    if kind in GATES:
        return bool(activation == "tanh")
    return (kind in WIDTH or kind in FOLLOWS) and activation in THROUGH_ZERO


def _gates(layer: Any) -> list[int]:
    """For each trainable variable of a layer, how many matrices stand side by side in it."""
    return [GATES.get(type(layer).__name__, 1)] * len(layer.trainable_variables)
