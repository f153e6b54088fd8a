"""The engine's loop, driven by networks so small that a person can say what must come out.

`Parabola` has one weight and the loss ½(w − y)², so a step of gradient descent with rate η multiplies the distance to
the target by 1 − η: a closed form for every weight, every loss and the epoch at which patience ends. The engine itself
is not told that anything is a network.
"""

from collections import namedtuple

import numpy as np
import pytest
import tensorflow as tf

from hpt.training import engine
from hpt.training.engine import State, Work, traced
from hpt.training.updates import STILL, Rule, coefficients

Structure = namedtuple("Structure", "name clip")


class Parabola:
    """A stack of parabolas. Traits: what is added to the validation loss of each member, epoch by epoch."""

    def __init__(self, clip=False):
        self.structure = Structure("parabola", clip)

    @property
    def trait_signature(self):
        return [tf.TensorSpec([None], tf.float32, "tilt")]

    def prepare(self, traits):
        return traits[0]

    def gradient(self, fixed, w, stats, x, y, weight, start):
        distance = (w - y) * weight  # (M, B): each row pulls with its weight
        loss = 0.5 * tf.reduce_sum(tf.square(w - y) * weight, axis=1)
        return loss, tf.reduce_sum(distance, axis=1, keepdims=True), stats + 1

    def judge(self, fixed, w, stats, x, y):
        """Outputs are the weights; the loss grows with the moving statistic, which counts steps, times the tilt."""
        return w[:, :, None] + 0 * y[:, :, None], 0.5 * tf.square(w - y) + fixed[:, None] * stats


def lay_out(rates, epochs, *, steps=2, batch=3, y=None, tilt=0.0, patience=0, clip=np.inf, still=()):
    """State, work and traits for members that start at w = 0 and are pulled towards y = 1 by every row."""
    members = len(rates)
    y = np.ones(steps * batch + 1, "float32") if y is None else np.float32(y)
    table = np.empty((epochs, steps, members, len(STILL)), "float32")
    for i, rate in enumerate(rates):
        own = coefficients(Rule("sgd", rate, first=0.0), 1, epochs * steps).reshape(epochs, steps, -1)
        table[:, :, i] = own
    for step, i in still:
        table[:, step, i] = STILL
    rows = np.tile(np.arange(steps * batch).reshape(1, steps, 1, batch), (epochs, 1, members, 1))
    weights = np.full((steps, members, batch), 1 / batch, "float32")
    for step, i in still:
        weights[step, i] = 0
    zeros = np.zeros((members, 1), "float32")
    work = Work(
        x=np.zeros((len(y), 1), "float32"),
        y=y,
        rows=rows.reshape(-1, members, batch).astype("int32"),
        weights=weights,
        shares=np.full((steps, members), 1 / steps, "float32"),
        heights=np.full(steps, batch, "int32"),
        table=table.reshape(-1, members, len(STILL)),
        starts=np.zeros((epochs * steps, members), "int32"),
        validation=np.zeros((members, 1), "int32"),
        validation_weights=np.ones((members, 1), "float32"),
        patience=np.broadcast_to(np.int32(patience), members),
        clip=np.broadcast_to(np.float32(clip), members)[:, None].copy(),
    )
    state = State(
        zeros, zeros, zeros, zeros, zeros, zeros,
        np.full(members, np.inf, "float32"), np.zeros(members, "int32"), np.zeros(members, bool),
    )  # fmt: skip
    return state, work, [np.broadcast_to(np.float32(tilt), members).copy()]


def run(*args, network=None, **how):
    state, work, traits = lay_out(*args, **how)
    return traced(network or Parabola(clip="clip" in how), work.y)(state, work, traits)


RATES = (0.1, 0.5, 1.9)


def test_weights_and_losses_follow_the_closed_form():
    state, seen = run(RATES, 4)
    rate, steps = np.array(RATES), np.arange(8)[:, None]
    distance = (1 - rate) ** steps  # before each step
    assert state.w[:, 0] == pytest.approx(1 - (1 - rate) ** 8, rel=1e-6)
    expected = (0.5 * distance**2).reshape(4, 2, 3).mean(axis=1)  # Keras reports the mean over the epoch's batches
    assert np.allclose(seen.train_loss, expected, rtol=1e-5)
    after = 0.5 * (1 - rate) ** (2 * np.array([[2], [4], [6], [8]]))
    assert np.allclose(seen.val_loss, after, rtol=1e-5)
    assert np.allclose(seen.outputs[:, :, 0, 0], 1 - (1 - rate) ** np.array([[2], [4], [6], [8]]), rtol=1e-6)
    assert state.stats[:, 0].tolist() == [8, 8, 8]
    assert seen.counts.all()
    assert not seen.stopped.any()


