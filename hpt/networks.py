"""Networks: Keras models built from a configuration.

A builder takes a configuration (a plain dict) and the shape of the problem, and returns a compiled model.
What the configuration leaves out comes from `DEFAULTS`, so ``{}`` is a network too. The *head* of a network,
its output activation and its loss, follows from the problem; `HEADS` is that table.

There are six builders: `mlp` and `autoencoder` for rows of a table, `lstm` and `transformer` for sequences, `cnn` and
`conv_autoencoder` for images. Each is made of Keras's own layers only, so what it builds can be saved, loaded and
exported without this package.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpt.domains import is_whole, whole
from hpt.errors import InvalidInput, unknown


@dataclass(frozen=True)
class Shape:
    """What a builder must know of the data.

    Attributes:
        inputs: shape of one row of inputs, such as ``(30,)``; `lstm`, `cnn` and `transformer` take others too.
        outputs: how many numbers one prediction has.
        problem: ``"binary"``, ``"multiclass"``, ``"regression"`` or ``"autoencoder"``.
    """

    inputs: tuple[int, ...]
    outputs: int
    problem: str


DEFAULTS: dict[str, Any] = {
    "layers": 2,  # lstm: 1
    "units": 64,
    "activation": "relu",
    "init": None,  # the partner of the activation, see PARTNER
    "cell": "lstm",  # lstm only, see CELLS
    "sequence_length": None,  # lstm and transformer: how many of the last steps are read, None for all
    "filters": 16,  # convolutions only: of the first layer, every further one has twice as many
    "kernel_size": 3,  # convolutions only: height and width of a filter in pixels
    "heads": 2,  # transformer only: a divisor of units
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "warmup": 0,  # updates in which the learning rate rises from 0
    "momentum": 0.9,  # sgd only
    "weight_decay": 0.0,
    "clip_norm": None,  # gradients of any length
    "dropout": 0.0,
    "batch_norm": False,
    "output_activation": None,  # the head of the problem, see HEADS
    "loss": None,
    "latent_size": 8,  # autoencoders only
    "batch_size": 32,
    "patience": None,  # no early stopping
}
"""What a network is like where its configuration is silent. ``units`` is one width or a list, one a layer, and
``activation`` one name or a list. A search space holds single values: there they are ``units_1``, ``units_2``, …,
see `folded`."""

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

CELLS: dict[str, str] = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
"""Recurrent cells and their Keras layers: Hochreiter and Schmidhuber 1997, Cho et al. 2014, Elman 1990."""


# --- what a configuration says ------------------------------------------------------------------------

_EACH = ("units", "activation")
"""What may differ from layer to layer."""
_FLAT = re.compile(r"(units|activation)_([1-9][0-9]*)")


def folded(configuration: Mapping[str, Any], layers: int = DEFAULTS["layers"]) -> dict[str, Any]:
    """Return a configuration with ``units_1``, ``units_2``, … as one tuple ``units``; likewise for ``activation``.

    Args:
        configuration: hyperparameters.
        layers: how many hidden layers there are where the configuration does not say.

    Raises:
        InvalidInput: for a layer without its key, a key without its layer, or ``units`` beside ``units_1``.

    >>> folded({"layers": 2, "units_1": 64, "units_2": 16, "activation": "tanh"})
    {'layers': 2, 'activation': 'tanh', 'units': (64, 16)}
    """
    flat = {name: match for name in configuration if (match := _FLAT.fullmatch(str(name)))}
    found = {name: value for name, value in configuration.items() if name not in flat}
    depth = next(iter(_counts(found).values()), layers)
    for name in dict.fromkeys(match[1] for match in flat.values()):
        given = {int(match[2]): key for key, match in flat.items() if match[1] == name}
        if name in found:
            raise InvalidInput(f"{name} and {given[min(given)]} say the same thing twice: leave one of them out")
        for number in given:
            if number > depth:
                raise InvalidInput(f"{name}_{number} is of no layer, for there are {depth}: leave it out")
        for number in range(1, depth + 1):
            if number not in given:
                raise InvalidInput(f"{name}_{number} is missing, for there are {depth} hidden layers")
        found[name] = tuple(configuration[given[number]] for number in sorted(given))
    return found


def _counts(configuration: Mapping[str, Any]) -> dict[str, int]:
    """How many hidden layers there are, by the name of what says so."""
    said = {name: len(value) for name, value in configuration.items() if name in _EACH and _is_list(value)}
    if "layers" not in configuration:
        return said
    return {"layers": whole("layers", configuration["layers"], least=0), **said}


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def merged(defaults: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with defaults beneath it.

    What a configuration says of the units, for all layers or one by one, replaces all that the defaults say of them;
    likewise for the activation.

    >>> merged({"layers": 2, "units": 64}, {"units_1": 16, "units_2": 8})
    {'layers': 2, 'units_1': 16, 'units_2': 8}
    """

    def plain(name: str) -> str:
        match = _FLAT.fullmatch(str(name))
        return match[1] if match else name

    said = {plain(name) for name in configuration}
    return {**{name: value for name, value in defaults.items() if plain(name) not in said}, **configuration}


