"""A builder gives the Keras network that its configuration describes."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import hpt
from hpt import catalog
from hpt.networks import (
    CELLS,
    DEFAULTS,
    HEADS,
    PARTNER,
    Shape,
    autoencoder,
    cnn,
    complete,
    conv_autoencoder,
    folded,
    hidden,
    lstm,
    merged,
    mlp,
    optimizer,
    transformer,
    widths,
)
from hpt.training import Member
from hpt.training.keras_loop import KerasLoop

TABLE = Shape((30,), 1, "binary")
SERIES = Shape((24,), 1, "regression")
DIGITS = Shape((64,), 10, "multiclass")


def _dense(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def test_layers_and_units_decide_the_number_of_weights():
    model = mlp({"layers": 2, "units": 64}, TABLE)
    assert model.count_params() == (30 * 64 + 64) + (64 * 64 + 64) + (64 + 1)


def test_units_may_differ_from_layer_to_layer():
    assert [layer.units for layer in _dense(mlp({"units": (32, 8)}, TABLE))] == [32, 8, 1]


def _kinds(model):
    """Units, activation and initialization of every dense layer but the head."""
    activations = [one.activation.__name__ for one in model.layers if isinstance(one, keras.layers.Activation)]
    dense = [one for one in _dense(model)[:-1] if one.name != "bottleneck"]
    inits = [type(one.kernel_initializer).__name__ for one in dense]
    return list(zip([one.units for one in dense], activations, inits, strict=True))


def test_activations_may_differ_from_layer_to_layer_and_each_brings_its_initialization():
    model = mlp({"units": (32, 8, 4), "activation": ("relu", "tanh", "leaky_relu")}, TABLE)
    assert _kinds(model) == [(32, "relu", "HeNormal"), (8, "tanh", "GlorotUniform"), (4, "leaky_relu", "HeNormal")]
    model = mlp({"activation": ["sigmoid", "relu", "relu"], "init": "lecun_normal"}, TABLE)
    assert _kinds(model) == [(64, name, "LecunNormal") for name in ("sigmoid", "relu", "relu")]


def test_an_autoencoder_mirrors_its_activations_too():
    configuration = {"units": (32, 16), "activation": ("tanh", "relu"), "latent_size": 4}
    down = [(32, "tanh", "GlorotUniform"), (16, "relu", "HeNormal")]
    assert _kinds(autoencoder(configuration, Shape((64,), 64, "autoencoder"))) == [*down, *down[::-1]]


FLAT = {"layers": 2, "units_1": 32, "activation_1": "relu", "units_2": 8, "activation_2": "tanh"}


def test_a_key_for_each_layer_is_the_list_of_them():
    listed = {"layers": 2, "units": (32, 8), "activation": ("relu", "tanh")}
    assert folded(FLAT) == folded(listed) == listed
    assert complete(FLAT) == complete(listed) == complete(complete(FLAT))
    assert hidden(FLAT) == hidden(listed) == [(32, "relu"), (8, "tanh")]
    assert _kinds(mlp(FLAT, TABLE)) == _kinds(mlp(listed, TABLE))
    assert folded({"units_2": 8, "units_1": 32}) == {"units": (32, 8)}  # 2 layers by default
    assert hidden({"units": 5, "activation_1": "tanh"}, layers=1) == [(5, "tanh")]
    assert hidden({"units": (5, 6, 7), **{f"activation_{i}": "tanh" for i in (1, 2, 3)}})[2] == (7, "tanh")
    assert [layer.units for layer in lstm({"units_1": 7}, SERIES).layers[1:]] == [7, 1]


def test_what_a_configuration_says_of_the_layers_replaces_what_lies_beneath_it():
    beneath = {"layers": 1, "units": 64, "activation": "sigmoid", "patience": 3}
    assert hidden(merged(beneath, FLAT)) == hidden(FLAT)
    assert merged(beneath, FLAT) == {"patience": 3, **FLAT}
    assert merged(FLAT, {"units": 5}) == {"layers": 2, "activation_1": "relu", "activation_2": "tanh", "units": 5}
    assert merged(FLAT, {"layers": 1, "units_1": 5, "activation": "relu"}) == {
        "layers": 1, "units_1": 5, "activation": "relu",
    }  # fmt: skip
    assert merged(beneath, {"dropout": 0.1}) == {**beneath, "dropout": 0.1}


def test_every_configuration_of_the_layerwise_space_is_a_network():
    space, rng = hpt.layerwise_space(3), np.random.default_rng(0)
    for configuration in [space.sample(rng) for _ in range(20)]:
        kinds = hidden(configuration)
        assert len(kinds) == configuration["layers"]
        assert kinds == [(configuration[f"units_{i}"], configuration[f"activation_{i}"])
                         for i in range(1, len(kinds) + 1)]  # fmt: skip
        assert [(units, name) for units, name, _ in _kinds(mlp(configuration, TABLE))] == kinds


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
        ({"units": 1.5}, r"at least 1, got \[1.5, 1.5\]"),
        ({"activation": ("relu", "tanh"), "layers": 3}, r"layers=3 but activation=\('relu', 'tanh'\) describes 2 lay"),
        ({"units": (8,), "activation": ("relu", "tanh")}, r"units=\(8,\) but activation=.* describes 2 layers"),
        ({"activation": ("relu", "tan")}, "unknown activation 'tan': did you mean 'tanh'"),
        ({"activation_1": "relu", "activation_2": "tan"}, "unknown activation 'tan': did you mean 'tanh'"),
        ({"units_1": 8}, "units_2 is missing, for there are 2 hidden layers"),
        ({"layers": 3, "activation_1": "relu", "activation_3": "relu"}, "activation_2 is missing, for there are 3"),
        ({"layers": 1, "units_1": 8, "units_2": 8}, "units_2 is of no layer, for there are 1: leave it out"),
        ({"layers": 0, "units_1": 8}, "units_1 is of no layer, for there are 0"),
        ({"units": 8, "units_1": 8, "units_2": 8}, "units and units_1 say the same thing twice"),
        ({"layers": "two", "units_1": 8}, "layers must be a whole number of at least 0, got 'two'"),
        ({"layers": 1, "units_1": 0}, "at least 1, got"),
        ({"units_0": 8}, "unknown hyperparameter 'units_0': did you mean 'units'"),
        ({"filters_1": 8}, "did you mean 'filters'"),
        ({"layers": 1.5}, "whole number of at least 0, got 1.5"),
        ({"batch_size": 0}, "at least 1, got 0"),
        ({"patience": 0}, "patience must be None or a whole number"),
        ({"weight_decay": -1}, "weight_decay must be at least 0, got -1"),
        ({"clip_norm": 0}, "clip_norm must be None or a finite number above 0, got 0"),
        ({"clip_norm": float("nan")}, "clip_norm must be None or a finite number above 0, got nan"),
        ({"clip_norm": float("inf")}, "clip_norm must be None or a finite number above 0, got inf"),
        ({"cell": "lsmt"}, "unknown cell 'lsmt': did you mean 'lstm'"),
        ({"filters": 0}, "filters must be a whole number of at least 1, got 0"),
        ({"kernel_size": (3, 3)}, r"kernel_size must be a whole number of at least 1, got \(3, 3\)"),
        ({"heads": 1.5}, "heads must be a whole number of at least 1, got 1.5"),
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
    assert widths({}, layers=1) == [64]
    assert widths({"layers": 3}, layers=1) == [64, 64, 64]


# --- a gradient's length ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_clip_norm_is_that_of_the_whole_gradient_for_every_optimizer(name):
    assert optimizer({"optimizer": name}).global_clipnorm is None
    made = optimizer({"optimizer": name, "clip_norm": 2})
    assert (made.global_clipnorm, made.clipnorm, made.clipvalue) == (2.0, None, None)


def test_the_learning_rate_warms_up_from_0_and_stays():
    made = optimizer({"learning_rate": 0.1, "warmup": 4})
    rates = []
    for step in range(7):
        made.iterations.assign(step)
        rates.append(float(made.learning_rate))
    assert rates == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


@pytest.mark.parametrize(("clip_norm", "factor"), [(None, 1), (5, 1), (0.5, 0.1)])
def test_a_gradient_of_length_5_is_shortened_to_clip_norm_and_keeps_its_direction(clip_norm, factor):
    made = optimizer({"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0, "clip_norm": clip_norm})
    weights = [keras.Variable([1.0, 1.0]), keras.Variable([[1.0]])]
    gradients = [np.array([3.0, 0.0], "float32"), np.array([[4.0]], "float32")]  # together 3² + 4² = 5²
    made.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        assert np.allclose(weight.numpy(), 1 - factor * gradient, atol=1e-6)


# --- sequences ----------------------------------------------------------------------------------------


def _names(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(("shape", "features"), [((24,), 1), ((24, 3), 3)])
@pytest.mark.parametrize(
    ("cell", "weights"),
    [  # gates times (inputs, states and biases) a unit; Keras's GRU has two biases
        ("lstm", lambda f, u: 4 * u * (f + u + 1)),
        ("gru", lambda f, u: 3 * u * (f + u + 2)),
        ("simple_rnn", lambda f, u: u * (f + u + 1)),
    ],
)
def test_a_recurrent_network_has_the_weights_of_its_cell(cell, weights, shape, features):
    model = lstm({"cell": cell, "units": (7, 5)}, Shape(shape, 1, "regression"))
    assert model.count_params() == weights(features, 7) + weights(7, 5) + (5 + 1)
    assert model.output_shape == (None, 1)


def test_every_cell_was_counted():
    assert set(CELLS) == {"lstm", "gru", "simple_rnn"}


def test_a_recurrent_network_has_one_layer_unless_more_are_asked_for():
    assert _names(lstm({}, SERIES)) == ["Reshape", "LSTM", "Dense"]
    assert _names(lstm({"layers": 2, "dropout": 0.2, "cell": "gru"}, Shape((24, 1), 1, "regression"))) == [
        "GRU", "Dropout", "GRU", "Dropout", "Dense",
    ]  # fmt: skip


def test_only_the_last_recurrent_layer_forgets_the_way():
    assert [layer.return_sequences for layer in lstm({"units": (4, 4, 4)}, SERIES).layers[1:-1]] == [True, True, False]


def _hand_count(steps, features, units, layers):
    embedding = features * units + steps * units
    attention = 4 * (units * units + units)  # query, key, value, output
    dense = (units * 2 * units + 2 * units) + (2 * units * units + units)
    norms = 2 * (2 * units)
    return embedding + layers * (attention + dense + norms) + (units + 1)


@pytest.mark.parametrize(("shape", "features"), [((24,), 1), ((24, 3), 3)])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_transformer_has_the_weights_of_its_blocks_however_many_heads_share_them(shape, features, heads):
    model = transformer({"units": 8, "layers": 3, "heads": heads}, Shape(shape, 1, "regression"))
    assert model.count_params() == _hand_count(24, features, 8, 3)
    assert model.output_shape == (None, 1)
    assert _names(model).count("MultiHeadAttention") == 3
    assert "Dropout" not in _names(model)


def test_a_transformer_drops_out_behind_attention_and_behind_the_dense_layers():
    assert _names(transformer({"units": 8, "layers": 2, "dropout": 0.1}, SERIES)).count("Dropout") == 4


def test_a_transformer_knows_the_order_of_the_steps():
    model = transformer({"units": 8, "layers": 1}, SERIES)
    x = np.random.default_rng(0).normal(size=(5, 24)).astype("float32")
    assert not np.allclose(model(x), model(x[:, ::-1]), atol=1e-4)
    embedding = model.get_layer("embedding")
    embedding.bias.assign(np.zeros((24, 8)))  # without the positions it is a set, not a sequence
    assert np.allclose(model(x), model(x[:, ::-1]), atol=1e-5)  # float32 sums in another order


@pytest.mark.parametrize("build", [lstm, transformer])
@pytest.mark.parametrize("shape", [(24,), (24, 3)])
def test_sequence_length_is_how_many_of_the_last_steps_are_read(build, shape):
    model = build({"units": 8, "layers": 1, "sequence_length": 5}, Shape(shape, 1, "regression"))
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype("float32")
    earlier, latest = x.copy(), x.copy()
    earlier[:, :-5] += 1
    latest[:, -5] += 1
    assert np.array_equal(model(x), model(earlier))
    assert not np.allclose(model(x), model(latest), atol=1e-6)


def test_a_sequence_that_is_read_to_its_beginning_needs_no_cropping():
    assert _names(lstm({"sequence_length": 24}, SERIES)) == _names(lstm({}, SERIES))


# --- images -------------------------------------------------------------------------------------------


def test_filters_double_and_their_number_decides_the_number_of_weights():
    model = cnn({"filters": 4, "kernel_size": 5, "layers": 3}, DIGITS)
    assert model.count_params() == (25 * 4 + 4) + (25 * 4 * 8 + 8) + (25 * 8 * 16 + 16) + (16 * 10 + 10)
    assert model.output_shape == (None, 10)


@pytest.mark.parametrize("inputs", [(64,), (8, 8), (8, 8, 1), (8, 8, 3), (28, 28)])
def test_the_size_of_an_image_does_not_change_the_number_of_weights(inputs):
    channels = inputs[2] if len(inputs) == 3 else 1
    model = cnn({}, Shape(inputs, 10, "multiclass"))
    assert model.count_params() == (9 * channels * 16 + 16) + (9 * 16 * 32 + 32) + (32 * 10 + 10)


def test_a_row_of_pixels_becomes_the_image_that_it_was():
    [reshape] = [layer for layer in cnn({}, DIGITS).layers if isinstance(layer, keras.layers.Reshape)]
    rows = np.arange(128, dtype="float32").reshape(2, 64)
    assert np.array_equal(reshape(rows)[..., 0], rows.reshape(2, 8, 8))


def test_pooling_ends_where_an_image_is_small():
    blocks = ["Conv2D", "Activation", "MaxPooling2D"] * 2 + ["Conv2D", "Activation"]
    assert _names(cnn({"layers": 3}, DIGITS)) == ["Reshape", *blocks, "GlobalAveragePooling2D", "Dense"]
    assert "MaxPooling2D" not in _names(cnn({}, Shape((28, 3), 2, "multiclass")))


def test_a_cnn_takes_batch_normalization_dropout_and_the_partner_of_its_activation():
    model = cnn({"layers": 1, "batch_norm": True, "dropout": 0.2, "activation": "tanh"}, Shape((8, 8, 1), 1, "binary"))
    assert _names(model) == [
        "Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "GlobalAveragePooling2D", "Dropout", "Dense",
    ]  # fmt: skip
    assert not model.layers[0].use_bias
    assert isinstance(model.layers[0].kernel_initializer, keras.initializers.GlorotUniform)


def test_a_convolutional_autoencoder_goes_down_to_its_bottleneck_and_up_the_same_way():
    model = conv_autoencoder({"layers": 2, "filters": 4, "latent_size": 3}, Shape((64,), 64, "autoencoder"))
    images = [tuple(layer.output.shape[1:]) for layer in model.layers if len(layer.output.shape) == 4]
    down = [(8, 8, 1), (8, 8, 4), (4, 4, 4), (4, 4, 8), (2, 2, 8)]
    assert images == [*down, (2, 2, 8), (4, 4, 8), (4, 4, 8), (8, 8, 8), (8, 8, 4), (8, 8, 1)]
    assert model.get_layer("bottleneck").output.shape == (None, 3)
    assert model.output_shape == (None, 64)
    down_weights = (9 * 4 + 4) + (9 * 4 * 8 + 8) + (32 * 3 + 3)
    up_weights = (3 * 32 + 32) + (9 * 8 * 8 + 8) + (9 * 8 * 4 + 4) + (9 * 4 + 1)
    assert model.count_params() == down_weights + up_weights


# --- all of them ----------------------------------------------------------------------------------------

NETWORKS = {lstm: SERIES, transformer: SERIES, cnn: DIGITS}


@pytest.mark.parametrize(
    ("name", "build", "configuration", "least"),
    [  # r2 of the mean is 0; a tenth of the digits is right by chance
        ("co2", lstm, {"units": 16, "cell": "lstm"}, 0.5),
        ("co2", lstm, {"units": 16, "cell": "gru"}, 0.5),
        ("co2", lstm, {"units": 16, "cell": "simple_rnn"}, 0.5),
        ("co2", transformer, {"units": 16, "layers": 1}, 0.2),
        ("digits", cnn, {"dropout": 0.1}, 0.6),
    ],
)
def test_a_network_learns_within_three_epochs_and_repeats_itself(name, build, configuration, least):
    task = replace(hpt.task(name), build=build)
    member = Member({"learning_rate": 0.01, "clip_norm": 5.0, **configuration}, seed=0)
    once, twice = KerasLoop().start(task, [member, member]).advance(3)
    assert (once.status, once.reason) == ("complete", "")
    assert once.curve == twice.curve
    assert once.metrics["accuracy" if name == "digits" else "r2"] > least


@pytest.mark.parametrize("problem", HEADS)
@pytest.mark.parametrize("build", NETWORKS)
def test_the_head_of_any_network_belongs_to_the_problem(build, problem):
    outputs = {"multiclass": 3, "autoencoder": 16}.get(problem, 1)
    model = build({"units": 4, "filters": 2}, Shape((16,), outputs, problem))
    activation, loss = HEADS[problem]
    assert (model.layers[-1].activation.__name__, model.loss, model.output_shape) == (activation, loss, (None, outputs))


@pytest.mark.parametrize("build", NETWORKS)
def test_a_saved_network_is_the_same_network(build, tmp_path):
    model = build({"units": 4, "filters": 2, "dropout": 0.1, "clip_norm": 1.0}, NETWORKS[build])
    model.optimizer.build(model.trainable_variables)  # as a trainer does; loading an optimizer without warns
    model.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    x = np.random.default_rng(0).normal(size=(3, *NETWORKS[build].inputs)).astype("float32")
    assert np.array_equal(model(x), again(x))
    assert again.optimizer.global_clipnorm == 1.0


@pytest.mark.parametrize(
    ("build", "configuration", "inputs", "message"),
    [
        (lstm, {}, (8, 8, 1), r"\(steps,\) or \(steps, features\), got inputs of shape \(8, 8, 1\)"),
        (transformer, {}, (8, 8, 1), r"\(steps,\) or \(steps, features\), got inputs of shape \(8, 8, 1\)"),
        (cnn, {}, (30,), "30 numbers a row are no square image, as 64 are one of 8 by 8: give inputs of shape"),
        (cnn, {}, (2, 8, 8, 1), r"\(height, width, channels\), got \(2, 8, 8, 1\)"),
        (conv_autoencoder, {}, (30,), "30 numbers a row are no square image"),
        (conv_autoencoder, {"layers": 4}, (64,), "an image of 8 by 8 can't be halved 4 times: give fewer layers"),
        (conv_autoencoder, {"layers": 0}, (64,), "a convolutional autoencoder needs at least 1 layer, got 0"),
        (lstm, {"sequence_length": 25}, (24,), "24 steps long: sequence_length must be at most that, got 25"),
        (transformer, {"sequence_length": 0}, (24,), "sequence_length must be a whole number of at least 1, got 0"),
        (lstm, {"warmup": -1}, (24,), "warmup must be a whole number of at least 0, got -1"),
        (lstm, {"layers": 0}, (24,), "a recurrent network needs at least 1 layer, got 0"),
        (lstm, {"units": ()}, (24,), "a recurrent network needs at least 1 layer, got 0"),
        (transformer, {"layers": 0}, (24,), "a transformer needs at least 1 layer, got 0"),
        (cnn, {"layers": 0}, (64,), "a convolutional network needs at least 1 layer, got 0"),
        (lstm, {"units": (8, 8), "layers": 1}, (24,), "describes 2 layers"),
        (transformer, {"units": (8, 8)}, (24,), r"one width: units must be a whole number, got \(8, 8\)"),
        (transformer, {"units": 0}, (24,), "at least 1, got"),
        (transformer, {"units": 8, "heads": 3}, (24,), "must divide units: 8 units can't be cut into 3 heads"),
        (lstm, {"filter": 3}, (24,), "did you mean 'filters'"),
        (lstm, {"activation": ("relu",)}, (24,), r"a recurrent network has one activation: .* got \('relu',\)"),
        (transformer, {"activation": ("relu", "tanh")}, (24,), "a transformer has one activation"),
        (cnn, {"activation_1": "relu", "activation_2": "tanh"}, (64,), "a convolutional network has one activation"),
        (transformer, {"units_1": 8, "units_2": 8}, (24,), r"one width: units must be a whole number, got \(8, 8\)"),
        (lstm, {"units_1": 8, "units_2": 8}, (24,), "units_2 is of no layer, for there are 1"),
    ],
)
def test_what_a_network_cannot_be_is_said_in_one_line(build, configuration, inputs, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        build(configuration, Shape(inputs, 1, "regression"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["filters", "kernel_size"])
def test_a_cnn_takes_every_value_of_the_catalogue(key):
    values = catalog.domain(key).grid(4)
    assert catalog.domain(key).contains(DEFAULTS[key])
    assert [complete({key: value})[key] for value in values] == values
    assert all(cnn({key: value}, DIGITS).output_shape == (None, 10) for value in values)
