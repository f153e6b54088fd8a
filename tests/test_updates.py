"""One formula takes the steps that Keras's own optimizers take.

Tolerances: both sides compute in float32, whose last digit is 2e-7 for the largest weights here, and round it at every
step. Keras raises β₂ to the power t in float32 too, which puts Adam 7e-5 of a step off after 20 steps; here the power
is exact.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import hpt
from hpt.networks import DEFAULTS, optimizer
from hpt.training import updates
from hpt.training.updates import COLUMNS, STILL, Rule, coefficients, rule

STEPS = 20
SETTINGS = [
    {"optimizer": name, "learning_rate": rate, "weight_decay": decay, "momentum": momentum, "warmup": warmup}
    for name in ("sgd", "rmsprop", "adam")
    for rate in (1e-3, 0.1)
    for decay in (0.0, 0.05)
    for momentum in ((0.0, 0.5, 0.9) if name == "sgd" else (0.9,))
    for warmup in (0, 7)
]


def _numbers(members, weights=50, seed=0):
    """First weights, and gradients of very different lengths: what an optimizer meets."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(members, weights)).astype("float32")
    size = 10.0 ** rng.uniform(-6, 2, (STEPS, members, weights))
    return first, (size * rng.normal(size=size.shape)).astype("float32")


def _keras(settings, first, gradients):
    """The weights after every step of the optimizer that `hpt.networks.optimizer` makes."""
    made, variable, seen = optimizer(settings), keras.Variable(first), []
    for gradient in gradients:
        made.apply([tf.constant(gradient)], [variable])
        seen.append(variable.numpy())
    return np.array(seen)


def _rows(settings, first=1, steps=STEPS):
    return coefficients(rule({**DEFAULTS, **settings}), first, steps)


def _ours(rows, first, gradients):
    """The weights after every step, shape (steps, members, weights); rows of shape (steps, members, 8)."""
    w, m, v = first, np.zeros_like(first), np.zeros_like(first)
    seen = []
    for row, gradient in zip(rows, gradients, strict=True):
        w, m, v = updates.update(w, m, v, gradient, row)
        seen.append(np.array(w))
    return np.array(seen)


def test_networks_with_different_optimizers_step_together_each_as_keras_steps_it():
    first, gradients = _numbers(len(SETTINGS))
    rows = np.stack([_rows(settings) for settings in SETTINGS], axis=1)
    ours = _ours(rows, first, gradients)
    for i, settings in enumerate(SETTINGS):
        expected = _keras(settings, first[i], gradients[:, i])
        moved = np.abs(np.diff(expected, axis=0)).max()
        assert np.allclose(ours[:, i], expected, rtol=1e-6, atol=1e-6 + 1e-4 * moved), settings