def complete(configuration: Mapping[str, Any], layers: int = DEFAULTS["layers"]) -> dict[str, Any]:
    """Return a configuration, `folded`, with what it leaves out filled in from `DEFAULTS`.

    Args:
        configuration: hyperparameters.
        layers: how many hidden layers there are where the configuration does not say.

    Raises:
        UnknownName: for a hyperparameter that no builder reads; a misspelt name would otherwise be a silent
            default.
        InvalidInput: for a value that no network can have.
    """
    for name in configuration:
        if name not in DEFAULTS and name != "epochs" and not _FLAT.fullmatch(str(name)):
            raise unknown("hyperparameter", name, [*DEFAULTS, "epochs"])
    full = {**DEFAULTS, "layers": layers, **folded(configuration, layers)}
    for activation in full["activation"] if _is_list(full["activation"]) else [full["activation"]]:
        if activation not in PARTNER:
            raise unknown("activation", activation, PARTNER)
    if full["cell"] not in CELLS:
        raise unknown("cell", full["cell"], CELLS)
    whole("layers", full["layers"], least=0)
    for name in ("filters", "kernel_size", "heads", "latent_size", "batch_size"):
        whole(name, full[name], least=1)
    whole("warmup", full["warmup"], least=0)
    if full["sequence_length"] is not None:
        whole("sequence_length", full["sequence_length"], least=1)
    if full["patience"] is not None and (not is_whole(full["patience"]) or full["patience"] < 1):
        raise InvalidInput(f"patience must be None or a whole number of at least 1, got {full['patience']!r}")
    if full["clip_norm"] is not None and not 0 < full["clip_norm"] < math.inf:
        raise InvalidInput(f"clip_norm must be None or a finite number above 0, got {full['clip_norm']!r}")
    if not full["weight_decay"] >= 0:
        raise InvalidInput(f"weight_decay must be at least 0, got {full['weight_decay']!r}")
    if not 0 <= full["dropout"] < 1:
        raise InvalidInput(f"dropout is a share of at least 0 and below 1, got {full['dropout']!r}")
    if not full["learning_rate"] > 0:
        raise InvalidInput(f"learning_rate must be above 0, got {full['learning_rate']!r}")
    return full