def test_a_batchs_rows_count_by_their_weight_and_a_batch_by_its_share():
    state, work, traits = lay_out((0.5,), 1, y=[0, 0, 3, 6, 6, 6, 99])
    work = work._replace(weights=np.float32([[[0.5, 0.25, 0.25]], [[1, 0, 0]]]), shares=np.float32([[0.75], [0.25]]))
    after, seen = traced(Parabola(), work.y)(state, work, traits)
    first = 0.5 * 0.75  # the weighted mean of the first batch is 0.75
    assert after.w[0, 0] == pytest.approx(first + 0.5 * (6 - first))
    assert seen.train_loss[0, 0] == pytest.approx(0.75 * 0.5 * 9 * 0.25 + 0.25 * 0.5 * (6 - first) ** 2)


def test_a_member_whose_batches_are_used_up_stands_still():
    state, _ = run((0.5, 0.5), 3, still=[(1, 1)])
    assert state.w[:, 0] == pytest.approx([1 - 0.5**6, 1 - 0.5**3])


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_a_member_and_keeps_its_best_weights(patience):
    """The validation loss of a member is ½·0.25^(2e) + 2e·tilt after epoch e: it falls, then rises for good."""
    tilts = np.array([0.0, 1e-3, 0.05, 10.0])
    epochs = np.arange(1, 9)[:, None]
    expected = 0.5 * 0.25 ** (2 * epochs) + 2 * epochs * tilts
    best = expected.argmin(axis=0)
    state, seen = run((0.5,) * 4, 8, tilt=tilts, patience=patience)
    assert np.allclose(seen.val_loss, expected, rtol=1e-5)
    for i in range(4):
        ends = [epoch + 1 for epoch in range(8) if seen.stopped[epoch, i]]
        last = best[i] + 1 + patience
        assert ends == list(range(last, 9))
        assert np.flatnonzero(seen.counts[:, i]).tolist() == list(range(best[i] + 1))
        assert state.best_w[i, 0] == pytest.approx(1 - 0.5 ** (2 * (best[i] + 1)))
        assert state.best_stats[i, 0] == 2 * (best[i] + 1)
        assert state.lowest[i] == pytest.approx(expected[best[i], i], rel=1e-5)


def test_patience_is_each_members_own():
    _, seen = run((0.5,) * 3, 6, tilt=10.0, patience=[0, 1, 4])
    assert seen.stopped.argmax(axis=0).tolist() == [0, 1, 4]
    assert not seen.stopped[:, 0].any()
    assert seen.counts[:, 0].all()


def test_to_stop_and_go_on_is_to_go_on():
    state, work, traits = lay_out(RATES, 6, tilt=0.01, patience=2)
    train = traced(Parabola(), work.y)
    once, seen = train(state, work, traits)
    cut = len(work.rows) // 3
    for part in (slice(0, cut), slice(cut, 3 * cut)):
        own = work._replace(rows=work.rows[part], table=work.table[part], starts=work.starts[part])
        state, last = train(state, own, traits)
    assert all(np.array_equal(a, b) for a, b in zip(state, once, strict=True))
    assert all(np.array_equal(a, b[2:]) for a, b in zip(last, seen, strict=True))


def test_gradients_are_clipped_each_to_its_own_length():
    state, _ = run((0.5, 0.5, 0.5), 1, steps=1, clip=[0.1, np.inf, 5.0])
    assert state.w[:, 0] == pytest.approx([0.05, 0.5, 0.5])


def test_a_member_that_is_nan_is_alone_with_it():
    sane, _ = run((0.5, 0.1, 0.3), 40)
    wild, seen = run((0.5, 1e30, 0.3), 40)
    assert np.isnan(wild.w[1])
    assert np.isnan(seen.train_loss[-1]).tolist() == [False, True, False]
    assert np.array_equal(sane.w[[0, 2]], wild.w[[0, 2]])


def test_a_structure_is_traced_once_whatever_the_numbers(monkeypatch):
    monkeypatch.setattr(engine, "_traced", {})
    before = engine.traces
    for members, epochs, steps, batch in ((1, 1, 1, 1), (5, 2, 3, 4), (2, 7, 2, 9)):
        run((0.1,) * members, epochs, steps=steps, batch=batch)
    assert engine.traces == before + 1
    run((0.1,), 1, clip=1.0)
    assert engine.traces == before + 2


def test_a_slow_start_on_several_threads_traces_once(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(engine, "_traced", {})
    before = engine.traces
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: run(RATES, 2)[0].w, range(8)))
    assert engine.traces == before + 1
    assert all(np.array_equal(one, found[0]) for one in found)
