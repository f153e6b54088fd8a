"""Dense networks, many at once.

A stack of networks is one network whose weights have a leading axis: layer by layer, ``members`` matrices stand
behind one another, and one batched product serves them all. What differs between the members is data, never a
branch of the graph:

* **width**: narrower members are padded with zeros, and padding stays zero by itself, because a unit that is
  always 0 has a gradient that is always 0;
* **activation**: two formulas serve all four, ``max(z, slope·z)`` for ReLU, leaky ReLU and linear,
  ``α·tanh(β·z) + γ`` for tanh and sigmoid (a sigmoid is a tanh of half the size at half the speed). The members
  are sorted, so each formula sees only those it belongs to;
* **dropout**: a rate for each member, and for each member random numbers of its own, see `uniform`.

The backward pass is written out: it is short, and it leaves TensorFlow half as many operations to schedule as its
automatic gradient would. What the head loses is Keras's own loss function, differentiated by TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.data import Array
from hpt.layers import Layer, initial_weights, layers
from hpt.networks import HEADS, complete
from hpt.seeds import stream
from hpt.training import Member
from hpt.training.updates import rule

if TYPE_CHECKING:
    from hpt.tasks import Task

BLOCK = 16
"""Random numbers are read in blocks of this many: one cache line."""
TABLE = 2**16
"""Blocks in the table of random numbers, four megabytes of them."""
_STRIDE = 127
"""Blocks from one row's random numbers to the next row's; odd, so that rows never fall into step."""

RECTIFIED, SMOOTH = "rectified", "smooth"
ACTIVATIONS: dict[str, tuple[str, float, float, float]] = {
    # name: family, then slope (rectified) or α, β, γ (smooth)
    "relu": (RECTIFIED, 0.0, 0.0, 0.0),
    "leaky_relu": (RECTIFIED, 0.2, 0.0, 0.0),  # Keras's slope
    "linear": (RECTIFIED, 1.0, 0.0, 0.0),
    "tanh": (SMOOTH, 1.0, 1.0, 0.0),
    "sigmoid": (SMOOTH, 0.5, 0.5, 0.5),
}


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
        epsilon: of batch normalization, Keras's.
        momentum: of its moving averages, Keras's.
    """

    hidden: tuple[bool, ...]
    batch_norm: bool
    dropout: bool
    clip: bool
    output_activation: str
    loss: str
    epsilon: float = 1e-3
    momentum: float = 0.99


class Dense:
    """The functions of a stack of dense networks with one structure.

    Shapes: ``M`` members, ``B`` rows a batch, ``P`` weights and ``Q`` moving statistics a member, each padded to
    the widest member. ``traits`` is what `traits` returns.
    """

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.draws = sum(structure.hidden)

    @property
    def trait_signature(self) -> list[Any]:
        """TensorFlow's description of what `traits` returns."""
        import tensorflow as tf

        shapes = {"sizes": [None], "widths": [None, None], "smooth": [], "form": [None, 3], "keep": [None]}
        types = {"sizes": tf.int32, "widths": tf.int32, "smooth": tf.int32}
        return [tf.TensorSpec(shape, types.get(name, tf.float32), name) for name, shape in shapes.items()]

    def gradient(
        self, w: Any, stats: Any, x: Any, y: Any, weight: Any, draw: Any, traits: Sequence[Any]
    ) -> tuple[Any, Any, Any]:
        """Return the loss of every row ``(M, B)``, the gradient ``(M, P)``, and the new moving statistics.

        Args:
            w: weights ``(M, P)``.
            stats: moving statistics ``(M, Q)``.
            x: inputs ``(M, B, inputs)``.
            y: targets ``(M, B)`` or ``(M, B, outputs)``.
            weight: of each row in its batch's loss ``(M, B)``; 0 for rows that fill up a shorter batch.
            draw: where each layer's random numbers start ``(M, layers that drop)``.
            traits: see `traits`.
        """
        import tensorflow as tf

        net = _Net(self.structure, w, stats, traits)
        h, kept = x, []
        for layer in range(net.depth):
            z = net.product(layer, h)
            if not self.structure.hidden[layer]:
                kept.append((h, None, None, None))
                h = z
                continue
            normal = net.normalize(layer, z, weight) if self.structure.batch_norm else None
            a = net.activate(layer, normal.out if normal else z)
            mask = net.mask(layer, a, draw) if self.structure.dropout else None
            kept.append((h, a, mask, normal))
            h = a if mask is None else a * mask
        z = net.product(net.depth, h)
        with tf.GradientTape() as tape:
            tape.watch(z)
            rows = net.loss(y, net.outputs(z))
            total = tf.reduce_sum(rows * weight)
        delta = tape.gradient(total, z)

        pieces: list[Any] = [*net.pull(h, delta)]
        for layer in reversed(range(net.depth)):
            h, a, mask, normal = kept[layer]
            delta = tf.matmul(delta, net.matrix(layer + 1), transpose_b=True)
            if mask is not None:
                delta *= mask
            if a is not None:
                delta = net.slope(a, delta)
            extra: tuple[Any, ...] = ()
            if normal is not None:
                delta, *extra = normal.pull(delta)
            pieces = [*net.pull(h, delta, bias=normal is None), *extra, *pieces]
        flat = tf.concat([tf.reshape(piece, (net.members, -1)) for piece in pieces], axis=1)
        return rows, flat, net.moved()

    def judge(self, w: Any, stats: Any, x: Any, y: Any, traits: Sequence[Any]) -> tuple[Any, Any]:
        """Return the outputs ``(M, rows, outputs)`` and every row's loss ``(M, rows)``, nothing dropped."""
        net = _Net(self.structure, w, stats, traits)
        h = x
        for layer in range(net.depth):
            h = net.product(layer, h)
            if self.structure.hidden[layer]:
                h = net.activate(layer, net.renormalize(layer, h) if self.structure.batch_norm else h)
        outputs = net.outputs(net.product(net.depth, h))
        return outputs, net.loss(y, outputs)


