"""Recurrent networks, many at once: LSTM layers behind one another, then the head.

The equations are Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, as Keras has them. With
the four gates side by side, ``z = x·W + h·U + b`` is one product for all of them, and::

    i, f, o = σ(z)        what comes in, what stays, what goes out
    g = tanh(z)           what would be written
    c ← f·c + i·g         the cell
    h = o·tanh(c)         what the next layer sees

As in `hpt.training.dense` the members stand behind one another, narrow ones are padded with zeros (a padded cell is
0 and stays 0: g is 0, and so is h), and the way back is written out. What does not depend on the step before, the
products with the inputs and the gradients of the matrices, is done for all steps of the series in one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpt.data import Array
from hpt.networks import DEFAULTS
from hpt.training import Member
from hpt.training.building import built
from hpt.training.dense import LAYER, head, head_gradient, uniform
from hpt.training.planner import BLOCK, products
from hpt.training.reading import NotStackable, loss_of, recurrent_of, rule_of

if TYPE_CHECKING:
    from hpt.tasks import Task


@dataclass(frozen=True)
class Structure:
    """What networks must have in common to share one traced function.

    Attributes:
        layers: how many LSTM layers.
        features: numbers in each step of the series.
        dropout: whether any member drops units.
        clip: whether any member clips its gradient.
        output_activation: of the head, a Keras name.
        loss: a Keras name.
    """

    layers: int
    features: int
    dropout: bool
    clip: bool
    output_activation: str
    loss: str


class Fixed(NamedTuple):
    """What does not change from step to step.

    Attributes:
        lengths: how the flat weights are cut into pieces.
        shapes: of the pieces, ``(M, rows, columns)``.
        widths: of the layers.
        gates: for each layer three rows ``(4·width,)``: 1/2, 1/2, 1, 1/2 for the gates i, f, g, o, from which the
            one tanh that serves all four is made; 1/2, 1/2, 0, 1/2 to be added; 1, 1, 0, 1 for the derivative.
        keep: share of the units that each member keeps ``(M, 1, 1)``.
    """

    lengths: Any
    shapes: list[Any]
    widths: list[Any]
    gates: list[tuple[Any, Any, Any]]
    keep: Any


class Recurrent:
    """The functions of a stack of recurrent networks; see `hpt.training.engine.Network`.

    Shapes: ``M`` members, ``B`` rows, ``T`` steps of the series, ``u`` units of a layer.
    """

    inline = True

    def __init__(self, structure: Structure) -> None:
        self.structure = structure

    @property
    def trait_signature(self) -> list[Any]:
        """TensorFlow's description of the traits: sizes, and the share of units each member keeps."""
        import tensorflow as tf

        return [
            tf.TensorSpec([self.structure.layers + 2], tf.int32, "sizes"),
            tf.TensorSpec([None], tf.float32, "keep"),
        ]

    def prepare(self, traits: Sequence[Any]) -> Fixed:
        """Work out what does not change from step to step."""
        import tensorflow as tf

        sizes, keep = traits
        members, shapes, gates = tf.shape(keep)[0], [], []
        for layer in range(self.structure.layers):
            inputs, width = sizes[layer], sizes[layer + 1]
            shapes += [[members, inputs, 4 * width], [members, width, 4 * width], [members, 1, 4 * width]]
            rows = ([0.5, 0.5, 1.0, 0.5], [0.5, 0.5, 0.0, 0.5], [1.0, 1.0, 0.0, 1.0])
            gates.append(tuple(tf.repeat(tf.constant(row), width) for row in rows))
        shapes += [[members, sizes[-2], sizes[-1]], [members, 1, sizes[-1]]]
        return Fixed(
            lengths=tf.stack([rows * columns for _, rows, columns in shapes]),
            shapes=[tf.stack(shape) for shape in shapes],
            widths=[sizes[layer + 1] for layer in range(self.structure.layers)],
            gates=gates,
            keep=keep[:, None, None],
        )

    def gradient(
        self, fixed: Fixed, w: Any, stats: Any, x: Any, y: Any, weight: Any, start: Any
    ) -> tuple[Any, Any, Any]:
        """Return each member's loss, its gradient, and the (empty) moving statistics; see `Dense.gradient`."""
        import tensorflow as tf

        pieces, last = self._cut(fixed, w), self.structure.layers - 1
        h, kept = self._series(x), []
        for layer in range(self.structure.layers):
            seen = self._forward(fixed, layer, pieces, h)
            out = seen.h[:, -1] if layer == last else seen.h
            mask = self._mask(fixed, layer, start, tf.shape(seen.h)) if self.structure.dropout else None
            kept.append((h, seen, mask))
            h = out if mask is None else out * mask
        rows, delta = head_gradient(self.structure, tf.matmul(h, pieces[-2]) + pieces[-1], y, weight)
        found = [tf.matmul(h, delta, transpose_a=True), tf.reduce_sum(delta, axis=1)]
        delta = tf.matmul(delta, pieces[-2], transpose_b=True)
        for layer in reversed(range(self.structure.layers)):
            h, seen, mask = kept[layer]
            if mask is not None:
                delta *= mask
            dz = self._backward(fixed, layer, pieces, seen, delta, last=layer == last)
            before = tf.concat([tf.zeros_like(seen.h[:, :1]), seen.h[:, :-1]], axis=1)
            kernel, memory = (tf.matmul(_rows(part), _rows(dz), transpose_a=True) for part in (h, before))
            found = [kernel, memory, tf.reduce_sum(dz, axis=(1, 2)), *found]
            if layer:
                whole = tf.matmul(_rows(dz), pieces[3 * layer], transpose_b=True)
                delta = tf.reshape(whole, tf.shape(h))
        members = tf.shape(w)[0]
        flat = tf.concat([tf.reshape(piece, (members, -1)) for piece in found], axis=1)
        return tf.reduce_sum(rows * weight, axis=1), flat, stats

    def judge(self, fixed: Fixed, w: Any, stats: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """Return outputs ``(M, rows, outputs)`` and every row's loss ``(M, rows)``, nothing dropped."""
        import tensorflow as tf

        pieces, h = self._cut(fixed, w), self._series(x)
        for layer in range(self.structure.layers):
            h = self._forward(fixed, layer, pieces, h).h
        return head(self.structure, tf.matmul(h[:, -1], pieces[-2]) + pieces[-1], y)

    # --- the parts

    def _cut(self, fixed: Fixed, w: Any) -> list[Any]:
        """Cut the flat weights: for each layer ``W``, ``U`` and ``b``, then the head's matrix and bias."""
        import tensorflow as tf

        parts = tf.split(w, fixed.lengths, axis=1, num=len(fixed.shapes))
        return [tf.reshape(part, shape) for part, shape in zip(parts, fixed.shapes, strict=True)]

    def _series(self, x: Any) -> Any:
        """Turn rows ``(M, B, T·features)`` into series ``(M, T, B, features)``."""
        import tensorflow as tf

        shape = tf.shape(x)
        return tf.transpose(tf.reshape(x, (shape[0], shape[1], -1, self.structure.features)), (0, 2, 1, 3))

    def _forward(self, fixed: Fixed, layer: int, pieces: list[Any], x: Any) -> _Seen:
        """Run a layer along a series ``(M, T, B, inputs)``."""
        import tensorflow as tf

        kernel, memory, bias = pieces[3 * layer : 3 * layer + 3]
        half, shift, _ = fixed.gates[layer]
        shape = tf.shape(x)
        members, steps, rows = shape[0], shape[1], shape[2]
        sums = tf.reshape(tf.matmul(_rows(x), kernel) + bias, (members, steps, rows, -1))
        nothing = tf.zeros((members, rows, fixed.widths[layer]))

        def step(t: Any, h: Any, c: Any, written: tuple[Any, ...]) -> tuple[Any, ...]:
            z = sums[:, t] + tf.matmul(h, memory)
            gates = tf.tanh(z * half) * half + shift
            i, f, g, o = tf.split(gates, 4, axis=2)
            c = f * c + i * g
            tanh = tf.tanh(c)
            h = o * tanh
            new = gates, c, tanh, h
            return t + 1, h, c, tuple(array.write(t, value) for array, value in zip(written, new, strict=True))

        arrays = tuple(tf.TensorArray(tf.float32, steps) for _ in range(4))
        *_, written = tf.while_loop(lambda t, *_: t < steps, step, (0, nothing, nothing, arrays), parallel_iterations=1)
        gates, c, tanh, h = (array.stack() for array in written)
        return _Seen(gates, tf.concat([nothing[None], c[:-1]], axis=0), tanh, tf.transpose(h, (1, 0, 2, 3)))

    def _backward(self, fixed: Fixed, layer: int, pieces: list[Any], seen: _Seen, delta: Any, *, last: bool) -> Any:
        """Go back along the series; return the gradient of every step's sums ``(M, T, B, 4u)``.

        Args:
            fixed: from `prepare`.
            layer: number of the layer.
            pieces: the weights.
            seen: from `_forward`.
            delta: gradient of the last step's output ``(M, B, u)``, or of all steps' ``(M, T, B, u)``.
            last: which of the two it is.
        """
        import tensorflow as tf

        memory, (_, _, linear) = pieces[3 * layer + 1], fixed.gates[layer]
        steps = tf.shape(seen.gates)[0]
        nothing = tf.zeros_like(seen.before[0])

        def step(t: Any, dh: Any, dc: Any, written: Any) -> tuple[Any, ...]:
            gates, tanh = seen.gates[t], seen.tanh[t]
            i, f, g, o = tf.split(gates, 4, axis=2)
            if not last:
                dh += delta[:, t]
            dc += dh * o * (1 - tf.square(tanh))
            dgates = tf.concat([dc * g, dc * seen.before[t], dc * i, dh * tanh], axis=2)
            dz = dgates * ((1 - linear) + linear * gates - tf.square(gates))  # σ' = σ − σ², tanh' = 1 − tanh²
            return t - 1, tf.matmul(dz, memory, transpose_b=True), dc * f, written.write(t, dz)

        start = (steps - 1, delta if last else nothing, nothing, tf.TensorArray(tf.float32, steps))
        *_, written = tf.while_loop(lambda t, *_: t >= 0, step, start, parallel_iterations=1)
        return tf.transpose(written.stack(), (1, 0, 2, 3))

    def _mask(self, fixed: Fixed, layer: int, start: Any, shape: Any) -> Any:
        """Masks for a layer's outputs: of every step ``(M, T, B, u)``, behind the last layer ``(M, B, u)``."""
        import tensorflow as tf

        last = layer == self.structure.layers - 1
        steps, rows, width = (1 if last else shape[1]), shape[2], shape[3]
        blocks = layer * LAYER + tf.range(width // BLOCK)
        mask = tf.floor(uniform(start, rows * steps, blocks) + fixed.keep) / fixed.keep
        if last:
            return mask
        return tf.transpose(tf.reshape(mask, (shape[0], rows, steps, width)), (0, 2, 1, 3))


class _Seen(NamedTuple):
    """What one layer saw: gates, the cell before and its tanh after, with time in front; outputs ``(M, T, B, u)``."""

    gates: Any
    before: Any
    tanh: Any
    h: Any


def _rows(series: Any) -> Any:
    """Put all steps of a series ``(M, T, B, n)`` below one another ``(M, T·B, n)``."""
    import tensorflow as tf

    shape = tf.shape(series)
    return tf.reshape(series, (shape[0], -1, shape[3]))


class RecurrentBlueprint:
    """One member's recurrent network as numbers; see `hpt.training.stack.Blueprint`.

    Raises:
        NotStackable: if the model is anything else than LSTM layers, each with or without dropout, and a head.
    """

    last = False

    def __init__(self, task: Task, member: Member, model: Any) -> None:
        read = recurrent_of(model)
        if read is None:
            raise NotStackable("it is not a row of LSTM layers")
        self.task, self.member = task, member
        self.settings = {**DEFAULTS, **task.configuration(member.configuration)}
        self.rule, self.loss = rule_of(model), loss_of(model)
        self.sizes, self.dropout, self.output_activation = read
        self.drops = self.dropout > 0
        self.products = float(products(np.array(self.sizes)))
        self._first = [
            np.array(variable).reshape(shape)
            for variable, shape in zip(model.trainable_variables, self.shapes(self.sizes)[0], strict=True)
        ]

    def shapes(self, sizes: Sequence[int]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Return the shapes of the weights of a network of these sizes, the gates on an axis of their own."""
        found: list[tuple[int, ...]] = []
        for inputs, width in zip(sizes[:-2], sizes[1:-1], strict=True):
            found += [(inputs, 4, width), (width, 4, width), (4, width)]
        return [*found, (sizes[-2], sizes[-1]), (sizes[-1],)], []

    def structure(self, *, dropout: bool, clip: bool) -> Structure:
        """Return what this member must share with the others of its stack."""
        layers, features = len(self.sizes) - 2, self.sizes[0]
        return Structure(layers, features, dropout, clip, self.output_activation, self.loss)

    def network(self, structure: Structure) -> Recurrent:
        """Return the functions of a stack of this structure."""
        return Recurrent(structure)

    @staticmethod
    def traits(members: Sequence[RecurrentBlueprint], sizes: Sequence[int]) -> list[Array]:
        """Return the padded sizes ``(layers + 2,)``, and the share of units that each member keeps ``(M,)``."""
        keep = [1 - member.dropout for member in members]
        return [np.array(sizes, dtype="int32"), np.array(keep, dtype="float32")]

    def initial(self, seed: int) -> tuple[list[Array], list[Array]]:
        """Return the weights that Keras gave the model under the member's seed."""
        return [w.copy() for w in self._first], []

    def model(self, weights: Sequence[Array], stats: Sequence[Array]) -> Any:
        """Return the member as a compiled Keras model with these weights."""
        return built(self.task, self.member, weights, stats)
