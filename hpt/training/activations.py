"""Activations of a stack: two formulas serve five functions, and every member has its own.

``max(z, slope·z)`` is ReLU, leaky ReLU and linear; ``α·tanh(β·z) + γ`` is tanh and sigmoid (a sigmoid is a tanh of half
the size at half the speed). Where a member has one activation for all its layers, the members are sorted, so each
formula sees only those it belongs to (`Halves`); where the layers of a member differ, both see all (`EachLayer`).
"""

from __future__ import annotations

from typing import Any

LOWEST = -3.4e38
"""About the lowest number that float32 has."""
RECTIFIED, SMOOTH = 0.0, 1.0
ACTIVATIONS: dict[str, tuple[float, float, float, float]] = {
    # name: family, then slope (rectified) or α, β, γ (smooth)
    "relu": (RECTIFIED, 0.0, 0.0, 0.0),
    "leaky_relu": (RECTIFIED, 0.2, 0.0, 0.0),  # Keras's slope
    "linear": (RECTIFIED, 1.0, 0.0, 0.0),
    "tanh": (SMOOTH, 1.0, 1.0, 0.0),
    "sigmoid": (SMOOTH, 0.5, 0.5, 0.5),
}


class Halves:
    """Activations of members with one each for all their layers, sorted: the first ``r`` rectified, then ``s`` smooth.

    Args:
        form: the numbers of each member's activations, see `ACTIVATIONS` ``(M, hidden, 4)``.
        there: for each hidden layer 1 for units, 0 for padding ``(M, 1, width)``.
        smooth: ``s``.
    """

    def __init__(self, form: Any, there: list[Any], smooth: Any) -> None:
        import tensorflow as tf

        if not there:
            return  # no hidden layers
        self.halves = tf.stack([tf.shape(form)[0] - smooth, smooth])
        rectified, own = tf.split(form[:, 0, :, None, None], self.halves)
        self.slope = rectified[:, 1]
        self.curve = [_Curve(own[:, 1], own[:, 2], own[:, 3] * tf.split(units, self.halves)[1]) for units in there]

    def of(self, layer: int, z: Any) -> Any:
        """Return the outputs for the sums of a hidden layer ``(M, rows, width)``."""
        import tensorflow as tf

        z1, z2 = tf.split(z, self.halves, axis=0, num=2)
        return tf.concat([_bent(self.slope, z1), self.curve[layer].of(z2)], axis=0)

    def back(self, layer: int, a: Any, delta: Any) -> Any:
        """Pull a gradient back through the activation, whose derivative can be read off its output ``a``."""
        import tensorflow as tf

        a1, a2 = tf.split(a, self.halves, axis=0, num=2)
        d1, d2 = tf.split(delta, self.halves, axis=0, num=2)
        return tf.concat([tf.where(a1 > 0, d1, self.slope * d1), self.curve[layer].back(a2, d2)], axis=0)


class EachLayer:
    """Activations that differ from member to member and from layer to layer; takes and does what `Halves` does.

    Both formulas are worked out for everyone, and one of the two results is taken: the other may be NaN.
    """

    def __init__(self, form: Any, there: list[Any]) -> None:
        self.smooth = [form[:, i, 0, None, None] > 0 for i in range(len(there))]
        self.slope = [form[:, i, 1, None, None] for i in range(len(there))]
        self.curve = [
            _Curve(self.slope[i], form[:, i, 2, None, None], form[:, i, 3, None, None] * units)
            for i, units in enumerate(there)
        ]

    def of(self, layer: int, z: Any) -> Any:
        """Return the outputs for the sums of a hidden layer ``(M, rows, width)``."""
        import tensorflow as tf

        return tf.where(self.smooth[layer], self.curve[layer].of(z), _bent(self.slope[layer], z))

    def back(self, layer: int, a: Any, delta: Any) -> Any:
        """Pull a gradient back through the activation, whose derivative can be read off its output ``a``."""
        import tensorflow as tf

        bent = tf.where(a > 0, delta, self.slope[layer] * delta)
        return tf.where(self.smooth[layer], self.curve[layer].back(a, delta), bent)


def _bent(slope: Any, z: Any) -> Any:
    import tensorflow as tf

    return tf.maximum(z, slope * tf.maximum(z, LOWEST))  # 0 times minus infinity would be NaN


class _Curve:
    """``α·tanh(β·z) + γ``. γ is 0 in the padding ``(M, 1, width)``, which keeps padded units at 0."""

    def __init__(self, alpha: Any, beta: Any, gamma: Any) -> None:
        import tensorflow as tf

        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.steep, self.bend = alpha * beta, tf.math.divide_no_nan(beta, alpha)  # a ReLU has an α of 0

    def of(self, z: Any) -> Any:
        import tensorflow as tf

        return self.alpha * tf.tanh(self.beta * z) + self.gamma

    def back(self, a: Any, delta: Any) -> Any:
        import tensorflow as tf

        return delta * (self.steep - self.bend * tf.square(a - self.gamma))  # a - γ is α·tanh