class _Net:
    """One look at a stack: its matrices cut out of the flat weights, and what is done with them."""

    def __init__(self, structure: Structure, w: Any, stats: Any, traits: Sequence[Any]) -> None:
        import tensorflow as tf

        self.structure = structure
        self.sizes, self.widths, self.smooth, self.form, self.keep = traits
        self.depth = len(structure.hidden)
        self.members = tf.shape(w)[0]
        shapes: list[tuple[Any, Any]] = []
        norms: list[Any] = []
        for layer in range(self.depth + 1):
            normalized = layer < self.depth and structure.hidden[layer] and structure.batch_norm
            out = self.sizes[layer + 1]
            shapes += [(self.sizes[layer], out)] + [(1, out)] * (2 if normalized else 1)
            norms += [out, out] if normalized else []
        lengths = tf.stack([rows * columns for rows, columns in shapes])
        pieces = iter(
            tf.reshape(piece, (self.members, rows, columns))
            for piece, (rows, columns) in zip(tf.split(w, lengths, axis=1, num=len(shapes)), shapes, strict=True)
        )
        self.weights: list[tuple[Any, Any, Any]] = []  # matrix, bias or scale, None or shift
        self.moving: dict[int, tuple[Any, Any]] = {}
        parts = iter(tf.split(stats, tf.stack(norms), axis=1, num=len(norms)) if norms else [])
        for layer in range(self.depth + 1):
            normalized = layer < self.depth and structure.hidden[layer] and structure.batch_norm
            self.weights.append((next(pieces), next(pieces), next(pieces) if normalized else None))
            if normalized:
                self.moving[layer] = next(parts)[:, None, :], next(parts)[:, None, :]
        self.old = stats

    def matrix(self, layer: int) -> Any:
        return self.weights[layer][0]

    def product(self, layer: int, h: Any) -> Any:
        """``h·W + b``; without ``b`` where normalization brings a shift of its own."""
        import tensorflow as tf

        matrix, bias, shift = self.weights[layer]
        z = tf.matmul(h, matrix)
        return z if shift is not None else z + bias

    def pull(self, h: Any, delta: Any, *, bias: bool = True) -> list[Any]:
        """The gradients of a layer's matrix and bias, from its input and the gradient of its sums."""
        import tensorflow as tf

        return [tf.matmul(h, delta, transpose_a=True)] + ([tf.reduce_sum(delta, axis=1)] if bias else [])

    def _halves(self, *tensors: Any) -> list[list[Any]]:
        """Cut stacks in two: the rectified members first, then the smooth ones."""
        import tensorflow as tf

        counts = tf.stack([self.members - self.smooth, self.smooth])
        return [tf.split(tensor, counts, axis=0, num=2) for tensor in tensors]

    def activate(self, layer: int, z: Any) -> Any:
        import tensorflow as tf

        (z1, z2), (f1, f2) = self._halves(z, self.form[:, :, None, None])
        _, width = self._halves(self.widths[:, layer])[0]
        there = tf.cast(tf.range(tf.shape(z)[2]) < width[:, None], tf.float32)[:, None, :]  # keeps padding at 0
        smooth = f2[:, 0] * tf.tanh(f2[:, 1] * z2) + f2[:, 2] * there
        return tf.concat([tf.maximum(z1, f1[:, 0] * z1), smooth], axis=0)

    def slope(self, a: Any, delta: Any) -> Any:
        """Pull a gradient back through the activation, whose derivative can be read off its output ``a``."""
        import tensorflow as tf

        (a1, a2), (d1, d2), (f1, f2) = self._halves(a, delta, self.form[:, :, None, None])
        t = a2 - f2[:, 2]  # α·tanh
        smooth = d2 * f2[:, 1] * (f2[:, 0] - t * t / f2[:, 0])
        return tf.concat([tf.where(a1 > 0, d1, f1[:, 0] * d1), smooth], axis=0)

    def mask(self, layer: int, a: Any, draw: Any) -> Any:
        """0 for units that are dropped, 1/keep for the others (inverted dropout, as in Keras)."""
        import tensorflow as tf

        keep = self.keep[:, None, None]
        start = draw[:, sum(self.structure.hidden[:layer])]
        return tf.floor(uniform(start, tf.shape(a)[1], tf.shape(a)[2]) + keep) / keep

    def normalize(self, layer: int, z: Any, weight: Any) -> _Normal:
        """Batch normalization with the moments of this batch (Ioffe and Szegedy 2015), rows by their weight."""
        _, scale, shift = self.weights[layer]
        normal = _Normal(z, weight, scale, shift, self.structure.epsilon)
        self.moving[layer] = tuple(
            self.structure.momentum * old + (1 - self.structure.momentum) * new
            for old, new in zip(self.moving[layer], (normal.mean, normal.variance), strict=True)
        )
        self.seen = weight
        return normal

    def renormalize(self, layer: int, z: Any) -> Any:
        """Batch normalization with the moving statistics."""
        import tensorflow as tf

        (mean, variance), (_, scale, shift) = self.moving[layer], self.weights[layer]
        return (z - mean) * tf.math.rsqrt(variance + self.structure.epsilon) * scale + shift

    def moved(self) -> Any:
        """The moving statistics after this batch; those of a member without a batch stay."""
        import tensorflow as tf

        if not self.moving:
            return self.old
        new = tf.concat([part[:, 0, :] for layer in sorted(self.moving) for part in self.moving[layer]], axis=1)
        return tf.where(tf.reduce_sum(self.seen, axis=1, keepdims=True) > 0, new, self.old)

    def outputs(self, z: Any) -> Any:
        import keras

        return keras.activations.get(self.structure.output_activation)(z)

    def loss(self, y: Any, outputs: Any) -> Any:
        """Return Keras's loss for every row, shape ``(M, rows)``."""
        import keras

        if len(y.shape) == 2 and not self.structure.loss.startswith("sparse"):
            y = y[:, :, None]
        return keras.losses.get(self.structure.loss)(y, outputs)


