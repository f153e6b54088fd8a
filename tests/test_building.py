"""Building: a model that members borrow is, number for number, the one that its builder would have made."""

import json
from dataclasses import replace

import numpy as np
import pytest

import hpt
from hpt import networks
from hpt.training import Member, building
from hpt.training.building import built, lent, moving
from hpt.training.reading import rule_of

CONFIGURATIONS = [
    ("co2", networks.lstm, {"units": 6}),
    ("co2", networks.lstm, {"units": (6, 4), "layers": 2, "cell": "gru", "dropout": 0.2, "sequence_length": 6}),
    ("co2", networks.lstm, {"units_1": 5, "cell": "simple_rnn", "init": "lecun_normal", "clip_norm": 1.0}),
    ("co2", networks.transformer, {"units": 8, "layers": 1, "warmup": 7}),
    ("co2", networks.transformer, {"units": 8, "heads": 4, "dropout": 0.1, "activation": "tanh", "weight_decay": 0.1}),
    ("digits", networks.cnn, {"filters": 3, "batch_norm": True, "optimizer": "rmsprop"}),
    ("digits", networks.cnn, {"filters": 3, "kernel_size": 5, "layers": 1, "dropout": 0.3, "init": "orthogonal"}),
    ("digits_conv_autoencoder", networks.conv_autoencoder, {"filters": 3, "latent_size": 5}),
    ("digits_conv_autoencoder", networks.conv_autoencoder, {"filters": 2, "layers": 2, "dropout": 0.4}),
]


def numbers(model):
    return [variable.numpy() for variable in [*model.trainable_variables, *moving(model)]]


def described(model):
    """What Keras says of a model, without the names, which Keras counts on, and the seeds, which it does not tell."""
    text = json.dumps([{**layer.get_config(), "name": ""} for layer in model.layers], default=str)
    return text, model.loss, rule_of(model)


@pytest.mark.parametrize(("name", "build", "configuration"), CONFIGURATIONS)
def test_a_borrowed_model_is_the_one_that_the_builder_makes(name, build, configuration):
    task = hpt.task(name, build=build)
    rates = [0.02, 0.003]
    dropouts = [configuration["dropout"], 0.25] if "dropout" in configuration else [0.0, 0.0]
    x = task.arrays().x_validation[:5]
    for seed, rate, dropout in zip((0, 2**31 - 1), rates, dropouts, strict=True):
        member = Member({**configuration, "learning_rate": rate, "dropout": dropout}, seed)
        own = built(task, member)
        with lent(task, member) as model:
            borrowed = numbers(model)
            assert described(model) == described(own)
            answers = np.asarray(model(x, training=False))
        assert len(borrowed) == len(numbers(own))
        assert all(np.array_equal(a, b) for a, b in zip(borrowed, numbers(own), strict=True))
        assert np.array_equal(answers, np.asarray(own(x, training=False)))


@pytest.mark.parametrize(("name", "build", "configuration"), CONFIGURATIONS)
def test_members_that_differ_in_numbers_borrow_one_model(name, build, configuration):
    task = hpt.task(name, build=build)
    seen = []
    for seed, rate in enumerate([0.1, 0.2, 0.1]):
        with lent(task, Member({**configuration, "learning_rate": rate, "batch_size": 8 + seed}, seed)) as model:
            seen.append(model)
    assert seen[0] is seen[1] is seen[2]
    with lent(task, Member({**configuration, "activation": "tanh", "init": "he_normal"}, 0)) as model:
        assert model is not seen[0]


def test_weights_that_were_lent_are_gone_for_the_next_member():
    task = hpt.task("digits", build=networks.cnn)
    first, member = Member({"filters": 3, "batch_norm": True}, 1), Member({"filters": 3, "batch_norm": True}, 2)
    own = built(task, first)
    weights = [v.numpy() + 1 for v in own.trainable_variables]
    stats = [v.numpy() + 3 for v in moving(own)]
    with lent(task, first, weights, stats) as model:
        assert all(np.array_equal(a, b) for a, b in zip(numbers(model), [*weights, *stats], strict=True))
    with lent(task, member) as model:
        assert all(np.array_equal(a, b) for a, b in zip(numbers(model), numbers(built(task, member)), strict=True))


def test_a_builder_that_is_not_known_builds_for_every_member():
    calls = []

    def build(configuration, shape):
        calls.append(configuration)
        return networks.cnn(configuration, shape)

    task = replace(hpt.task("digits"), build=build)
    models = []
    for seed in range(2):
        with lent(task, Member({"filters": 3}, seed)) as model:
            models.append(model)
    assert models[0] is not models[1]
    assert len(calls) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": -1.0},
        {"dropout": 1.5},
        {"layers": 0},
        {"optimizer": "adamm"},
        {"filter": 3},
        {"momentum": 7.0},
    ],
)
def test_what_a_builder_refuses_is_refused_with_its_words(wrong):
    task = hpt.task("digits", build=networks.cnn)
    member = Member({"filters": 3, "optimizer": "sgd", **wrong}, 0)
    with lent(task, Member({"filters": 3}, 0)):
        pass  # there is a model to borrow
    with pytest.raises(Exception) as expected:  # noqa: PT011, whatever the builder raises
        built(task, member)
    with pytest.raises(type(expected.value)) as refused, lent(task, member):
        pass
    assert str(refused.value) == str(expected.value)


def test_first_weights_that_cannot_be_drawn_again_are_not_shared(monkeypatch):
    """As when another Keras draws its seeds in another way."""
    building._shared.cache_clear()
    monkeypatch.setattr(building, "_seeds", lambda seed, count: list(range(count)))
    task, member = hpt.task("digits", build=networks.cnn), Member({"filters": 3}, 5)
    with lent(task, member) as model:
        first = model
        assert all(np.array_equal(a, b) for a, b in zip(numbers(model), numbers(built(task, member)), strict=True))
    with lent(task, member) as model:
        assert model is not first
    building._shared.cache_clear()