def hidden(configuration: Mapping[str, Any], layers: int = DEFAULTS["layers"]) -> list[tuple[int, str]]:
    """Return the width and the activation of every hidden layer.

    Args:
        configuration: its ``units`` is one width, or a list of them, one a layer; its ``activation`` one name, or a
            list of them; or both layer by layer, see `folded`.
        layers: how many there are where the configuration does not say.

    Raises:
        InvalidInput: for a width below 1, or a list that is not ``configuration["layers"]`` long.
        UnknownName: for an activation without a `PARTNER`.

    >>> hidden({"layers": 2, "units": 16}), hidden({"units": (64, 32), "activation": ("relu", "tanh")})
    ([(16, 'relu'), (16, 'relu')], [(64, 'relu'), (32, 'tanh')])
    """
    given = folded(configuration, layers)
    counts = _counts(given)
    first, depth = next(iter(counts.items()), ("layers", layers))
    for name, count in counts.items():
        if count != depth:
            raise InvalidInput(f"{first}={given[first]!r} but {name}={given[name]!r} describes {count} layers")
    values = (given.get(name, DEFAULTS[name]) for name in _EACH)
    units, activation = (list(value) if _is_list(value) else [value] * depth for value in values)
    if any(not is_whole(width) or width < 1 for width in units):
        raise InvalidInput(f"units must be whole numbers of at least 1, got {units!r}")
    for name in activation:
        if name not in PARTNER:
            raise unknown("activation", name, PARTNER)
    return [(int(width), name) for width, name in zip(units, activation, strict=True)]


def widths(configuration: Mapping[str, Any], layers: int = DEFAULTS["layers"]) -> list[int]:
    """Return the width of every hidden layer. Takes and raises what `hidden` does.

    >>> widths({"layers": 3, "units": 16}), widths({"units": (64, 32)})
    ([16, 16, 16], [64, 32])
    """
    return [width for width, _ in hidden(configuration, layers)]


def optimizer(configuration: Mapping[str, Any]) -> Any:
    """Make the Keras optimizer of a configuration: ``adam``, ``rmsprop`` or ``sgd``.

    Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019), as Keras does it for all three.
    ``clip_norm`` shortens a gradient, all weights of the network taken as one vector, to at most that length
    (Pascanu et al. 2013), before the optimizer sees it. ``warmup`` lets the learning rate rise on a straight line from
    0, and arrive after so many updates (Goyal et al. 2017).
    """
    import keras

    full = complete(configuration)
    decay = float(full["weight_decay"]) or None  # Keras takes floats only
    clip = None if full["clip_norm"] is None else float(full["clip_norm"])
    rate: Any = float(full["learning_rate"])
    if full["warmup"]:  # Keras warms up in front of a cosine; this one ends where it starts, so it stays flat
        rate = keras.optimizers.schedules.CosineDecay(0.0, 1, 1.0, warmup_target=rate, warmup_steps=int(full["warmup"]))
    shared = {"learning_rate": rate, "weight_decay": decay, "global_clipnorm": clip}
    if full["optimizer"] == "sgd":
        return keras.optimizers.SGD(momentum=float(full["momentum"]), **shared)
    makers = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    if full["optimizer"] not in makers:
        raise unknown("optimizer", full["optimizer"], ["sgd", *makers])
    return makers[full["optimizer"]](**shared)


def _activated(layer: Any, full: Mapping[str, Any], activation: str) -> list[Any]:
    """A layer without activation, then batch normalization where asked for, then the activation."""
    from keras import layers

    norm = [layers.BatchNormalization()] if full["batch_norm"] else []
    return [layer, *norm, layers.Activation(activation)]


def _dropout(full: Mapping[str, Any]) -> list[Any]:
    from keras import layers

    return [layers.Dropout(full["dropout"])] if full["dropout"] else []


def _init(full: Mapping[str, Any], activation: str) -> str:
    return str(full["init"] or PARTNER[activation])


def _one_activation(full: Mapping[str, Any], network: str) -> str:
    if _is_list(full["activation"]):
        raise InvalidInput(f"{network} has one activation: it must be one name, got {full['activation']!r}")
    return str(full["activation"])


def _hidden(full: Mapping[str, Any], width: int, activation: str) -> list[Any]:
    """One hidden layer: dense, then batch normalization, activation and dropout where asked for."""
    from keras import layers

    dense = layers.Dense(width, kernel_initializer=_init(full, activation), use_bias=not full["batch_norm"])
    return [*_activated(dense, full, activation), *_dropout(full)]