class _Normal:
    """A normalized batch, and the way back through it. Rows of weight 0 count for nothing."""

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


# --- random numbers of a member's own -------------------------------------------------------------------


@lru_cache(maxsize=1)
def _table() -> Array:
    return stream(0, "noise table").random((TABLE, BLOCK), dtype="float32")


def uniform(start: Any, rows: Any, columns: Any) -> Any:
    """Return random numbers between 0 and 1 for every member, read from one fixed table.

    Every member reads from a place of its own, which its seed chose anew for this step and layer. So the numbers
    do not depend on the neighbours, nor on how wide the stack was padded, and cost a copy instead of a generator.
    The idea of a shared table is Salimans et al. 2017, section 2.1.

    Args:
        start: block at which each member starts ``(M,)``, int32, below `TABLE`.
        rows: how many rows, a scalar tensor.
        columns: how many columns, a scalar tensor.

    Returns:
        Shape ``(M, rows, columns)``, float32.
    """
    import tensorflow as tf

    blocks = (columns + BLOCK - 1) // BLOCK
    place = start[:, None, None] + (tf.range(rows) * _STRIDE)[:, None] + tf.range(blocks)
    numbers = tf.gather(tf.constant(_table()), place % TABLE)
    return tf.reshape(numbers, (tf.shape(start)[0], rows, blocks * BLOCK))[:, :, :columns]


