"""Layers: a dense network as a list of sizes, and the weights it starts from.

`hpt.networks` builds Keras models. A trainer that stacks networks needs the same networks as plain numbers: how
many layers, how wide, starting from which weights. Both trainers take the starting weights from here, each layer's
from a stream of its own, so one seed is one network whoever trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hpt import networks
from hpt.data import Array
from hpt.errors import InvalidInput
from hpt.networks import PARTNER, Shape
from hpt.seeds import derive, stream

Kind = Literal["hidden", "bottleneck", "head"]


@dataclass(frozen=True)
class Layer:
    """One dense layer.

    Attributes:
        kind: ``"hidden"`` layers have an activation, and batch normalization and dropout where asked for; a
            ``"bottleneck"`` is linear; the ``"head"`` comes last.
        inputs: how many numbers come in.
        outputs: how many go out.
        init: Keras name of the initializer of its matrix.
        batch_norm: whether it normalizes its batch, with a scale and a shift in the place of a bias.
        activation: of a hidden layer. What follows a head's sums belongs to the problem.
    """

    kind: Kind
    inputs: int
    outputs: int
    init: str = "glorot_uniform"
    batch_norm: bool = False
    activation: str = "linear"


Hidden = list[tuple[int, str]]
"""Width and activation of each hidden layer."""
Row = list[tuple[Kind, int, str]]
"""Kind, width and activation of each layer before the head."""


def _mlp(full: Mapping[str, Any], hidden: Hidden) -> Row:
    return [("hidden", width, activation) for width, activation in hidden]


def _autoencoder(full: Mapping[str, Any], hidden: Hidden) -> Row:
    return [*_mlp(full, hidden), ("bottleneck", int(full["latent_size"]), "linear"), *_mlp(full, hidden[::-1])]


DENSE: dict[Callable[..., Any], Callable[[Mapping[str, Any], Hidden], Row]] = {
    networks.mlp: _mlp,
    networks.autoencoder: _autoencoder,
}
"""The builders whose networks are dense, and which layers each puts before the head."""


def parameters(layers: Sequence[Layer]) -> int:
    """Return how many numbers of layers are learned: weights, and biases or batch normalization's scales and shifts."""
    return sum(one.inputs * one.outputs + one.outputs * (2 if one.batch_norm else 1) for one in layers)


def layers(build: Callable[..., Any], configuration: Mapping[str, Any], shape: Shape) -> list[Layer]:
    """Return the layers that a dense builder makes of a configuration.

    Args:
        build: one of `DENSE`.
        configuration: hyperparameters; `hpt.networks.DEFAULTS` fills the rest.
        shape: of the data.

    >>> shape = Shape((30,), 1, "binary")
    >>> [(layer.kind, layer.inputs, layer.outputs) for layer in layers(networks.mlp, {"units": (8, 4)}, shape)]
    [('hidden', 30, 8), ('hidden', 8, 4), ('head', 4, 1)]
    """
    full = networks.complete(configuration)
    found, inputs = [], int(np.prod(shape.inputs))
    for kind, outputs, activation in DENSE[build](full, networks.hidden(configuration)):
        if kind == "hidden":
            init = full["init"] or PARTNER[activation]
            found.append(Layer(kind, inputs, outputs, init, bool(full["batch_norm"]), activation))
        else:
            found.append(Layer(kind, inputs, outputs))
        inputs = outputs
    return [*found, Layer("head", inputs, shape.outputs)]


def initial_weights(layers: list[Layer], seed: int) -> list[Array]:
    """Return what a network starts from: a matrix a layer, and its bias; or matrix, scale and shift.

    Args:
        layers: of the network.
        seed: of the member; layer ``i`` draws from the stream ``(seed, "weights", i)``.

    Returns:
        Arrays in Keras's order, without moving statistics, float32.
    """
    found: list[Array] = []
    for i, layer in enumerate(layers):
        found.append(draw_matrix(layer.init, (layer.inputs, layer.outputs), seed, i))
        rest = [np.zeros(layer.outputs, "float32")]
        found += [np.ones(layer.outputs, "float32"), *rest] if layer.batch_norm else rest
    return found


# Scale, the side of the matrix whose size counts, and the distribution. He et al. 2015; Glorot and Bengio 2010;
# LeCun et al. 1998. Normal ones are cut off at two standard deviations, as in Keras.
_SCALING: dict[str, tuple[float, str]] = {"he": (2.0, "in"), "glorot": (1.0, "mean"), "lecun": (1.0, "in")}
_CUT = 0.87962566103423978  # standard deviation of a unit normal that is cut off at two


def draw_matrix(init: str, shape: tuple[int, int], seed: int, layer: int) -> Array:
    """Draw the first matrix of a layer.

    Args:
        init: ``he_normal``, ``he_uniform``, ``glorot_normal``, ``glorot_uniform``, ``lecun_normal``,
            ``lecun_uniform``, or any other name of a Keras initializer.
        shape: inputs, outputs.
        seed: of the member.
        layer: number of the layer.

    Raises:
        InvalidInput: for a name that Keras does not know either.
    """
    family, _, form = str(init).partition("_")
    if family not in _SCALING or form not in ("normal", "uniform"):
        return _by_keras(init, shape, derive(seed, "weights", layer))
    scale, side = _SCALING[family]
    spread = np.sqrt(scale / (shape[0] if side == "in" else (shape[0] + shape[1]) / 2))
    rng = stream(seed, "weights", layer)
    if form == "uniform":
        limit = np.sqrt(3) * spread
        return np.asarray(limit * (2 * rng.random(shape, dtype="float32") - 1), dtype="float32")
    drawn = rng.standard_normal(shape, dtype="float32")
    while (wild := np.abs(drawn) > 2).any():
        drawn[wild] = rng.standard_normal(int(wild.sum()), dtype="float32")
    return np.asarray(drawn * (spread / _CUT), dtype="float32")


def _by_keras(init: str, shape: tuple[int, int], seed: int) -> Array:
    import keras

    try:
        made = keras.initializers.get(init)
        if "seed" in made.get_config():
            made = type(made).from_config({**made.get_config(), "seed": seed})
    except (ValueError, AttributeError):
        raise InvalidInput(
            f"init must be he_normal, glorot_uniform or another Keras initializer, got {init!r}"
        ) from None
    return np.asarray(made(shape, dtype="float32"))
