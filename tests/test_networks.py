"""A builder gives the Keras network that its configuration describes."""

import keras
import numpy as np
import pytest

import hpt
from hpt.networks import DEFAULTS, HEADS, PARTNER, Shape, autoencoder, mlp, optimizer, widths

TABLE = Shape((30,), 1, "binary")


def _dense(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def test_layers_and_units_decide_the_number_of_weights():
    model = mlp({"layers": 2, "units": 64}, TABLE)
    assert model.count_params() == (30 * 64 + 64) + (64 * 64 + 64) + (64 + 1)


def test_units_may_differ_from_layer_to_layer():
    assert [layer.units for layer in _dense(mlp({"units": (32, 8)}, TABLE))] == [32, 8, 1]


def test_no_hidden_layer_is_a_linear_model():
    assert [layer.units for layer in _dense(mlp({"layers": 0}, TABLE))] == [1]


@pytest.mark.parametrize("problem", HEADS)
def test_the_head_belongs_to_the_problem(problem):
    outputs = {"multiclass": 3}.get(problem, 1)
    model = mlp({}, Shape((5,), outputs, problem))
    activation, loss = HEADS[problem]
    assert (model.layers[-1].activation.__name__, model.loss, model.output_shape) == (activation, loss, (None, outputs))


def test_the_heads_of_classifiers_give_probabilities():
    x = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    assert np.allclose(np.sum(mlp({}, Shape((5,), 3, "multiclass"))(x), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("activation", "init"), PARTNER.items())
def test_an_activation_brings_its_initialization(activation, init):
    layer = _dense(mlp({"activation": activation}, TABLE))[0]
    assert layer.kernel_initializer.__class__.__name__.lower() == init.replace("_", "")
    assert layer.kernel_initializer.__class__ is keras.initializers.get(init).__class__


def test_he_normal_has_he_et_als_variance():
    kernel = _dense(mlp({"units": 512, "layers": 1, "activation": "relu"}, Shape((256,), 1, "binary")))[0].get_weights()
    # 131,072 draws: the standard error of their standard deviation is 0.2 %
    assert kernel[0].std() == pytest.approx(np.sqrt(2 / 256), rel=0.02)


def test_dropout_and_batch_normalization_stand_where_they_are_asked_for():
    names = [type(layer).__name__ for layer in mlp({"layers": 1, "dropout": 0.3, "batch_norm": True}, TABLE).layers]
    assert names == ["Dense", "BatchNormalization", "Activation", "Dropout", "Dense"]


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("rmsprop", "RMSprop"), ("sgd", "SGD")])
def test_the_optimizer_takes_its_hyperparameters(name, kind):
    made = optimizer({"optimizer": name, "learning_rate": 0.02, "weight_decay": 1e-3, "momentum": 0.8})
    assert type(made).__name__ == kind
    assert float(made.learning_rate) == pytest.approx(0.02)
    assert made.weight_decay == 1e-3
    assert getattr(made, "momentum", None) == {"sgd": 0.8, "rmsprop": 0.0}.get(name)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_whole_numbers_are_numbers_too(name):
    made = optimizer({"optimizer": name, "learning_rate": 1, "weight_decay": 1, "momentum": 0})
    assert (float(made.learning_rate), made.weight_decay) == (1.0, 1.0)


def test_an_autoencoder_narrows_to_its_bottleneck_and_widens_again():
    model = autoencoder({"units": (32, 16), "latent_size": 4}, Shape((64,), 64, "autoencoder"))
    assert [layer.units for layer in _dense(model)] == [32, 16, 4, 16, 32, 64]
    assert model.get_layer("bottleneck").output.shape == (None, 4)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"learning_rte": 1}, "did you mean 'learning_rate'"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"dropout": 1.0}, "share of at least 0 and below 1, got 1.0"),
        ({"learning_rate": 0}, "above 0, got 0"),
        ({"units": 0}, "at least 1, got"),
        ({"units": (8, 8), "layers": 3}, "describes 2 layers"),
        ({"layers": 1.5}, "whole number of at least 0, got 1.5"),
        ({"batch_size": 0}, "at least 1, got 0"),
        ({"patience": 0}, "patience must be None or a whole number"),
        ({"weight_decay": -1}, "weight_decay must be at least 0, got -1"),
    ],
)
def test_an_impossible_configuration_gets_one_line(configuration, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        mlp(configuration, TABLE)
    assert "\n" not in str(caught.value)


def test_no_ready_task_searches_a_knob_that_the_builders_do_not_read():
    searched = {name for task in hpt.tasks.TASKS for name in hpt.task(task).space}
    assert searched <= {*DEFAULTS, "epochs"}


def test_widths_of_the_default_network():
    assert widths({}) == [64, 64]