# --- packing ----------------------------------------------------------------------------------------------


def pieces(layers: Sequence[Layer]) -> list[tuple[int, int]]:
    """Return the shapes of a network's weights, in the order in which they stand in its flat row.

    >>> from hpt.layers import Layer
    >>> pieces([Layer("hidden", 3, 5), Layer("head", 5, 1)])
    [(3, 5), (1, 5), (5, 1), (1, 1)]
    """
    return [
        shape
        for layer in layers
        for shape in [(layer.inputs, layer.outputs)] + [(1, layer.outputs)] * (2 if layer.batch_norm else 1)
    ]


class DenseBlueprint:
    """One member's dense network as numbers; see `hpt.training.stack.Blueprint`."""

    def __init__(self, task: Task, member: Member) -> None:
        configuration = task.configuration(member.configuration)
        self.task, self.configuration = task, configuration
        self.settings = complete(configuration)
        self.layers = layers(task.build, configuration, task.shape)
        self.rule = rule(self.settings)
        self.drops = self.settings["dropout"] > 0
        self.sizes = (self.layers[0].inputs, *(layer.outputs for layer in self.layers))
        self.shapes = pieces(self.layers)
        self.stat_shapes = [(1, layer.outputs) for layer in self.layers if layer.batch_norm for _ in range(2)]
        self.family, *self.form = ACTIVATIONS[self.settings["activation"]]

    @property
    def last(self) -> bool:
        """Whether the member stands in the second half of its stack, with the smooth activations."""
        return self.family == SMOOTH

    def structure(self, *, dropout: bool, clip: bool) -> Structure:
        """Return what this member must share with the others of its stack."""
        activation, loss = HEADS[self.task.shape.problem]
        return Structure(
            hidden=tuple(layer.kind == "hidden" for layer in self.layers[:-1]),
            batch_norm=any(layer.batch_norm for layer in self.layers),
            dropout=dropout,
            clip=clip,
            output_activation=self.settings["output_activation"] or activation,
            loss=self.settings["loss"] or loss,
        )

    def network(self, structure: Structure) -> Dense:
        """Return the functions of a stack of this structure."""
        return Dense(structure)

    @staticmethod
    def traits(members: Sequence[DenseBlueprint], sizes: Sequence[int]) -> list[Array]:
        """Return what differs between the members of a stack, for `Dense`.

        Returns:
            The padded sizes ``(layers + 1,)``; each member's own widths ``(M, layers)``; how many are smooth; the
            numbers of their activations ``(M, 3)``; the share of units each keeps ``(M,)``.
        """
        return [
            np.array(sizes, dtype="int32"),
            np.array([member.sizes[1:] for member in members], dtype="int32"),
            np.array(sum(member.last for member in members), dtype="int32"),
            np.array([member.form for member in members], dtype="float32"),
            np.array([1 - member.settings["dropout"] for member in members], dtype="float32"),
        ]

    def initial(self, seed: int) -> tuple[list[Array], list[Array]]:
        """Return the first weights, and the first moving statistics: means of 0, variances of 1."""
        stats = [np.full(size, i % 2, "float32") for i, (_, size) in enumerate(self.stat_shapes)]
        return initial_weights(self.layers, seed), stats

    def model(self, weights: Sequence[Array], stats: Sequence[Array]) -> Any:
        """Return the member as a compiled Keras model with these weights."""
        model = self.task.build(self.configuration, self.task.shape)
        given, moving = iter(weights), iter(stats)
        values: list[Array] = []
        for layer in self.layers:
            own = 3 if layer.batch_norm else 2
            values += [next(given) for _ in range(own)]
            values += [next(moving) for _ in range(2)] if layer.batch_norm else []
        model.set_weights(values)
        return model
