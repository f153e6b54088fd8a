"""Reading a compiled Keras model: which rule its optimizer follows, which loss, and whether it is a dense network.

A user's own ``build`` function hands over a finished model. What a stack needs to know is read off it here; what
cannot be read raises `NotStackable`, and the Keras loop trains the model as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpt.domains import is_whole
from hpt.layers import Layer
from hpt.training.updates import Rule

if TYPE_CHECKING:
    from hpt.tasks import Task


class NotStackable(Exception):
    """Why a network can only be trained by Keras itself."""


_ODD = ("clipnorm", "clipvalue", "use_ema", "amsgrad", "nesterov", "centered", "loss_scale_factor",
        "gradient_accumulation_steps")  # fmt: skip
"""Settings of Keras's optimizers that the formula of `hpt.training.updates` lacks."""


_EXCLUDES = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
"""Where Keras keeps what ``exclude_from_weight_decay`` was told; no public name has it."""


def rule_of(model: Any) -> Rule:
    """Read the rule off a compiled model's optimizer: SGD, RMSprop, Adam or AdamW.

    Raises:
        NotStackable: for another optimizer, a schedule other than a warm-up, or a setting that the formula lacks.
    """
    kind, config = type(model.optimizer).__name__, model.optimizer.get_config()
    name = {"Adam": "adam", "AdamW": "adam", "RMSprop": "rmsprop", "SGD": "sgd"}.get(kind)
    if name is None:
        raise NotStackable(f"its optimizer is {kind}")
    if any(getattr(model.optimizer, name, None) for name in _EXCLUDES):
        raise NotStackable("its weight decay leaves variables out")
    odd = [key for key in _ODD if config.get(key)] + ["momentum"] * bool(name == "rmsprop" and config["momentum"])
    if odd:
        raise NotStackable(f"its optimizer has {odd[0]} set")
    rate, warmup = _rate(config["learning_rate"])
    return Rule(
        name,
        rate,
        first=config["momentum"] if name == "sgd" else config.get("beta_1", 0.0),
        second=config.get("rho", config.get("beta_2", 0.0)),
        epsilon=config.get("epsilon", 0.0),
        weight_decay=config.get("weight_decay") or 0.0,
        clip_norm=config.get("global_clipnorm") or np.inf,
        warmup=warmup,
    )


def _rate(rate: Any) -> tuple[float, int]:
    """Return the learning rate, and the steps in which it warms up, of an optimizer's description."""
    if isinstance(rate, float):
        return rate, 0
    if rate.get("class_name") == "CosineDecay":  # what `hpt.networks.optimizer` makes: a warm-up, then nothing changes
        schedule = rate["config"]
        if schedule["warmup_target"] and schedule["initial_learning_rate"] == 0 and schedule["alpha"] == 1:
            return float(schedule["warmup_target"]), int(schedule["warmup_steps"])
    raise NotStackable("its learning rate follows a schedule")


_ADDS = ("activity_regularizer", "kernel_regularizer", "bias_regularizer", "recurrent_regularizer")
"""Settings with which a layer adds to the loss."""


def loss_of(model: Any) -> str:
    """Return the name of a compiled model's loss.

    Raises:
        NotStackable: if it was not given by name, has a weight, layers add to it, or weights are constrained, which
            changes them outside the update rule.
    """
    if not isinstance(model.loss, str):
        raise NotStackable("its loss was not given by name")
    if model.get_compile_config().get("loss_weights") is not None:
        raise NotStackable("its loss has a weight")
    if model.losses or any(getattr(layer, name, None) for layer in model.layers for name in _ADDS):
        raise NotStackable("a layer of it adds to the loss")
    if any(getattr(variable, "constraint", None) is not None for variable in model.trainable_variables):
        raise NotStackable("its weights are constrained")
    return str(model.loss)


def checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that a user's own builder leaves to the trainer, if a stack can follow them.

    Raises:
        NotStackable: if not; the Keras loop says what is wrong with them.
    """
    batch, patience = settings["batch_size"], settings["patience"]
    if not is_whole(batch) or batch < 1 or (patience is not None and (not is_whole(patience) or patience < 1)):
        raise NotStackable("its batch size or its patience is not a whole number of at least 1")
    return settings


ONE_BY_ONE = (
    "mse", "mean_squared_error", "mae", "mean_absolute_error", "mape", "mean_absolute_percentage_error", "msle",
    "mean_squared_logarithmic_error", "binary_crossentropy", "binary_focal_crossentropy", "huber", "log_cosh",
    "poisson", "hinge", "squared_hinge",
)  # fmt: skip
"""Losses that are means over single numbers; Keras takes the others over all rows where a row is one number."""


def check_targets(task: Task, loss: str) -> None:
    """See that a loss takes one number a row as its target, or an output for each number.

    Raises:
        NotStackable: if it does not: Keras may refuse such a pair, where a stack would spread the one number out.
    """
    if task.dataset.y.ndim > 1 or loss.startswith("sparse"):
        return
    if task.shape.outputs > 1:
        raise NotStackable("its loss wants a target for every output")
    if loss not in ONE_BY_ONE:
        raise NotStackable("its loss looks at several rows at once")


class DenseModel(NamedTuple):
    """A dense network as it was read.

    Attributes:
        layers: of the network, the head last.
        dropout: rate behind every hidden layer.
        output_activation: of the head.
    """

    layers: list[Layer]
    dropout: float
    output_activation: str


def dense_of(model: Any) -> DenseModel | None:
    """Read a ``keras.Sequential`` of dense layers, or return None if it is anything else.

    Each hidden layer may be followed by batch normalization, an activation and dropout, in this order, the first and
    the last the same for every hidden layer, as `hpt.networks.mlp` has them; a ``Flatten`` may come first.
    """
    import keras

    if type(model) is not keras.Sequential or len({id(layer) for layer in model.layers}) < len(model.layers):
        return None
    name = keras.activations.serialize
    blocks: list[dict[str, Any]] = []
    order = ("BatchNormalization", "Activation", "Dropout", "Dense")
    after = {"Dense"}  # what may still follow in the present block
    for i, layer in enumerate(model.layers):
        kind = type(layer).__name__
        if kind == "Flatten" and i == 0:
            continue
        if kind not in after or not _plain(layer):
            return None
        if kind == "Dense":
            blocks.append({"layer": layer, "normal": False, "activation": name(layer.activation), "rate": 0.0})
            after = set(order if blocks[-1]["activation"] == "linear" else order[2:])
            continue
        if kind == "BatchNormalization":
            blocks[-1]["normal"] = True
        elif kind == "Activation":
            blocks[-1]["activation"] = name(layer.activation)
        else:
            blocks[-1]["rate"] = float(layer.rate)
        after = set(order[order.index(kind) + 1 :])
    if not blocks or any(block["layer"].use_bias == block["normal"] for block in blocks):
        return None  # a shift is either the bias or the normalization's
    *hidden, head = blocks
    looks = {(block["normal"], block["rate"]) for block in hidden}
    if head["normal"] or head["rate"] or len(looks) > 1:
        return None
    layers = []
    for block in blocks:
        inputs, outputs = map(int, block["layer"].kernel.shape)
        last = block is head
        activation = "linear" if last else str(block["activation"])
        layers.append(
            Layer("head" if last else "hidden", inputs, outputs, batch_norm=block["normal"], activation=activation)
        )
    return DenseModel(layers, looks.pop()[1] if looks else 0.0, str(head["activation"]))


def _plain(layer: Any) -> bool:
    """Say whether a layer has no settings that a stack lacks."""
    kind = type(layer).__name__
    if not layer.trainable:
        return False
    if kind == "Dense":
        return not (layer.kernel_constraint or layer.bias_constraint) and len(layer.input.shape) == 2
    if kind == "BatchNormalization":
        return bool(layer.center and layer.scale and (layer.epsilon, layer.momentum) == (1e-3, 0.99))
    return kind != "Dropout" or (layer.noise_shape is None and layer.seed is None)
