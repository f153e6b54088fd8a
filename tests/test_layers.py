"""A dense network as plain numbers: the layers that Keras would build, and weights as Keras would draw them."""

import keras
import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest, truncnorm, uniform

import hpt
from hpt.layers import DENSE, Layer, draw_matrix, initial_weights, layers
from hpt.networks import Shape

SHAPE = Shape((13,), 3, "multiclass")
CONFIGURATIONS = [
    {},
    {"layers": 0},
    {"units": (20, 7, 5), "batch_norm": True},
    {"layers": 3, "units": 9, "dropout": 0.2, "activation": "tanh"},
    {"init": "lecun_normal", "activation": "leaky_relu", "latent_size": 2},
    {"units": (6, 5, 4), "activation": ("tanh", "relu", "sigmoid")},
    {"layers": 2, "units_1": 6, "units_2": 4, "activation_1": "tanh", "activation_2": "leaky_relu", "batch_norm": True},
]
SIZE = (300, 200)
SPREAD = {
    # variance of the entries, from the papers: He et al. 2015, Glorot and Bengio 2010, LeCun et al. 1998
    "he": 2 / SIZE[0],
    "glorot": 2 / (SIZE[0] + SIZE[1]),
    "lecun": 1 / SIZE[0],
}
FORMS = [(family, form) for family in SPREAD for form in ("normal", "uniform")]


@pytest.mark.parametrize("build", DENSE)
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_network_has_the_weights_that_keras_gives_it(build, configuration):
    shape = Shape((13,), 13, "autoencoder") if build is hpt.networks.autoencoder else SHAPE
    model = build(configuration, shape)
    found = layers(build, configuration, shape)
    weights = initial_weights(found, seed=0)
    assert [w.shape for w in weights] == [tuple(w.shape) for w in model.trainable_variables]
    statistics = sum(2 * layer.outputs for layer in found if layer.batch_norm)
    assert sum(w.size for w in weights) + statistics == model.count_params()
    for array, variable in zip(weights, model.trainable_variables, strict=True):
        if array.ndim == 1:  # biases and shifts of 0, scales of 1
            assert np.array_equal(array, variable)
    dense = [one for one in model.layers if isinstance(one, keras.layers.Dense)]
    assert [type(keras.initializers.get(one.init)) for one in found] == [type(one.kernel_initializer) for one in dense]
    activations = [one.activation.__name__ for one in model.layers if isinstance(one, keras.layers.Activation)]
    assert [one.activation for one in found if one.kind == "hidden"] == activations


def test_layers_of_an_image_take_its_pixels_one_by_one():
    assert layers(hpt.networks.mlp, {"units": (5,)}, Shape((8, 8), 10, "multiclass"))[0].inputs == 64


def test_each_layer_says_what_it_is():
    shape = Shape((30,), 30, "autoencoder")
    configuration = {"units": (8, 6), "activation": ("relu", "tanh"), "latent_size": 2, "batch_norm": True}
    assert layers(hpt.networks.autoencoder, configuration, shape) == [
        Layer("hidden", 30, 8, "he_normal", True, "relu"),
        Layer("hidden", 8, 6, "glorot_uniform", True, "tanh"),
        Layer("bottleneck", 6, 2, "glorot_uniform", False, "linear"),
        Layer("hidden", 2, 6, "glorot_uniform", True, "tanh"),
        Layer("hidden", 6, 8, "he_normal", True, "relu"),
        Layer("head", 8, 30, "glorot_uniform", False, "linear"),
    ]