def _paper(settings, first, gradients):
    """Adam as Kingma and Ba write it, weight decay as Loshchilov and Hutter do, in float64."""
    w, m, v, eta = first.astype("float64"), 0.0, 0.0, settings["learning_rate"]
    for t, gradient in enumerate(gradients.astype("float64"), start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w = w * (1 - eta * settings["weight_decay"])
        w = w - eta * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
    return w


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_adam_is_nearer_to_its_paper_than_keras_is(decay):
    first, gradients = _numbers(1, weights=500)
    settings = {"optimizer": "adam", "learning_rate": 0.1, "weight_decay": decay}
    exact = _paper(settings, first[0], gradients[:, 0])
    ours, theirs = (
        _ours(_rows(settings)[:, None], first, gradients)[-1, 0],
        _keras(settings, *first, gradients[:, 0])[-1],
    )
    off, keras_off = (np.abs(found - exact).max() for found in (ours, theirs))
    assert off < 2e-6  # ten roundings of a weight of size 2
    assert off < keras_off


def test_the_coefficients_are_those_of_the_table():
    assert COLUMNS == ("a", "b", "c", "d", "inside", "outside", "step", "decay")
    rate = 0.25
    expected = {
        "sgd": (0.9, 1, rate, 0, 0, 1, 1, 1),
        "rmsprop": (0, 0.9, 1, 0.1, 1e-7, 0, rate, 1),
        "adam": (0.9, 0.999, 0.1, 0.001, 0, 1e-7, rate * np.sqrt(1 - 0.999**3) / (1 - 0.9**3), 1),
    }
    for name, row in expected.items():
        found = _rows({"optimizer": name, "learning_rate": rate}, first=3, steps=1)
        assert found.dtype == "float32"
        assert found[0] == pytest.approx(row, rel=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_rows_of_a_later_stretch_are_those_of_the_whole(settings):
    assert np.array_equal(_rows(settings)[13:], _rows(settings, first=14, steps=STEPS - 13))


def test_the_learning_rate_rises_on_a_line_and_stays():
    settings = {"optimizer": "rmsprop", "learning_rate": 0.8, "weight_decay": 0.5, "warmup": 4}
    rows = _rows(settings, steps=7)
    assert rows[:, COLUMNS.index("step")] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert rows[:, COLUMNS.index("decay")] == pytest.approx(1 - 0.5 * rows[:, COLUMNS.index("step")])


def test_the_still_row_changes_nothing():
    rng = np.random.default_rng(1)
    w, m, v = (rng.normal(size=(3, 10)).astype("float32") for _ in range(3))
    after = updates.update(w, m, np.abs(v), np.zeros((3, 10), "float32"), np.tile(np.float32(STILL), (3, 1)))
    assert all(np.array_equal(a, b) for a, b in zip(after, (w, m, np.abs(v)), strict=True))


def test_a_row_that_stands_still_does_not_stop_its_neighbours():
    first, gradients = _numbers(2)
    moving = _rows(SETTINGS[-1])
    rows = np.stack([moving, np.tile(np.float32(STILL), (STEPS, 1))], axis=1)
    ours = _ours(rows, first, gradients)
    assert np.array_equal(ours[-1, 1], first[1])
    assert np.array_equal(ours[:, 0], _ours(moving[:, None], first[:1], gradients[:, :1])[:, 0])


@pytest.mark.parametrize("longest", [1e-3, 1.0, 30.0])
def test_each_network_is_clipped_to_its_own_length_as_keras_clips_one(longest):
    first, gradients = _numbers(4)
    clipped = np.array(updates.clip(gradients[0], np.float32([[longest], [np.inf], [2 * longest], [1e9]])))
    assert np.array_equal(clipped[[1, 3]], gradients[0, [1, 3]])
    for i, own in ((0, longest), (2, 2 * longest)):
        settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0, "clip_norm": own}
        step = first[i] - _keras(settings, first[i], gradients[:1, i])[0]
        assert np.allclose(clipped[i], step, rtol=1e-5, atol=2e-7 * np.abs(first[i]).max())
        assert np.linalg.norm(clipped[i]) == pytest.approx(min(own, np.linalg.norm(gradients[0, i])), rel=1e-5)


def test_a_gradient_of_zeros_is_not_clipped_to_nan():
    assert np.array_equal(updates.clip(np.zeros((2, 5), "float32"), np.float32([[1.0], [np.inf]])), np.zeros((2, 5)))


OVERFLOWING = 1e25
"""A gradient that float32 holds and whose square it does not."""


def test_sgd_survives_a_gradient_whose_square_overflows_as_keras_does():
    settings, first = {"optimizer": "sgd", "learning_rate": 1e-20}, np.ones((1, 1), "float32")
    gradients = np.full((STEPS, 1, 1), OVERFLOWING, "float32")
    expected = _keras(settings, first[0], gradients[:, 0])
    assert np.isfinite(expected).all()
    assert np.allclose(_ours(_rows(settings)[:, None], first, gradients)[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(("longest", "expected"), [(np.inf, OVERFLOWING), (1.0, np.nan)])
def test_a_gradient_whose_norm_overflows_is_clipped_as_keras_clips_it(longest, expected):
    """Without a limit it passes as it is; with one Keras gives NaN, so that the network counts as diverged."""
    gradient = np.full((1, 2), OVERFLOWING, "float32")
    assert np.allclose(updates.clip(gradient, np.float32([[longest]])), expected, equal_nan=True)


def test_a_rule_is_read_off_a_configuration():
    read = rule({**DEFAULTS, "optimizer": "sgd", "momentum": 0.3, "clip_norm": 2, "weight_decay": 1})
    assert read == Rule("sgd", 1e-3, first=0.3, second=0.999, weight_decay=1.0, clip_norm=2.0)
    assert rule(DEFAULTS) == Rule("adam", 1e-3)
    with pytest.raises(hpt.UnknownName, match="did you mean 'adam'"):
        rule({**DEFAULTS, "optimizer": "adm"})
