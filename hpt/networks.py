"""Networks: Keras models built from a configuration.

A builder takes a configuration (a plain dict) and the shape of the problem, and returns a compiled model.
What the configuration leaves out comes from `DEFAULTS`, so ``{}`` is a network too. The *head* of a network,
its output activation and its loss, follows from the problem; `HEADS` is that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpt.domains import is_whole
from hpt.errors import InvalidInput, unknown


@dataclass(frozen=True)
class Shape:
    """What a builder must know of the data.

    Attributes:
        inputs: shape of one row of inputs, such as ``(30,)``.
        outputs: how many numbers one prediction has.
        problem: ``"binary"``, ``"multiclass"``, ``"regression"`` or ``"autoencoder"``.
    """

    inputs: tuple[int, ...]
    outputs: int
    problem: str


DEFAULTS: dict[str, Any] = {
    "layers": 2,
    "units": 64,
    "activation": "relu",
    "init": None,  # the partner of the activation, see PARTNER
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "momentum": 0.9,  # sgd only
    "weight_decay": 0.0,
    "dropout": 0.0,
    "batch_norm": False,
    "output_activation": None,  # the head of the problem, see HEADS
    "loss": None,
    "latent_size": 8,  # autoencoder only
    "batch_size": 32,
    "patience": None,  # no early stopping
}
"""What a network is like where its configuration is silent. ``units`` is one width or a list, one a layer."""

HEADS: dict[str, tuple[str, str]] = {
    "binary": ("sigmoid", "binary_crossentropy"),
    "multiclass": ("softmax", "sparse_categorical_crossentropy"),
    "regression": ("linear", "mse"),
    "autoencoder": ("sigmoid", "mse"),
}
"""Output activation and loss that belong to a problem."""

PARTNER: dict[str, str] = {
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "sigmoid": "glorot_uniform",
    "tanh": "glorot_uniform",
    "linear": "glorot_uniform",
}
"""Initialization that goes with an activation: He et al. 2015 for the ReLU family, Glorot and Bengio 2010
for the others."""


def complete(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with what it leaves out filled in from `DEFAULTS`.

    Raises:
        UnknownName: for a hyperparameter that no builder reads; a misspelt name would otherwise be a silent
            default.
        InvalidInput: for a value that no network can have.
    """
    for name in configuration:
        if name not in DEFAULTS and name != "epochs":
            raise unknown("hyperparameter", name, [*DEFAULTS, "epochs"])
    full = {**DEFAULTS, **configuration}
    if full["activation"] not in PARTNER:
        raise unknown("activation", full["activation"], PARTNER)
    for name, least in (("layers", 0), ("latent_size", 1), ("batch_size", 1)):
        if not is_whole(full[name]) or full[name] < least:
            raise InvalidInput(f"{name} must be a whole number of at least {least}, got {full[name]!r}")
    if full["patience"] is not None and (not is_whole(full["patience"]) or full["patience"] < 1):
        raise InvalidInput(f"patience must be None or a whole number of at least 1, got {full['patience']!r}")
    if not full["weight_decay"] >= 0:
        raise InvalidInput(f"weight_decay must be at least 0, got {full['weight_decay']!r}")
    if not 0 <= full["dropout"] < 1:
        raise InvalidInput(f"dropout is a share of at least 0 and below 1, got {full['dropout']!r}")
    if not full["learning_rate"] > 0:
        raise InvalidInput(f"learning_rate must be above 0, got {full['learning_rate']!r}")
    return full


def widths(configuration: Mapping[str, Any]) -> list[int]:
    """Return the width of every hidden layer.

    >>> widths({"layers": 3, "units": 16}), widths({"units": (64, 32)})
    ([16, 16, 16], [64, 32])
    """
    units = configuration.get("units", DEFAULTS["units"])
    if is_whole(units):
        units = [int(units)] * configuration.get("layers", DEFAULTS["layers"])
    elif "layers" in configuration and configuration["layers"] != len(units):
        raise InvalidInput(f"layers={configuration['layers']} but units={units!r} describes {len(units)} layers")
    if any(not is_whole(width) or width < 1 for width in units):
        raise InvalidInput(f"units must be whole numbers of at least 1, got {units!r}")
    return list(units)


def optimizer(configuration: Mapping[str, Any]) -> Any:
    """Make the Keras optimizer of a configuration: ``adam``, ``rmsprop`` or ``sgd``.

    Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019), as Keras does it for all three.
    """
    import keras

    full = complete(configuration)
    decay = float(full["weight_decay"]) or None  # Keras takes floats only
    shared = {"learning_rate": float(full["learning_rate"]), "weight_decay": decay}
    if full["optimizer"] == "sgd":
        return keras.optimizers.SGD(momentum=float(full["momentum"]), **shared)
    makers = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    if full["optimizer"] not in makers:
        raise unknown("optimizer", full["optimizer"], ["sgd", *makers])
    return makers[full["optimizer"]](**shared)


def _hidden(full: Mapping[str, Any], width: int) -> list[Any]:
    """One hidden layer: dense, then batch normalization, activation and dropout where asked for."""
    from keras import layers

    init = full["init"] or PARTNER[full["activation"]]
    stack = [layers.Dense(width, kernel_initializer=init, use_bias=not full["batch_norm"])]
    if full["batch_norm"]:
        stack.append(layers.BatchNormalization())
    stack.append(layers.Activation(full["activation"]))
    if full["dropout"]:
        stack.append(layers.Dropout(full["dropout"]))
    return stack


def _compiled(layers: list[Any], full: Mapping[str, Any], shape: Shape) -> Any:
    import keras

    activation, loss = HEADS[shape.problem]
    head = keras.layers.Dense(shape.outputs, activation=full["output_activation"] or activation, name="head")
    model = keras.Sequential([keras.Input(shape.inputs), *layers, head])
    model.compile(optimizer=optimizer(full), loss=full["loss"] or loss)
    return model


def mlp(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a multi-layer perceptron: hidden layers of the given widths, then the head of the problem.

    Args:
        configuration: hyperparameters; `DEFAULTS` fills the rest.
        shape: of the data.

    Returns:
        A compiled ``keras.Sequential``.
    """
    import keras

    full = complete(configuration)
    flat = [keras.layers.Flatten()] if len(shape.inputs) > 1 else []
    layers = [layer for width in widths(configuration) for layer in _hidden(full, width)]
    return _compiled(flat + layers, full, shape)


def autoencoder(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a dense autoencoder: hidden layers down to ``latent_size`` numbers and, mirrored, up again.

    The bottleneck layer is called ``"bottleneck"``; it is linear, so that with one such layer and nothing
    else the network can do what principal components do.
    """
    import keras

    full = complete(configuration)
    sizes = widths(configuration)
    down = [layer for width in sizes for layer in _hidden(full, width)]
    middle = keras.layers.Dense(full["latent_size"], name="bottleneck")
    up = [layer for width in reversed(sizes) for layer in _hidden(full, width)]
    return _compiled([keras.layers.Flatten(), *down, middle, *up], full, shape)
