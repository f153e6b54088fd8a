"""A user's own Keras models: stacked, on a shared trace, or left to the Keras loop, always with the same numbers."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

import hpt
from hpt import networks
from hpt.training import Member, engine
from hpt.training.anykeras import rounded
from hpt.training.keras_loop import KerasLoop
from hpt.training.stack import Stack

CLOSE = 2e-4
"""Of losses after three epochs: float32 rounds otherwise where a layer is padded, and Adam enlarges what is rounded."""


def compiled(model, optimizer=None, loss="sparse_categorical_crossentropy", **how):
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss, **how)
    return model


def row(*between, inputs=(13,), outputs=3, activation="softmax"):
    return keras.Sequential([keras.Input(inputs), *between, layers.Dense(outputs, activation=activation)])


def run(build, configurations, epochs=3, task=None):
    task = replace(task or hpt.task("wine"), build=lambda c, shape: build(**c))
    members = [Member(configuration, seed) for seed, configuration in enumerate(configurations)]
    stack = Stack().start(task, members)
    return stack, stack.advance(epochs), KerasLoop().start(task, members).advance(epochs)


def losses(progress):
    return [[point["train_loss"], point["val_loss"]] for point in progress.curve]


def assert_same(own, other):
    assert [one.status for one in own] == [one.status for one in other] == ["complete"] * len(own)
    for a, b in zip(own, other, strict=True):
        assert np.allclose(losses(a), losses(b), rtol=CLOSE)


DENSE = {
    "activation inside": lambda n: row(layers.Dense(n, "relu"), layers.Dense(n + 2, "relu")),
    "activation apart": lambda n: row(layers.Dense(n), layers.Activation("tanh")),
    "batch norm": lambda n: row(
        layers.Dense(n, use_bias=False), layers.BatchNormalization(), layers.Activation("relu")
    ),
    "no hidden layer": lambda n: row(),
    "mixed rates": lambda n: row(layers.Dense(n, "sigmoid"), layers.Dropout(0.0)),
}


@pytest.mark.parametrize("case", DENSE)
def test_a_users_dense_models_are_one_stack(case):
    stack, own, other = run(lambda n: compiled(DENSE[case](n)), [{"n": 8}, {"n": 11}, {"n": 8}])
    assert [len(one.members) for one in stack.plan.stacks] == [3]
    assert_same(own, other)


OPTIMIZERS = {
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "betas": lambda: keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    "rho": lambda: keras.optimizers.RMSprop(0.003, rho=0.5, weight_decay=0.01),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.7, global_clipnorm=0.5),
    "plain sgd": lambda: keras.optimizers.SGD(0.05),
}


def test_a_users_own_warm_up_is_read_off_the_optimizer():
    def build():
        rise = keras.optimizers.schedules.CosineDecay(0.0, 1, 1.0, warmup_target=0.01, warmup_steps=9)
        return compiled(row(layers.Dense(8, "relu")), keras.optimizers.SGD(rise))

    stack, own, other = run(build, [{}, {}])
    assert not stack.plan.alone
    assert_same(own, other)


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_the_settings_of_an_optimizer_are_read_off_it(case):
    stack, own, other = run(lambda: compiled(row(layers.Dense(8, "relu")), OPTIMIZERS[case]()), [{}, {}])
    assert not stack.plan.alone
    assert_same(own, other)


def two_ways(n):
    inputs = keras.Input((13,))
    x = layers.Dense(n, "relu")(inputs)
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.concatenate([x, layers.Dense(n, "tanh")(x)])))


SHARED = {
    "two activations": lambda n: row(layers.Dense(n, "relu"), layers.Dense(n, "tanh")),
    "gelu": lambda n: row(layers.Dense(n, "gelu")),
    "norm after activation": lambda n: row(layers.Dense(n, "relu"), layers.BatchNormalization()),
    "layer norm": lambda n: row(layers.Dense(n, "relu"), layers.LayerNormalization()),
    "reshaped": lambda n: row(layers.Reshape((13, 1)), layers.Conv1D(n, 3, activation="relu"), layers.Flatten()),
    "functional": two_ways,
}


@pytest.mark.parametrize("case", SHARED)
def test_other_models_train_as_in_keras_and_share_a_trace(case):
    before = engine.traces
    stack, own, other = run(lambda n: compiled(SHARED[case](n)), [{"n": 8}, {"n": 7}, {"n": 8}])
    assert not stack.plan.alone
    assert engine.traces - before <= 2
    assert_same(own, other)


@pytest.mark.parametrize(
    ("name", "build", "configurations"),
    [
        ("co2", networks.lstm, [{"units": 6}, {"units": 5, "optimizer": "sgd"}]),
        ("co2", networks.lstm, [{"units": 5, "cell": "gru", "layers": 2}, {"units": 4, "cell": "gru", "layers": 2}]),
        ("co2", networks.lstm, [{"units": 5, "cell": "simple_rnn"}]),
        ("co2", networks.transformer, [{"units": 8, "layers": 1}, {"units": 8, "layers": 1, "learning_rate": 0.003}]),
        ("co2", networks.lstm, [{"units": 5, "sequence_length": 6, "warmup": 20}, {"units": 6, "sequence_length": 6}]),
        ("recall", networks.transformer, [{"units": 8, "layers": 1, "warmup": 40, "sequence_length": 5}]),
        ("digits_conv_autoencoder", networks.conv_autoencoder, [{"filters": 3, "layers": 2, "dropout": 0.0}]),
        ("digits", networks.cnn, [{"filters": 3, "batch_norm": True}, {"filters": 4, "kernel_size": 5}]),
    ],
)
def test_the_packages_other_networks_train_as_in_keras(name, build, configurations):
    task = hpt.task(name, build=build)
    members = [Member(configuration, seed) for seed, configuration in enumerate(configurations)]
    stack = Stack().start(task, members)
    assert not stack.plan.alone
    own = stack.advance(2)
    assert_same(own, KerasLoop().start(task, members).advance(2))
    x = task.arrays().x_validation
    assert np.allclose(stack.model(0)(x), stack._entries[0].outputs, atol=1e-5)


def test_dropout_of_a_shared_trace_drops_the_share_it_was_told():
    """Rate 0 is as without; with a rate the loss on training rows is another, and another with another seed."""
    build = lambda rate: compiled(row(layers.Dense(32, "gelu"), layers.Dropout(rate)))  # noqa: E731
    _, own, other = run(build, [{"rate": 0.0}, {"rate": 0.5}, {"rate": 0.5}], epochs=1)
    assert np.allclose(losses(own[0]), losses(other[0]), rtol=CLOSE)
    assert own[1].curve[0]["train_loss"] != own[2].curve[0]["train_loss"]


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = layers.Dense(3, "softmax")

    def call(self, x):
        return self.head(x)


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def twice(layer):
    return row(layers.Dense(8), layer, layers.Dense(8), layer)


def without_decay_of(name):
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=[name])
    return optimizer


LEFT = {
    "a class of its own": lambda: compiled(Own()),
    "constrained": lambda: compiled(row(layers.Dense(8, kernel_constraint=keras.constraints.MaxNorm(0.5)))),
    "adds to the loss": lambda: compiled(row(layers.Dense(8, kernel_regularizer="l2"))),
    "has a weight": lambda: compiled(row(layers.Dense(8)), loss_weights=[0.1]),
    "not given by name": lambda: compiled(row(layers.Dense(8)), loss=keras.losses.SparseCategoricalCrossentropy()),
    "optimizer is Nadam": lambda: compiled(row(layers.Dense(8)), keras.optimizers.Nadam(0.01)),
    "nesterov": lambda: compiled(row(layers.Dense(8)), keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
    "schedule": lambda: compiled(
        row(layers.Dense(8)), keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9))
    ),
    "leaves variables out": lambda: compiled(row(layers.Dense(8)), without_decay_of("bias")),
    "its layer Doubled": lambda: compiled(row(layers.Dense(8), Doubled())),
    "its layer GaussianNoise": lambda: compiled(row(layers.Dense(8), layers.GaussianNoise(0.1))),
    "its layer Sequential": lambda: compiled(row(keras.Sequential([layers.Dense(8), layers.Dropout(0.5)]))),
    "remembers": lambda: compiled(row(layers.Reshape((13, 1)), layers.LSTM(4, dropout=0.5))),
    "in two places": lambda: compiled(twice(layers.Activation("gelu"))),
    "wants a target for every output": lambda: compiled(row(layers.Dense(8)), loss="mse"),
}


@pytest.mark.parametrize("reason", LEFT)
def test_what_a_stack_cannot_follow_is_left_to_the_keras_loop_with_the_reason(reason):
    task = replace(hpt.task("wine"), build=lambda c, shape: LEFT[reason]())
    stack = Stack().start(task, [Member({}, 0)])
    assert reason in stack.plan.alone[0]
    assert reason in repr(stack.plan)
    [own], [other] = stack.advance(1), KerasLoop().start(task, [Member({}, 0)]).advance(1)
    assert (own.status, own.curve) == (other.status, other.curve)
    assert own.reason.split("{{")[0] == other.reason.split("{{")[0]  # Keras counts the names of its layers on


@pytest.mark.parametrize("setting", [{"batch_size": 0}, {"batch_size": 7.5}, {"batch_size": "a"}, {"patience": -1}])
def test_a_setting_that_cannot_be_spares_the_others(setting):
    task = replace(hpt.task("wine"), build=lambda c, shape: compiled(row(layers.Dense(4, "relu"))))
    progress = Stack().start(task, [Member({}, 0), Member(setting, 1)]).advance(1)
    assert progress[0].status == "complete"


def test_a_head_wider_than_the_task_is_judged_by_its_own_outputs():
    task = replace(hpt.task("breast_cancer"), build=lambda c, shape: compiled(row(inputs=(30,), outputs=2)))
    [own], [other] = (t.start(task, [Member({}, 0)]).advance(2) for t in (Stack(), KerasLoop()))
    assert own.status == other.status
    assert np.allclose(losses(own), losses(other), rtol=CLOSE)


def test_a_builder_may_bring_weights_and_moving_statistics_of_its_own():
    def build(c, shape):
        norm = layers.BatchNormalization(moving_variance_initializer=keras.initializers.Constant(9.0))
        return compiled(row(layers.Dense(6, use_bias=False), norm, layers.Activation("relu")))

    task = replace(hpt.task("wine"), build=build)
    [own], [other] = (t.start(task, [Member({}, 0)]).advance(2) for t in (Stack(), KerasLoop()))
    assert np.allclose(losses(own), losses(other), rtol=CLOSE)


@pytest.mark.parametrize("first", [10, 12])
def test_padding_that_would_change_a_model_is_found_out_in_any_order(first):
    """Filters laid out in a row: padded ones would shift the others to other weights."""

    def build(n):
        return compiled(row(layers.Reshape((13, 1)), layers.Conv1D(n, 3), layers.Reshape((-1,)), layers.Dense(4)))

    _, own, other = run(build, [{"n": first}, {"n": 22 - first}], epochs=1)
    assert_same(own, other)


def test_losses_that_are_one_number_for_all_rows_do_not_mix_members():
    task = hpt.task("breast_cancer")
    members = [Member({"units": 4, "loss": "dice"}, seed) for seed in range(2)]
    own, other = (trainer.start(task, members).advance(2) for trainer in (Stack(), KerasLoop()))
    assert [one.curve for one in own] == [one.curve for one in other]


def test_models_with_conditions_do_not_hang_when_several_train_at_once():
    """Keras turns no layer of this list into a condition today; the function below has one all the same."""
    import tensorflow as tf

    assert "If" in engine._WAITS
    graph = tf.function(lambda x: tf.cond(x[0] > 0, lambda: x, lambda: -x)).get_concrete_function(
        tf.TensorSpec([None], tf.float32)
    )
    assert engine._WAITS & {node.op for node in graph.graph.as_graph_def().node}


def test_widths_are_rounded_to_few_numbers_and_by_less_than_a_third():
    widths = range(1, 1025)
    assert all(width <= rounded(width) < max(width + 2, 1.5 * width) for width in widths)
    assert len({rounded(width) for width in widths}) < 24
