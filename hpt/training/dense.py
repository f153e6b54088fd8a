"""Dense networks, many at once.

A stack of networks is one network whose weights have a leading axis: layer by layer, ``members`` matrices stand
behind one another, and one batched product serves them all. What differs between the members is data, never a
branch of the graph:

* **width**: narrower members are padded with zeros, and padding stays zero by itself, because a unit that is
  always 0 has a gradient that is always 0;
* **activation**: two formulas serve all of them, ``max(z, slope·z)`` for ReLU, leaky ReLU and linear,
  ``α·tanh(β·z) + γ`` for tanh and sigmoid (a sigmoid is a tanh of half the size at half the speed). The members
  are sorted, so each formula sees only those it belongs to (`Halves`); where the layers of a member differ, both
  see all (`EachLayer`);
* **dropout**: a rate for each member, and for each member random numbers of its own, see `uniform`.

The backward pass is written out: it is short, and it leaves TensorFlow half as many operations to schedule as its
automatic gradient would. What the head loses is Keras's own loss function, differentiated by TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hpt.training.activations import EachLayer, Halves
from hpt.training.noise import LAYER, uniform
from hpt.training.planner import BLOCK


@dataclass(frozen=True)
class Structure:
    """What networks must have in common to share one traced function; the rest is data.

    Attributes:
        hidden: for each layer before the head whether it is a hidden one: with activation, and with batch
            normalization and dropout where asked for. An autoencoder's bottleneck is not.
        batch_norm: whether the hidden layers normalize their batches.
        dropout: whether any member drops units.
        clip: whether any member clips its gradient.
        output_activation: of the head, a Keras name.
        loss: a Keras name.
        mixed: whether the hidden layers of any member have different activations.
        epsilon: of batch normalization, Keras's.
        momentum: of its moving averages, Keras's.
    """

    hidden: tuple[bool, ...]
    batch_norm: bool
    dropout: bool
    clip: bool
    output_activation: str
    loss: str
    mixed: bool = False
    epsilon: float = 1e-3
    momentum: float = 0.99


class Fixed(NamedTuple):
    """What does not change from step to step, worked out once a call.

    Attributes:
        lengths: how the flat weights are cut into pieces.
        shapes: the shape of each piece, ``(M, rows, columns)``.
        row: the shape ``(M, -1)`` of a flat piece.
        stat_lengths: how the moving statistics are cut, empty without batch normalization.
        activation: `Halves` or `EachLayer`.
        keep: share of the units that each member keeps ``(M, 1, 1)``.
        scale: 1/keep.
        blocks: for one row, where the random numbers of all layers lie, from where the member starts.
        widths: of the layers that drop.
    """

    lengths: Any
    shapes: list[Any]
    row: Any
    stat_lengths: Any
    activation: Any
    keep: Any
    scale: Any
    blocks: Any
    widths: Any


class Dense:
    """The functions of a stack of dense networks with one structure.

    Shapes: ``M`` members, ``B`` rows a batch, ``P`` weights and ``Q`` moving statistics a member, each padded to
    the widest member.
    """

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.depth = len(structure.hidden)
        self.hidden = [layer for layer in range(self.depth) if structure.hidden[layer]]

    @property
    def trait_signature(self) -> list[Any]:
        """TensorFlow's description of what `DenseBlueprint.traits` returns."""
        import tensorflow as tf

        return [
            tf.TensorSpec([self.depth + 2], tf.int32, "sizes"),
            tf.TensorSpec([None, self.depth + 1], tf.int32, "widths"),
            tf.TensorSpec([], tf.int32, "smooth"),
            tf.TensorSpec([None, len(self.hidden), 4], tf.float32, "form"),
            tf.TensorSpec([None], tf.float32, "keep"),
        ]

    def prepare(self, traits: Sequence[Any]) -> Fixed:
        """Work out what does not change from step to step."""
        import tensorflow as tf

        sizes, widths, smooth, form, keep = traits
        members = tf.shape(widths)[0]
        normalized = set(self.hidden) if self.structure.batch_norm else set()
        shapes = []
        for layer in range(self.depth + 1):
            shapes += [[members, sizes[layer], sizes[layer + 1]]]
            shapes += [[members, 1, sizes[layer + 1]]] * (2 if layer in normalized else 1)
        outputs = [sizes[layer + 1] for layer in self.hidden]
        there = [
            tf.cast(tf.range(sizes[layer + 1]) < widths[:, layer, None], tf.float32)[:, None, :]
            for layer in self.hidden
        ]
        blocks = [i * LAYER + tf.range(width // BLOCK) for i, width in enumerate(outputs)]
        return Fixed(
            lengths=tf.stack([rows * columns for _, rows, columns in shapes]),
            shapes=[tf.stack(shape) for shape in shapes],
            row=tf.stack([members, -1]),
            stat_lengths=tf.stack([sizes[layer + 1] for layer in sorted(normalized) for _ in range(2)] or [0]),
            activation=EachLayer(form, there) if self.structure.mixed else Halves(form, there, smooth),
            keep=keep[:, None, None],
            scale=1 / keep[:, None, None],
            blocks=tf.concat(blocks or [tf.range(0)], axis=0),
            widths=tf.stack(outputs or [0]),
        )

    def gradient(
        self, fixed: Fixed, w: Any, stats: Any, x: Any, y: Any, weight: Any, start: Any
    ) -> tuple[Any, Any, Any]:
        """Return each member's loss ``(M,)``, its gradient ``(M, P)``, and the new moving statistics.

        Args:
            fixed: from `prepare`.
            w: weights ``(M, P)``.
            stats: moving statistics ``(M, Q)``.
            x: inputs ``(M, B, inputs)``.
            y: targets ``(M, B)`` or ``(M, B, outputs)``.
            weight: of each row in its batch ``(M, B)``, together 1; 0 for rows that fill up a shorter batch.
            start: where each member's random numbers begin ``(M,)``.
        """
        import tensorflow as tf

        weights, moving = self._cut(fixed, w), self._cut_stats(fixed, stats)
        masks = iter(self._masks(fixed, start, tf.shape(weight)[1]))
        h, kept, seen = x, [], []
        for layer in range(self.depth):
            matrix, *shift = weights[layer]
            a, mask, normal = tf.matmul(h, matrix), None, None
            if self.structure.hidden[layer]:
                if self.structure.batch_norm:
                    normal = _Normal(a, weight, shift[0], shift[1], self.structure.epsilon)
                    a = normal.out
                    seen += [normal.mean, normal.variance]
                else:
                    a += shift[0]
                a = fixed.activation.of(self.hidden.index(layer), a)
                mask = next(masks, None)
            else:
                a += shift[0]
            kept.append((h, a, mask, normal))
            h = a if mask is None else a * mask
        rows, delta = head_gradient(self.structure, tf.matmul(h, weights[-1][0]) + weights[-1][1], y, weight)

        pieces = [tf.matmul(h, delta, transpose_a=True), tf.reduce_sum(delta, axis=1)]
        for layer in reversed(range(self.depth)):
            h, a, mask, normal = kept[layer]
            delta = tf.matmul(delta, weights[layer + 1][0], transpose_b=True)
            if mask is not None:
                delta *= mask
            if self.structure.hidden[layer]:
                delta = fixed.activation.back(self.hidden.index(layer), a, delta)
            if normal is None:
                shift = [tf.reduce_sum(delta, axis=1)]
            else:
                delta, *shift = normal.pull(delta)
            pieces = [tf.matmul(h, delta, transpose_a=True), *shift, *pieces]
        flat = tf.concat([tf.reshape(piece, fixed.row) for piece in pieces], axis=1)
        return tf.reduce_sum(rows * weight, axis=1), flat, self._moved(stats, moving, seen, weight)

    def judge(self, fixed: Fixed, w: Any, stats: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the outputs ``(M, rows, outputs)`` and every row's loss ``(M, rows)``, nothing dropped."""
        import tensorflow as tf

        weights, moving = self._cut(fixed, w), iter(self._cut_stats(fixed, stats))
        h = x
        for layer in range(self.depth):
            matrix, *shift = weights[layer]
            h = tf.matmul(h, matrix)
            if not self.structure.hidden[layer]:
                h += shift[0]
                continue
            if self.structure.batch_norm:
                mean, variance = next(moving), next(moving)
                h = (h - mean) * tf.math.rsqrt(variance + self.structure.epsilon) * shift[0] + shift[1]
            else:
                h += shift[0]
            h = fixed.activation.of(self.hidden.index(layer), h)
        return head(self.structure, tf.matmul(h, weights[-1][0]) + weights[-1][1], y)

    # --- the parts, in the order in which a batch meets them

    def _cut(self, fixed: Fixed, w: Any) -> list[list[Any]]:
        """Cut the flat weights: for each layer its matrix and bias, or matrix, scale and shift."""
        import tensorflow as tf

        parts = tf.split(w, fixed.lengths, axis=1, num=len(fixed.shapes))
        pieces = iter(tf.reshape(part, shape) for part, shape in zip(parts, fixed.shapes, strict=True))
        three = self.structure.batch_norm
        return [
            [next(pieces) for _ in range(3 if three and layer in self.hidden else 2)] for layer in range(self.depth + 1)
        ]

    def _cut_stats(self, fixed: Fixed, stats: Any) -> list[Any]:
        """Cut the moving statistics: a mean and a variance for each hidden layer, ``(M, 1, width)``."""
        import tensorflow as tf

        if not self.structure.batch_norm:
            return []
        parts = tf.split(stats, fixed.stat_lengths, axis=1, num=2 * len(self.hidden))
        return [part[:, None, :] for part in parts]

    def _masks(self, fixed: Fixed, start: Any, rows: Any) -> list[Any]:
        """For each hidden layer 0 for units that are dropped, 1/keep for the others (inverted dropout, as in Keras)."""
        import tensorflow as tf

        if not self.structure.dropout or not self.hidden:
            return []
        numbers = uniform(start, rows, fixed.blocks)
        whole = tf.floor(numbers + fixed.keep) * fixed.scale
        return list(tf.split(whole, fixed.widths, axis=2, num=len(self.hidden)))

    def _moved(self, stats: Any, moving: list[Any], seen: list[Any], weight: Any) -> Any:
        """The moving statistics after a batch; those of a member without one stay."""
        import tensorflow as tf

        if not seen:
            return stats
        old_share = self.structure.momentum
        new = [(old_share * old + (1 - old_share) * now)[:, 0, :] for old, now in zip(moving, seen, strict=True)]
        return tf.where(tf.reduce_sum(weight, axis=1, keepdims=True) > 0, tf.concat(new, axis=1), stats)


def head(structure: Any, z: Any, y: Any) -> tuple[Any, Any]:
    """Return the outputs that a head makes of its sums ``(M, rows, outputs)``, and Keras's loss of every row.

    Args:
        structure: has ``output_activation`` and ``loss``, Keras names.
        z: the sums ``(M, rows, outputs)``.
        y: targets ``(M, rows)`` or ``(M, rows, outputs)``.
    """
    import keras

    outputs = keras.activations.get(structure.output_activation)(z)
    if len(y.shape) == 2 and not structure.loss.startswith("sparse"):
        y = y[:, :, None]
    rows = keras.losses.get(structure.loss)(y, outputs)
    if len(rows.shape) != 2:
        raise ValueError(f"a stack needs a loss for every row, {structure.loss} gives one for all")
    return outputs, rows


def head_gradient(structure: Any, z: Any, y: Any, weight: Any) -> tuple[Any, Any]:
    """Return the loss of every row, and the gradient of their weighted sum with respect to the head's sums."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(z)
        _, rows = head(structure, z, y)
    there = weight > 0  # what fills up a batch may have any loss
    delta = tape.gradient(rows, z, output_gradients=weight)
    return tf.where(there, rows, 0.0), tf.where(there[:, :, None], delta, 0.0)


class _Normal:
    """A batch normalized by its own moments (Ioffe, Szegedy 2015), and the way back. Rows of weight 0 do not count."""

    def __init__(self, z: Any, weight: Any, scale: Any, shift: Any, epsilon: float) -> None:
        import tensorflow as tf

        self.weight, self.scale = weight[:, :, None], scale
        self.mean = tf.reduce_sum(self.weight * z, axis=1, keepdims=True)
        middle = z - self.mean
        self.variance = tf.reduce_sum(self.weight * tf.square(middle), axis=1, keepdims=True)
        self.rate = tf.math.rsqrt(self.variance + epsilon)
        self.unit = middle * self.rate
        self.out = self.unit * scale + shift

    def pull(self, delta: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of the sums, of the scale and of the shift."""
        import tensorflow as tf

        shift = tf.reduce_sum(delta, axis=1, keepdims=True)
        scale = tf.reduce_sum(delta * self.unit, axis=1, keepdims=True)
        back = (delta - self.weight * (shift + self.unit * scale)) * self.rate * self.scale
        return back, scale, shift
