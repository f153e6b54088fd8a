"""Updates: how a gradient becomes a step, for every optimizer in one formula.

Stochastic gradient descent with momentum, RMSprop and Adam differ in coefficients, not in shape::

    m ← a·m + c·g                                        memory of the gradient
    v ← b·v + d·g²                                       memory of its square
    w ← w·decay − step · m / (√(v + inside) + outside)

So an optimizer is a row of eight numbers, and networks with different optimizers can take their steps together:
each brings its own row. The numbers are those of Keras 3, epsilon included:

.. table:: The rows of the three optimizers

   =========  =============  =====  =====  =====  ======  =======  ==========================
   optimizer  a              b      c      d      inside  outside  step
   =========  =============  =====  =====  =====  ======  =======  ==========================
   sgd        momentum       1      η      0      0       1        1
   rmsprop    0              0.9    1      0.1    1e-7    0        η
   adam       0.9            0.999  0.1    0.001  0       1e-7     η·√(1 − 0.999ᵗ)/(1 − 0.9ᵗ)
   =========  =============  =====  =====  =====  ======  =======  ==========================

η is the learning rate, or while it warms up over n steps η·(t − 1)/n; t counts steps from 1. ``decay`` is 1 − η·λ:
weight decay apart from the gradient, as in AdamW (Loshchilov and Hutter 2019), which Keras offers for all three.
Sources: Polyak 1964 (momentum); Tieleman and Hinton 2012, lecture 6.5 (RMSprop); Kingma and Ba 2015, the form before
section 2.1 with its epsilon hat (Adam).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hpt.data import Array
from hpt.errors import unknown

COLUMNS = ("a", "b", "c", "d", "inside", "outside", "step", "decay")


class Rule(NamedTuple):
    """What an optimizer needs to know, as numbers.

    Attributes:
        name: ``"sgd"``, ``"rmsprop"`` or ``"adam"``.
        learning_rate: η.
        first: momentum of sgd, β₁ of adam: how much of ``m`` stays.
        second: ρ of rmsprop, β₂ of adam: how much of ``v`` stays.
        epsilon: what keeps the division finite.
        weight_decay: λ.
        clip_norm: the longest a network's whole gradient may be; infinity for no limit.
        warmup: steps in which the learning rate rises from 0 to η; the first one is taken at 0, as in Keras.
    """

    name: str
    learning_rate: float
    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    clip_norm: float = np.inf
    warmup: int = 0


def rule(settings: Mapping[str, Any]) -> Rule:
    """Return the rule of a completed configuration, with Keras's usual coefficients.

    Raises:
        UnknownName: for an optimizer that is not one of the three.
    """
    name = settings["optimizer"]
    if name not in ("sgd", "rmsprop", "adam"):
        raise unknown("optimizer", name, ["sgd", "adam", "rmsprop"])
    return Rule(
        name,
        float(settings["learning_rate"]),
        first=float(settings["momentum"]) if name == "sgd" else 0.9,
        second=0.9 if name == "rmsprop" else 0.999,
        weight_decay=float(settings["weight_decay"]),
        clip_norm=float(settings["clip_norm"] or np.inf),
        warmup=int(settings["warmup"]),
    )


STILL = (1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0)
"""The row that changes nothing: for a network that has no batch left in this epoch."""


def coefficients(rule: Rule, first: int, steps: int) -> Array:
    """Return the rows of a rule for ``steps`` steps, the first of which is step ``first`` (from 1).

    Returns:
        Shape ``(steps, 8)``, float32, columns as in `COLUMNS`.

    >>> coefficients(Rule("sgd", 0.5, first=0.75), 1, 1).tolist()
    [[0.75, 1.0, 0.5, 0.0, 0.0, 1.0, 1.0, 1.0]]
    """
    _, full, p, q, epsilon, decay, _, warmup = rule
    t = np.arange(first, first + steps)
    rate = full * np.minimum(1.0, (t - 1) / warmup) if warmup else full
    if rule.name == "sgd":
        row: tuple[Any, ...] = (p, 1.0, rate, 0.0, 0.0, 1.0, 1.0)
    elif rule.name == "rmsprop":
        row = (0.0, q, 1.0, 1 - q, epsilon, 0.0, rate)
    else:
        row = (p, q, 1 - p, 1 - q, 0.0, epsilon, rate * np.sqrt(1 - q**t) / (1 - p**t))
    columns = [np.broadcast_to(value, steps) for value in (*row, 1 - rate * decay)]
    return np.stack(columns, axis=1).astype("float32")


def update(w: Any, m: Any, v: Any, gradient: Any, row: Any) -> tuple[Any, Any, Any]:
    """Take one step with every network of a stack.

    Args:
        w: weights, shape ``(members, P)``.
        m: memory of the gradient, the same shape.
        v: memory of its square, the same shape.
        gradient: the same shape.
        row: coefficients of this step, shape ``(members, 8)``.

    Returns:
        The new ``w``, ``m`` and ``v``.
    """
    import tensorflow as tf

    a, b, c, d, inside, outside, step, decay = tf.split(row, len(COLUMNS), axis=1)
    m = a * m + c * gradient
    v = b * v + d * gradient * gradient  # from the left: 0 for sgd, however steep it is
    return w * decay - step * m / (tf.sqrt(v + inside) + outside), m, v


def clip(gradient: Any, longest: Any) -> Any:
    """Shorten each network's own gradient, shape ``(members, P)``, to its ``longest`` norm, shape ``(members, 1)``."""
    import tensorflow as tf

    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=1, keepdims=True))
    shorter = longest / norm + (norm - norm)  # NaN where the norm is beyond all numbers, as in Keras
    return gradient * tf.where(norm > longest, shorter, 1.0)
