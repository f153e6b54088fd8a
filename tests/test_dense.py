"""The stacked arithmetic of dense networks is Keras's, member by member, and padding never shows.

The backward pass is held against TensorFlow's own gradient of the same Keras model.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import hpt
from hpt.networks import PARTNER
from hpt.training import Member
from hpt.training.activations import ACTIVATIONS
from hpt.training.blueprints import DenseBlueprint
from hpt.training.dense import Dense
from hpt.training.noise import LAYER, uniform
from hpt.training.planner import BLOCK

ROWS = 24
SMALL = {"layers": 2, "units": (5, 9), "latent_size": 3}
WIDE = {"layers": 2, "units": (20, 16), "latent_size": 4}  # whose stack pads the small ones
TASKS = ("wine", "breast_cancer", "diabetes", "digits_autoencoder")


def _flat(arrays, shapes):
    """Pad arrays to shapes and lay them end to end."""
    padded = [np.pad(a, [(0, n - own) for n, own in zip(shape, a.shape, strict=True)])
              for a, shape in zip(arrays, shapes, strict=True)]  # fmt: skip
    return np.concatenate([np.zeros(0, "float32"), *(one.ravel() for one in padded)])


def _cut(row, shapes, like):
    """Cut arrays out of a flat row again; return them, and the largest number in the padding."""
    found, place, most = [], 0, 0.0
    for shape, array in zip(shapes, like, strict=True):
        whole = np.array(row[place : place + int(np.prod(shape))]).reshape(shape)
        place += whole.size
        own = tuple(map(slice, array.shape))
        found.append(whole[own].copy())
        whole[own] = 0
        most = max(most, float(np.abs(whole).max(initial=0)))
    return found, most


class Stacked:
    """A few members of a task as a padded stack, with random weights, and as Keras models."""

    def __init__(self, name, configurations, *, dropout=False, mixed=False):
        self.task = hpt.task(name)
        members = [DenseBlueprint(self.task, Member(one, seed)) for seed, one in enumerate(configurations)]
        self.members = sorted(members, key=lambda one: one.last)
        widest = [-(-max(sizes) // BLOCK) * BLOCK for sizes in zip(*(m.sizes[1:-1] for m in members), strict=True)]
        self.sizes = (members[0].sizes[0], *widest, members[0].sizes[-1])
        rng = np.random.default_rng(0)
        self.weights, self.stats = [], []
        for one in self.members:
            weights, stats = one.initial(one.member.seed)
            self.weights.append([w + rng.normal(scale=0.1, size=w.shape).astype("float32") for w in weights])
            self.stats.append([s + rng.uniform(0, 0.5, size=s.shape).astype("float32") for s in stats])
        self.network = Dense(members[0].structure(dropout=dropout, clip=False, mixed=mixed))
        self.shapes = self.members[0].shapes(self.sizes)
        self.w = np.array([_flat(own, self.shapes[0]) for own in self.weights])
        self.moving = np.array([_flat(own, self.shapes[1]) for own in self.stats])
        self.fixed = self.network.prepare(DenseBlueprint.traits(self.members, self.sizes))
        arrays = self.task.arrays()
        chosen = rng.integers(len(arrays.x_train), size=(len(members), ROWS))
        self.x, self.y = arrays.x_train[chosen], arrays.y_train[chosen]
        self.lengths = np.array([ROWS - 7 * i % 20 for i in range(len(members))])  # of each member's batch
        self.weight = ((np.arange(ROWS) < self.lengths[:, None]) / self.lengths[:, None]).astype("float32")

    def gradient(self, start=None):
        start = np.zeros(len(self.members), "int32") if start is None else start
        y = self.y if self.task.shape.problem == "multiclass" else self.y.astype("float32")
        given = (self.w, self.moving, self.x.reshape(*self.x.shape[:2], -1), y, self.weight, start)
        return self.network.gradient(self.fixed, *map(tf.constant, given))

    def judge(self):
        y = self.y if self.task.shape.problem == "multiclass" else self.y.astype("float32")
        return self.network.judge(self.fixed, *map(tf.constant, (self.w, self.moving, self.x, y)))

    def keras(self, i, *, training):
        """The loss, the gradient, the moving statistics and the outputs of a member, all by Keras."""
        model = self.members[i].model(self.weights[i], self.stats[i])
        n = self.lengths[i] if training else ROWS
        x, y = tf.constant(self.x[i, :n]), tf.constant(self.y[i, :n])
        with tf.GradientTape() as tape:
            outputs = model(x, training=training)
            loss = model.compute_loss(x=x, y=y, y_pred=outputs, training=training)
        variables = [variable.value for variable in model.trainable_variables]
        return loss, tape.gradient(loss, variables), model.non_trainable_variables, outputs


CASES = [(name, norm) for name in TASKS for norm in (False, True)]
EVERY = [{**size, "activation": activation} for size in (SMALL, WIDE) for activation in ACTIVATIONS]
TURNED = [{**size, "activation": pair}
          for size in (SMALL, WIDE)
          for pair in zip(ACTIVATIONS, [*ACTIVATIONS][3:] + [*ACTIVATIONS][:3], strict=True)]  # fmt: skip
"""Every activation in either layer, most beside one of the other family."""


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(("name", "norm"), CASES)
def test_the_backward_pass_is_tensorflows_gradient_of_the_keras_model(name, norm, mixed):
    """Every activation, two widths, batches of several lengths.

    The bound is 40 roundings of the largest entry. Batch normalization divides by the spread of a few rows, which
    makes roundings larger: 2e-6 was seen with it, up to 8e-7 without, and other processors round otherwise.
    """
    stacked = Stacked(name, [{**one, "batch_norm": norm} for one in (TURNED if mixed else EVERY)], mixed=mixed)
    losses, gradients, moved = stacked.gradient()
    for i in range(len(EVERY)):
        loss, expected, statistics, _ = stacked.keras(i, training=True)
        found, padding = _cut(gradients[i], stacked.shapes[0], stacked.weights[i])
        assert padding == 0
        assert float(losses[i]) == pytest.approx(float(loss), rel=2e-6)
        most = max(float(np.abs(one).max()) for one in expected)
        assert all(np.allclose(a, b, rtol=0, atol=5e-6 * most) for a, b in zip(found, expected, strict=True))
        if norm:
            found, padding = _cut(moved[i], stacked.shapes[1], stacked.stats[i])
            assert all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(found, statistics, strict=True))
    assert norm or np.array_equal(moved, stacked.moving)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(("name", "norm"), CASES)
def test_outputs_and_losses_are_those_of_the_keras_model(name, norm, mixed):
    members = [{**one, "batch_norm": norm, "dropout": 0.5} for one in (TURNED if mixed else EVERY)]
    stacked = Stacked(name, members, dropout=True, mixed=mixed)
    outputs, losses = stacked.judge()
    for i in range(len(EVERY)):
        loss, _, _, expected = stacked.keras(i, training=False)
        assert np.allclose(outputs[i], expected, rtol=1e-5, atol=2e-6)
        assert float(np.mean(losses[i])) == pytest.approx(float(loss), rel=5e-6)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("name", ["wine", "digits_autoencoder"])
def test_with_dropout_it_is_the_gradient_of_the_keras_model_with_the_same_masks(name, norm, mixed, monkeypatch):
    """Keras's dropout layers are made to use the masks of the stack: what `uniform` says, 1/keep for what stays."""
    rates = (0.0, 0.2, 0.5, 0.8)
    pairs = (("relu", "sigmoid"), ("tanh", "leaky_relu")) if mixed else ("relu", "tanh")
    configurations = [
        {**size, "activation": activation, "dropout": rate, "batch_norm": norm}
        for size, activation in zip((SMALL, WIDE), pairs, strict=True)
        for rate in rates
    ]
    stacked = Stacked(name, configurations, dropout=True, mixed=mixed)
    start = np.arange(8, dtype="int32") * 8000
    _, gradients, _ = stacked.gradient(start)
    widths = [stacked.sizes[layer + 1] for layer in stacked.network.hidden]
    for i, one in enumerate(stacked.members):
        masks = []
        for layer, width in enumerate(widths):
            blocks = layer * LAYER + np.arange(width // BLOCK)
            numbers = np.array(uniform(start[i : i + 1], ROWS, tf.constant(blocks, tf.int32)))[0]
            masks.append((numbers >= one.dropout) / (1 - one.dropout))
        given = iter(masks)
        monkeypatch.setattr(
            keras.layers.Dropout,
            "call",
            lambda self, x, training=False, given=given: x * next(given)[: x.shape[0], : x.shape[1]].astype("float32"),
        )
        if not one.dropout:  # then Keras has no such layers
            assert all((mask == 1).all() for mask in masks)
        _, expected, _, _ = stacked.keras(i, training=True)
        found, padding = _cut(gradients[i], stacked.shapes[0], stacked.weights[i])
        assert padding == 0
        most = max(float(np.abs(a).max()) for a in expected)
        assert all(np.allclose(a, b, rtol=0, atol=4e-6 * most) for a, b in zip(found, expected, strict=True))


def test_a_member_without_a_batch_has_no_gradient_and_keeps_its_moving_statistics():
    stacked = Stacked("wine", [{**SMALL, "batch_norm": True}, {**SMALL, "batch_norm": True}])
    stacked.weight[1] = 0
    losses, gradients, moved = stacked.gradient()
    assert float(losses[1]) == 0
    assert not np.any(gradients[1])
    assert np.array_equal(moved[1], stacked.moving[1])
    assert np.any(gradients[0])
    assert not np.array_equal(moved[0], stacked.moving[0])


def test_all_activations_of_the_builders_have_their_numbers():
    assert set(ACTIVATIONS) == set(PARTNER)


@pytest.mark.parametrize("activation", ["relu", ("relu", "tanh"), ("sigmoid", "leaky_relu")])
def test_an_activation_of_minus_infinity_is_what_keras_says(activation):
    """A sum that overflows downwards is a unit that is off, as in Keras, and network and gradient stay finite."""
    mixed = not isinstance(activation, str)
    stacked = Stacked("wine", [{"units": (4, 4), "activation": activation}], mixed=mixed)
    assert keras.activations.relu(tf.constant(-np.inf)) == 0
    assert stacked.network.structure.mixed == mixed
    stacked.w[:, : 13 * 16] = -1e38
    stacked.x = np.abs(stacked.x) + 1
    outputs, _ = stacked.judge()
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(one).all() for one in stacked.gradient())


def test_with_one_activation_for_all_layers_both_ways_are_the_same_to_the_last_bit():
    halves, each = (Stacked("digits_autoencoder", EVERY, mixed=mixed) for mixed in (False, True))
    for one, other in zip((*halves.gradient(), *halves.judge()), (*each.gradient(), *each.judge()), strict=True):
        assert np.array_equal(one, other)


def test_one_hidden_layer_is_never_mixed():
    def mixed(**configuration):
        return DenseBlueprint(hpt.task("wine"), Member(configuration, 0)).structure(
            dropout=False, clip=False, mixed=True
        ).mixed  # fmt: skip

    assert [mixed(layers=layers) for layers in (0, 1, 2)] == [False, False, True]