@pytest.mark.parametrize(("family", "form"), FORMS)
def test_first_weights_have_the_mean_and_variance_of_the_formula(family, form):
    """Sixty thousand draws: the mean has a standard error of 1/245 of a deviation, the variance one of 1/170 or less.

    Four standard errors are allowed.
    """
    drawn = draw_matrix(f"{family}_{form}", SIZE, seed=0, layer=0).astype("float64")
    variance = SPREAD[family]
    assert abs(drawn.mean()) < 4 * np.sqrt(variance / drawn.size)
    assert drawn.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / drawn.size))
    # A uniform of this variance ends at √3 deviations; a normal cut at 2 keeps 0.8796 of its deviation.
    bound = np.sqrt(3 * variance) if form == "uniform" else 2 * np.sqrt(variance) / 0.87962566103423978
    assert bound * 0.99 < np.abs(drawn).max() <= bound * (1 + 1e-6)


def test_the_constant_of_the_cut_normal_is_that_of_scipy():
    from hpt.layers import _CUT

    assert pytest.approx(truncnorm(-2, 2).std(), rel=1e-12) == _CUT


@pytest.mark.parametrize(("family", "form"), FORMS)
def test_first_weights_have_the_distribution_of_the_formula_and_of_keras(family, form):
    """Kolmogorov and Smirnov do not tell them apart at a level of 1 %; seeds are fixed."""
    ours = draw_matrix(f"{family}_{form}", SIZE, seed=1, layer=0).ravel()
    made = keras.initializers.get(f"{family}_{form}")
    theirs = np.array(type(made)(seed=1)(SIZE)).ravel()
    deviation = np.sqrt(SPREAD[family])
    exact = truncnorm(-2, 2, scale=deviation / 0.8796) if form == "normal" else uniform(-1, 2)
    scaled = ours if form == "normal" else ours / (np.sqrt(3) * deviation)
    assert kstest(scaled, exact.cdf).pvalue > 0.01
    assert ks_2samp(ours, theirs).pvalue > 0.01


@pytest.mark.parametrize("init", ["orthogonal", "random_normal", "zeros", "variance_scaling"])
def test_any_other_initializer_is_keras_own_under_the_members_seed(init):
    first, again, other = (draw_matrix(init, (6, 4), seed, 2) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert (init == "zeros") == np.array_equal(first, other)
    made = keras.initializers.get(init)
    if "seed" in made.get_config():
        made = type(made)(seed=hpt.seeds.derive(3, "weights", 2))
    assert np.array_equal(first, made((6, 4)))


@pytest.mark.parametrize("init", ["nonsense", "he_nonsense", "he", None])
def test_an_initializer_that_nobody_knows_is_named(init):
    with pytest.raises(hpt.InvalidInput, match=f"another Keras initializer, got {init!r}"):
        draw_matrix(init, (6, 4), 0, 0)


def test_a_layer_draws_from_its_own_stream():
    """The first layer starts the same whatever comes after it, and no two layers start alike."""
    deep, flat = (initial_weights(layers(hpt.networks.mlp, {"units": u}, SHAPE), 5) for u in ((9, 9, 9), (9, 4)))
    assert np.array_equal(deep[0], flat[0])
    assert not np.array_equal(deep[2], deep[4])
    other = initial_weights(layers(hpt.networks.mlp, {"units": (9, 9, 9)}, SHAPE), 6)
    assert not np.array_equal(deep[0], other[0])
    assert all(array.dtype == "float32" for array in deep)


@pytest.mark.parametrize("build", DENSE)
def test_the_keras_model_itself_starts_with_the_same_spread(build):
    """What the Keras loop would have drawn before the seeds were shared, matrix by matrix."""
    shape = Shape((64,), 64, "autoencoder") if build is hpt.networks.autoencoder else Shape((64,), 10, "multiclass")
    configuration = {"units": (96, 64), "activation": "relu", "latent_size": 32}
    keras.utils.set_random_seed(0)
    theirs = build(configuration, shape).trainable_variables[::2]
    for ours, variable in zip(initial_weights(layers(build, configuration, shape), 0)[::2], theirs, strict=True):
        assert ours.std() == pytest.approx(np.std(variable), rel=5 / np.sqrt(ours.size))