def _head(full: Mapping[str, Any], shape: Shape) -> Any:
    import keras

    activation = full["output_activation"] or HEADS[shape.problem][0]
    return keras.layers.Dense(shape.outputs, activation=activation, name="head")


def _compiled(model: Any, full: Mapping[str, Any], shape: Shape) -> Any:
    model.compile(optimizer=optimizer(full), loss=full["loss"] or HEADS[shape.problem][1])
    return model


def _sequential(layers: list[Any], full: Mapping[str, Any], shape: Shape) -> Any:
    """One layer behind the other, then the head."""
    import keras

    return _compiled(keras.Sequential([keras.Input(shape.inputs), *layers, _head(full, shape)]), full, shape)


# --- rows of a table ----------------------------------------------------------------------------------


def mlp(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a multi-layer perceptron: hidden layers of given widths and activations, then the head of the problem.

    Args:
        configuration: hyperparameters; `DEFAULTS` fills the rest.
        shape: of the data.

    Returns:
        A compiled ``keras.Sequential``.
    """
    import keras

    full = complete(configuration)
    flat = [keras.layers.Flatten()] if len(shape.inputs) > 1 else []
    layers = [layer for one in hidden(configuration) for layer in _hidden(full, *one)]
    return _sequential(flat + layers, full, shape)


def autoencoder(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a dense autoencoder: hidden layers down to ``latent_size`` numbers and, mirrored, up again.

    The bottleneck layer is called ``"bottleneck"``; it is linear, so that with one such layer and nothing
    else the network can do what principal components do.
    """
    import keras

    full = complete(configuration)
    sizes = hidden(configuration)
    down = [layer for one in sizes for layer in _hidden(full, *one)]
    middle = keras.layers.Dense(full["latent_size"], name="bottleneck")
    up = [layer for one in reversed(sizes) for layer in _hidden(full, *one)]
    return _sequential([keras.layers.Flatten(), *down, middle, *up], full, shape)


# --- sequences ----------------------------------------------------------------------------------------


def _sequence(full: Mapping[str, Any], shape: Shape) -> list[Any]:
    """What brings inputs to ``(steps, features)``, the last ``sequence_length`` steps of them."""
    import keras

    if len(shape.inputs) > 2:
        raise InvalidInput(f"a sequence has shape (steps,) or (steps, features), got inputs of shape {shape.inputs}")
    steps, length = shape.inputs[0], full["sequence_length"]
    if length is not None and length > steps:
        raise InvalidInput(f"the sequences are {steps} steps long: sequence_length must be at most that, got {length}")
    found = [keras.layers.Reshape((*shape.inputs, 1))] if len(shape.inputs) == 1 else []
    return found + ([keras.layers.Cropping1D((steps - length, 0))] if length not in (None, steps) else [])


def _at_least_one(layers: int, network: str) -> None:
    if layers < 1:
        raise InvalidInput(f"{network} needs at least 1 layer, got {layers}")


def lstm(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a recurrent network: it reads a sequence step by step, and the head sees its last state.

    Args:
        configuration: hyperparameters; `DEFAULTS` fills the rest, but ``layers`` is 1 where it is left out.
            ``cell`` is one of `CELLS`, with Keras's own activations: ``activation`` and ``batch_norm`` are not
            read. Behind every recurrent layer stands a dropout layer; none works from step to step.
        shape: of the data; inputs ``(steps,)``, or ``(steps, features)``.

    Returns:
        A compiled ``keras.Sequential``.

    Raises:
        InvalidInput: for inputs that are no sequence or shorter than ``sequence_length``, no layers, or several
            activations.
    """
    import keras

    full = complete(configuration, layers=1)
    _one_activation(full, "a recurrent network")
    layers, sizes = _sequence(full, shape), widths(configuration, layers=1)
    _at_least_one(len(sizes), "a recurrent network")
    kind = getattr(keras.layers, CELLS[full["cell"]])
    for number, width in enumerate(sizes, start=1):
        init = full["init"] or PARTNER["tanh"]
        layers += [kind(width, kernel_initializer=init, return_sequences=number < len(sizes)), *_dropout(full)]
    return _sequential(layers, full, shape)


def transformer(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a small transformer encoder (Vaswani et al. 2017): every step looks at every other step.

    A step's features become ``units`` numbers, and each position adds numbers of its own, which are learned. Then
    ``layers`` blocks follow: attention, and two dense layers, the first twice as wide; each is followed by dropout,
    added to what came in, and normalized (Ba et al. 2016). The head sees the mean over the steps.

    Args:
        configuration: hyperparameters; `DEFAULTS` fills the rest. ``units`` is one width for all blocks, a
            multiple of ``heads``; ``activation`` and ``init`` are those of the dense layers; ``batch_norm`` is
            not read.
        shape: of the data; inputs ``(steps,)``, or ``(steps, features)``.

    Returns:
        A compiled ``keras.Model``.

    Raises:
        InvalidInput: for inputs that are no sequence or shorter than ``sequence_length``, no layers, several widths or
            activations, or heads that do not divide the width.
    """
    import keras
    from keras import layers

    full = complete(configuration)
    activation = _one_activation(full, "a transformer")
    _at_least_one(full["layers"], "a transformer")
    if not is_whole(full["units"]):
        raise InvalidInput(f"a transformer has one width: units must be a whole number, got {full['units']!r}")
    width, heads = widths(configuration)[0], int(full["heads"])
    if width % heads:
        raise InvalidInput(f"heads must divide units: {width} units can't be cut into {heads} heads")

    def joined(x: Any, change: Any) -> Any:
        for layer in _dropout(full):
            change = layer(change)
        return layers.LayerNormalization()(layers.add([x, change]))

    x = inputs = keras.Input(shape.inputs)
    for layer in _sequence(full, shape):
        x = layer(x)
    # A dense layer whose bias has a row for every step: the projection and the positions, in one Keras layer.
    positions = keras.initializers.RandomNormal(stddev=0.02)
    x = layers.EinsumDense(
        "bsf,fu->bsu", (x.shape[1], width), bias_axes="su", bias_initializer=positions, name="embedding"
    )(x)
    for _ in range(full["layers"]):
        x = joined(x, layers.MultiHeadAttention(heads, width // heads)(x, x))
        inner = layers.Dense(2 * width, activation, kernel_initializer=_init(full, activation))(x)
        x = joined(x, layers.Dense(width)(inner))
    return _compiled(keras.Model(inputs, _head(full, shape)(layers.GlobalAveragePooling1D()(x))), full, shape)


# --- images -------------------------------------------------------------------------------------------


def _image(shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels of inputs ``(pixels,)``, ``(height, width)`` or ``(height, width, channels)``."""
    inputs = shape.inputs
    if len(inputs) == 1:
        side = math.isqrt(inputs[0])
        if side * side != inputs[0]:
            raise InvalidInput(
                f"{inputs[0]} numbers a row are no square image, as 64 are one of 8 by 8: "
                "give inputs of shape (rows, height, width)"
            )
        inputs = (side, side)
    if len(inputs) > 3:
        raise InvalidInput(f"an image has shape (height, width) or (height, width, channels), got {inputs}")
    height, width, channels = inputs if len(inputs) == 3 else (*inputs, 1)
    return height, width, channels


def _pixels(size: tuple[int, int, int], shape: Shape) -> list[Any]:
    """What brings inputs to ``(height, width, channels)``."""
    import keras

    return [keras.layers.Reshape(size)] if size != shape.inputs else []


def cnn(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a convolutional network (LeCun et al. 1998): small filters look for patterns all over an image.

    A layer has ``filters`` filters, twice as many as the layer before it, keeps the size of the image, and is
    followed by pooling, which halves height and width as long as both are at least 4. The head sees the mean of
    every filter over what is left of the image, behind dropout where asked for. With that mean (Lin
    et al. 2014) the head has one weight for each filter and class whatever the size of the image, so the number of
    weights follows from the hyperparameters. Flattened, it would follow mostly from the number of pixels.

    Args:
        configuration: hyperparameters; `DEFAULTS` fills the rest. ``units`` is not read.
        shape: of the data; inputs ``(height, width)``, ``(height, width, channels)``, or ``(pixels,)`` of a
            square image.

    Returns:
        A compiled ``keras.Sequential``.

    Raises:
        InvalidInput: for inputs that are no image, no layers, or several activations.
    """
    import keras

    full = complete(configuration)
    activation = _one_activation(full, "a convolutional network")
    _at_least_one(full["layers"], "a convolutional network")
    size = _image(shape)
    layers = _pixels(size, shape)
    side, filters, kernel = min(size[:2]), int(full["filters"]), int(full["kernel_size"])
    for depth in range(full["layers"]):
        init, bias = _init(full, activation), not full["batch_norm"]
        convolution = keras.layers.Conv2D(
            filters * 2**depth, kernel, padding="same", kernel_initializer=init, use_bias=bias
        )
        layers += _activated(convolution, full, activation)
        if side >= 4:
            layers.append(keras.layers.MaxPooling2D(2))
            side //= 2
    return _sequential([*layers, keras.layers.GlobalAveragePooling2D(), *_dropout(full)], full, shape)


def conv_autoencoder(configuration: Mapping[str, Any], shape: Shape) -> Any:
    """Build a convolutional autoencoder (Masci et al. 2011): down to ``latent_size`` numbers by convolutions, and up.

    Each of the ``layers`` convolutions, ``filters`` of them in the first and twice as many in every further one, is
    followed by pooling, which halves height and width. A linear layer, ``"bottleneck"``, makes ``latent_size`` numbers
    of what is left; from there the same sizes are gone through backwards.

    Args:
        configuration: hyperparameters; `DEFAULTS` fills the rest. ``units`` and ``batch_norm`` are not read.
        shape: of the data; inputs as in `cnn`.

    Returns:
        A compiled ``keras.Sequential``; an image comes back as one row of numbers, the autoencoder's target.

    Raises:
        InvalidInput: for inputs that are no image or cannot be halved that often, no layers, or several activations.
    """
    import keras
    from keras import layers

    full = complete(configuration)
    activation, depth = _one_activation(full, "a convolutional autoencoder"), int(full["layers"])
    _at_least_one(depth, "a convolutional autoencoder")
    height, width, channels = _image(shape)
    if height % 2**depth or width % 2**depth:
        raise InvalidInput(f"an image of {height} by {width} can't be halved {depth} times: give fewer layers")
    small = (height // 2**depth, width // 2**depth, int(full["filters"]) * 2 ** (depth - 1))

    init, kernel = _init(full, activation), int(full["kernel_size"])

    def convolution(filters: int) -> Any:
        return layers.Conv2D(filters, kernel, padding="same", activation=activation, kernel_initializer=init)

    down = [convolution(int(full["filters"]) * 2**i) for i in range(depth)]
    up = [convolution(int(full["filters"]) * 2**i) for i in reversed(range(depth))]
    stack: list[Any] = [keras.Input(shape.inputs), *_pixels((height, width, channels), shape)]
    for layer in down:
        stack += [layer, layers.MaxPooling2D(2), *_dropout(full)]
    stack += [layers.Flatten(), layers.Dense(full["latent_size"], name="bottleneck")]
    stack += [layers.Dense(math.prod(small), activation, kernel_initializer=init)]
    stack += [layers.Reshape(small)]
    for layer in up:
        stack += [layers.UpSampling2D(2), layer, *_dropout(full)]
    output = full["output_activation"] or HEADS[shape.problem][0]
    stack += [layers.Conv2D(channels, kernel, padding="same", activation=output, name="head")]
    return _compiled(keras.Sequential([*stack, layers.Flatten()]), full, shape)
