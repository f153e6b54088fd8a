"""The stack trains many networks as if each were alone, and each as Keras would have trained it.

Tolerances. The same numbers summed in another order differ in the last bit of a float32, 6e-8 of a number of size 1.
How much that has become after some epochs was measured, and stands beside each tolerance. Where a name says *exactly*,
or *to the last bit*, the bits are compared.
"""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

import hpt
from hpt.data import Dataset, Fold, Split, holdout
from hpt.metrics import metric
from hpt.networks import PARTNER
from hpt.seeds import stream
from hpt.training import Member, engine, stack
from hpt.training.keras_loop import KerasLoop
from hpt.training.records import work_of
from hpt.training.stack import Stack

OPTIMIZERS = ("sgd", "rmsprop", "adam")
ACTIVATIONS = tuple(PARTNER)
CLOSE = 1e-5  # of weights and losses after 5 epochs; measured 6e-7
CURVES = 1e-4  # of losses after 10 epochs of Keras's Adam, whose steps are 6e-6 too long or short; measured 4e-5


@pytest.fixture(scope="module")
def wine():
    return hpt.task("wine")


@pytest.fixture(scope="module")
def diabetes():
    return hpt.task("diabetes")


def start(task, configurations, seeds=None, folds=None, trainer=None):
    """Start members with seeds 0, 1, 2, … on fold 0, unless told otherwise."""
    count = range(len(configurations))
    numbers = zip(configurations, seeds or count, folds or [0] * len(count), strict=True)
    return (trainer or Stack()).start(task, [Member(*one) for one in numbers])


def trained(task, configurations, epochs, **how):
    run = start(task, configurations, **how)
    return run, run.advance(epochs)


def state(run, position):
    """All that a member carries: weights, moving statistics, the optimizer's memory."""
    record = run._record(position)
    return [*record.weights, *record.stats, *record.memory, *record.squares]


def apart(one, other):
    """The largest distance between two lists of arrays."""
    return max(float(np.abs(np.subtract(a, b)).max()) for a, b in zip(one, other, strict=True))


def same_bits(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def losses(progress):
    return np.array([[point["train_loss"], point["val_loss"]] for point in progress.curve])


def fit(task, model, seed, epochs, batch_size=32, first=1):
    """Train by Keras's own ``fit`` on the batches that a member's seed stands for; return the losses of each epoch."""
    arrays = task.arrays()
    rows = len(arrays.x_train)

    def batches():
        for epoch in range(first, first + epochs):
            order = stream(seed, "order", epoch).permutation(rows)
            for place in range(0, rows, batch_size):
                chosen = order[place : place + batch_size]
                yield arrays.x_train[chosen], arrays.y_train[chosen]

    history = model.fit(
        batches(), steps_per_epoch=-(-rows // batch_size), epochs=epochs, shuffle=False, verbose=0,
        validation_data=(arrays.x_validation, arrays.y_validation), validation_batch_size=10_000,
    ).history  # fmt: skip
    return np.array([history["loss"], history["val_loss"]]).T


MIXED = [
    {"optimizer": optimizer, "activation": activation, "units": units, "dropout": dropout, "batch_size": batch}
    for batch, optimizer in zip((24, 32, 40), OPTIMIZERS, strict=True)
    for activation in ACTIVATIONS
    for units, dropout in ((8, 0.0), ((12, 5), 0.3), (40, 0.1))
]
"""Every optimizer with every activation, at three widths and dropout rates, with 5, 4 or 3 steps an epoch."""


LAYERWISE = [
    {"activation": activation, "units": units, "optimizer": OPTIMIZERS[i % 3], "dropout": dropout}
    for i, activation in enumerate((("linear", "tanh"), ("sigmoid", "leaky_relu"), ("relu", "sigmoid"), "relu", "tanh"))
    for units, dropout in ((8, 0.0), ((12, 5), 0.3))
]
"""Other activations from layer to layer, and beside them networks with one for all."""


# --- 1. a member does not notice who stands beside it ---------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_stack_of_many_equals_many_stacks_of_one(wine, batch_norm):
    configurations = [{**configuration, "batch_norm": batch_norm} for configuration in MIXED]
    together, progress = trained(wine, configurations, 5)
    sizes = [{configurations[i]["batch_size"] for i in one.members} for one in together.plan.stacks]
    assert len(sizes) < len(configurations) / 5
    assert {24, 32, 40} in sizes
    for i, configuration in enumerate(configurations):
        alone, [own] = trained(wine, [configuration], 5, seeds=[i])
        if batch_norm and configuration["activation"] == "linear" and configuration["optimizer"] == "adam":
            # The next layer's normalization takes out what this one's shift adds, so its gradient is 0 but for
            # rounding, and Adam divides rounding by rounding: such a shift wanders as it likes, in Keras as here.
            assert np.allclose(losses(progress[i]), losses(own), rtol=CURVES)
            continue
        assert np.allclose(losses(progress[i]), losses(own), rtol=CLOSE)
        assert apart(together._record(i).weights, alone._record(0).weights) < CLOSE, configuration


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_stack_of_other_activations_in_every_layer_equals_stacks_of_one(wine, batch_norm):
    configurations = [{**configuration, "batch_norm": batch_norm} for configuration in LAYERWISE]
    together, progress = trained(wine, configurations, 5)
    assert len(together.plan.stacks) == 1
    for i, configuration in enumerate(configurations):
        alone, [own] = trained(wine, [configuration], 5, seeds=[i])
        assert np.allclose(losses(progress[i]), losses(own), rtol=CLOSE)
        assert apart(together._record(i).weights, alone._record(0).weights) < CLOSE, configuration


def test_who_has_one_activation_does_not_notice_that_others_have_several_to_the_last_bit(wine):
    without, expected = trained(wine, MIXED, 3)
    run, progress = trained(wine, [*MIXED, {"units": (8, 8, 8), "activation": ("relu", "tanh", "relu")}], 3)
    for i in range(len(MIXED)):
        assert same_bits(state(without, i), state(run, i))
        assert progress[i].curve == expected[i].curve


@pytest.mark.parametrize("activation", [("relu", "tanh"), ("sigmoid", "linear")])
def test_a_member_with_several_activations_that_becomes_nan_leaves_the_others_as_they_were(diabetes, activation):
    runs = {}
    for name, rate in (("sane", 1e-3), ("wild", 1e6)):
        member = {"units": 12, "activation": activation, "optimizer": "sgd", "learning_rate": rate}
        runs[name] = trained(diabetes, [*LAYERWISE, member], 5)
    (sane, _), (run, after) = runs["sane"], runs["wild"]
    assert after[-1].status == "diverged"
    assert all(same_bits(state(sane, i), state(run, i)) for i in range(len(LAYERWISE)))


@pytest.mark.parametrize("wild", [{"optimizer": "sgd", "learning_rate": 1e6}, {"learning_rate": 1e30}])
@pytest.mark.parametrize("extra", [{}, {"batch_norm": True}, {"dropout": 0.2}, {"clip_norm": 10.0}])
def test_a_member_that_becomes_nan_leaves_the_others_exactly_as_they_were(diabetes, wild, extra):
    others = [{"units": units, "activation": a, **extra} for units in (8, 20) for a in ("relu", "tanh")]
    runs = {}
    for name, rate in (("sane", 1e-3), ("wild", wild["learning_rate"])):
        member = {"units": 12, **extra, **wild, "learning_rate": rate}
        runs[name] = trained(diabetes, [*others[:2], member, *others[2:]], 10)
    (sane, before), (run, after) = runs["sane"], runs["wild"]
    assert (before[2].status, after[2].status) == ("complete", "diverged")
    for i in (0, 1, 3, 4):
        assert same_bits(state(sane, i), state(run, i))
        assert before[i].curve == after[i].curve
        assert before[i].metrics == after[i].metrics


def test_every_member_clips_its_own_gradient(wine):
    configurations = [
        {"units": 8, "optimizer": optimizer, "clip_norm": clip}
        for optimizer in ("sgd", "adam") for clip in (None, 0.01, 0.5, 100.0)
    ]  # fmt: skip
    together, _ = trained(wine, configurations, 5)
    for i, configuration in enumerate(configurations):
        alone, _ = trained(wine, [configuration], 5, seeds=[i])
        assert apart(together._record(i).weights, alone._record(0).weights) < CLOSE
    seeds = [0] * 3
    clipped, _ = trained(wine, [{"optimizer": "sgd", "clip_norm": c} for c in (None, 0.01, 1e6)], 2, seeds=seeds)
    assert apart(clipped._record(0).weights, clipped._record(1).weights) > 0.01
    assert same_bits(clipped._record(0).weights, clipped._record(2).weights)


# --- 2. a member is trained as Keras trains it ----------------------------------------------------------------

STRONG = {"learning_rate": 0.01, "units": 8}
AS_KERAS = {
    **{f"{o}-{a}": ("wine", {**STRONG, "optimizer": o, "activation": a}) for o in OPTIMIZERS for a in ACTIVATIONS},
    **{f"{o}-more": ("wine", {**STRONG, "optimizer": o, "weight_decay": 0.1, "clip_norm": 0.1}) for o in OPTIMIZERS},
    **{f"{o}-norm": ("wine", {**STRONG, "optimizer": o, "batch_norm": True}) for o in OPTIMIZERS},
    "sgd-no-momentum": ("wine", {**STRONG, "optimizer": "sgd", "momentum": 0.0}),
    "sgd-other-momentum": ("wine", {**STRONG, "optimizer": "sgd", "momentum": 0.5}),
    "everything": (
        "wine",
        {"units": (24, 7, 5), "batch_norm": True, "clip_norm": 0.5, "weight_decay": 0.01, "activation": "tanh"},
    ),
    **{f"{o}-layerwise": ("wine", {**STRONG, "optimizer": o, "activation": ("relu", "tanh")}) for o in OPTIMIZERS},
    **{
        f"{o}-layerwise-norm": (
            "wine",
            {**STRONG, "optimizer": o, "activation": ("sigmoid", "relu", "tanh"), "batch_norm": True},
        )
        for o in OPTIMIZERS
    },
    "layer-by-layer": (
        "diabetes",
        {"layers": 2, "units_1": 9, "units_2": 20, "activation_1": "linear", "activation_2": "sigmoid"},
    ),
    "layerwise-autoencoder": (
        "digits_autoencoder",
        {"layers": 2, "latent_size": 3, "units": (24, 9), "activation": ("tanh", "leaky_relu"), "batch_size": 100},
    ),
    "short-last-batch": ("wine", {**STRONG, "batch_size": 35}),  # 106 rows: the last batch has 1
    "one-row-a-batch": ("wine", {**STRONG, "learning_rate": 1e-3, "batch_size": 1}),
    "batch-of-all-rows": ("wine", {**STRONG, "batch_size": 1000}),
    "no-hidden-layer": ("wine", {"layers": 0, "learning_rate": 0.01}),
    "binary": ("breast_cancer", STRONG),
    "mse": ("diabetes", STRONG),
    "mae": ("diabetes", {**STRONG, "loss": "mae"}),
    "huber": ("diabetes", {**STRONG, "loss": "huber"}),
    "hinge": ("breast_cancer", {**STRONG, "loss": "hinge", "output_activation": "tanh", "optimizer": "sgd"}),
    "autoencoder": ("digits_autoencoder", {"latent_size": 3, "units": 20, "learning_rate": 0.01, "batch_size": 100}),
    "autoencoder-cross-entropy": (
        "digits_autoencoder",
        {"latent_size": 3, "units": 20, "loss": "binary_crossentropy", "batch_norm": True, "batch_size": 100},
    ),
}


@pytest.mark.parametrize("case", AS_KERAS)
def test_a_member_has_the_losses_of_keras_fit_from_the_same_weights_on_the_same_batches(case):
    name, configuration = AS_KERAS[case]
    task = hpt.task(name)
    run = start(task, [configuration], seeds=[7])
    run.advance(0)
    model = run.model(0)
    [progress] = run.advance(10)
    expected = fit(task, model, 7, 10, batch_size=configuration.get("batch_size", 32))
    close = CLOSE if configuration.get("optimizer", "adam") != "adam" else CURVES  # measured 8e-7 but for Adam
    assert np.allclose(losses(progress), expected, rtol=close, atol=close)


def test_members_end_where_the_keras_loop_ends(wine):
    chosen = [*MIXED[::3], *LAYERWISE]
    configurations = [{**one, "dropout": 0.0, "batch_norm": i % 2 == 1} for i, one in enumerate(chosen)]
    run, progress = trained(wine, configurations, 5)
    loop, expected = trained(wine, configurations, 5, trainer=KerasLoop())
    for i, (own, other) in enumerate(zip(progress, expected, strict=True)):
        assert np.allclose(losses(own), losses(other), rtol=CURVES)
        assert own.metrics == pytest.approx(other.metrics, rel=CURVES)
        assert [point["score"] for point in own.curve] == pytest.approx([point["score"] for point in other.curve])
        x = wine.arrays().x_validation
        assert np.allclose(run.model(i)(x), loop.model(i)(x), atol=CURVES)


def test_a_users_own_model_with_other_activations_in_every_layer_is_stacked_as_a_dense_one(wine):
    from keras import layers

    def build(configuration, shape):
        model = keras.Sequential([keras.Input(shape.inputs), layers.Dense(configuration["units"], "relu"),
                                  layers.Dense(7), layers.Activation("sigmoid"), layers.Dropout(0.0),
                                  layers.Dense(5), layers.Dense(3, "softmax")])  # fmt: skip
        model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
        return model

    task = replace(wine, build=build)
    run, progress = trained(task, [{"units": 8}, {"units": 20}], 5)
    assert [one.members for one in run.plan.stacks] == [(0, 1)]
    assert run._record(0).blueprint.activations == ["relu", "sigmoid", "linear"]
    _, expected = trained(task, [{"units": 8}, {"units": 20}], 5, trainer=KerasLoop())
    for own, other in zip(progress, expected, strict=True):
        assert np.allclose(losses(own), losses(other), rtol=CLOSE)


def test_every_member_epoch_and_step_drops_by_random_numbers_from_another_place(wine):
    """Of 720 places out of 65,536 that members, epochs and steps start from, 4 would meet others by chance."""
    run = start(wine, [{**one, "dropout": 0.1} for one in MIXED])
    records = [run._record(i) for i in range(len(MIXED))]
    starts = work_of(records, run._data, 4)[0].starts
    places = starts[starts > 0]  # 0 where a member has fewer steps than others
    assert len(places) == 720
    assert len(np.unique(places)) > 700
    alone = work_of(records[7:8], run._data, 4)[0].starts
    assert np.array_equal(alone[:, 0], starts[:, 7][starts[:, 7] > 0])  # whoever stands beside it


DROPPED = {"units": 16, "dropout": 0.4, "learning_rate": 0.01}


def _final(task, rate, trainer):
    """Training and validation losses after 10 epochs of 200 members, shape (200, 2)."""
    _, progress = trained(task, [{**DROPPED, "dropout": rate}] * 200, 10, trainer=trainer)
    return np.array([losses(one)[-1] for one in progress])


@pytest.mark.slow
def test_dropout_gives_the_distribution_that_keras_gives(wine):
    """Two hundred networks by either trainer: the same first weights and batches, other random numbers.

    Three tests, each at a level of 1 %, of both losses. The members are paired by their seeds, which is what makes
    them sharp: the same test tells a rate of 0.42 from one of 0.4.
    """
    from scipy.stats import ks_2samp, ttest_ind, ttest_rel

    ours, other, expected = (_final(wine, rate, t) for rate, t in ((0.4, None), (0.42, None), (0.4, KerasLoop())))
    for column in (0, 1):
        assert ks_2samp(ours[:, column], expected[:, column]).pvalue > 0.01
        assert ttest_ind(ours[:, column], expected[:, column], equal_var=False).pvalue > 0.01
        assert ttest_rel(ours[:, column], expected[:, column]).pvalue > 0.01
        assert ttest_rel(other[:, column], expected[:, column]).pvalue < 1e-6


# --- 3. to stop and go on changes nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
def test_advancing_in_three_goes_equals_advancing_at_once_exactly(wine, batch_norm):
    configurations = [{**one, "batch_norm": batch_norm, "weight_decay": 1e-3} for one in MIXED]
    once, expected = trained(wine, configurations, 27)
    thrice = start(wine, configurations)
    for epoch in (3, 9, 27):
        progress = thrice.advance(epoch)
    for i in range(len(configurations)):
        assert same_bits(state(once, i), state(thrice, i))
        assert progress[i].curve == expected[i].curve
        assert progress[i].metrics == expected[i].metrics


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_patience_is_counted_on_across_goes(wine, optimizer):
    configurations = [
        {"units": u, "patience": p, "optimizer": optimizer, "learning_rate": 0.02, "dropout": 0.2}
        for u in (8, 64) for p in (2, 4, None)
    ]  # fmt: skip
    _, expected = trained(wine, configurations, 40)
    twice = start(wine, configurations)
    twice.advance(9)
    progress = twice.advance(40)
    assert {one.stopped for one in progress} == {True, False}
    for i, (own, other) in enumerate(zip(progress, expected, strict=True)):
        assert (own.epochs, own.best_epoch, own.stopped) == (other.epochs, other.best_epoch, other.stopped)
        # Who has stopped leaves the stack, at other epochs in the two runs, and the others' sums change their order.
        assert np.allclose(losses(own), losses(other), rtol=1e-3, atol=CURVES)
        alone, [solo] = trained(wine, [configurations[i]], 40, seeds=[i])
        in_two = start(wine, [configurations[i]], seeds=[i])
        in_two.advance(9)
        assert in_two.advance(40)[0].curve == solo.curve
        assert same_bits(alone.model(0).get_weights(), in_two.model(0).get_weights())


def test_survivors_go_on_with_their_weights_and_the_memory_of_their_optimizer(wine):
    chosen = [31, 4, 17, 9]
    run, before = trained(wine, MIXED, 3)
    everyone, expected = trained(wine, MIXED, 6)
    held = [[array.copy() for array in state(run, i)] for i in chosen]
    before = [before[i].curve[:] for i in chosen]
    run.keep(chosen)
    assert all(same_bits(state(run, i), held[i]) for i in range(4))
    after = run.advance(6)
    assert [one.epochs for one in after] == [6] * 4
    for i, old in enumerate(chosen):
        assert after[i].curve[:3] == before[i]
        assert np.allclose(losses(after[i]), losses(expected[old]), rtol=CLOSE)
        assert apart(state(run, i), state(everyone, old)) < CLOSE
    run.keep([2])
    assert run.advance(7)[0].epochs == 7
    run.keep([])
    assert run.advance(8) == []


def test_a_long_training_cut_into_many_calls_is_exactly_the_same(wine, monkeypatch):
    once, expected = trained(wine, MIXED[:20], 8)
    calls = []
    traced = stack.traced

    def counted(*args):
        calls.append(args)
        return traced(*args)

    monkeypatch.setattr(stack, "traced", counted)
    monkeypatch.setattr(stack, "ROOM", 1)
    cut, progress = trained(wine, MIXED[:20], 8)
    assert len(calls) == 8 * len(once.plan.stacks)
    for i in range(20):
        assert same_bits(state(once, i), state(cut, i))
        assert progress[i].curve == expected[i].curve


def test_an_epoch_that_was_reached_already_changes_nothing(wine):
    run, progress = trained(wine, MIXED[:4], 3)
    before = [state(run, i) for i in range(4)]
    curves = [one.curve[:] for one in progress]
    for epoch in (3, 2, 0):
        assert [one.curve for one in run.advance(epoch)] == curves
        assert all(same_bits(state(run, i), before[i]) for i in range(4))


# --- 4. order and threads -------------------------------------------------------------------------------------


def test_the_order_of_the_batch_does_not_matter(wine):
    order = np.random.default_rng(0).permutation(len(MIXED)).tolist()
    _, progress = trained(wine, MIXED, 5)
    _, shuffled = trained(wine, [MIXED[i] for i in order], 5, seeds=order)
    for place, i in enumerate(order):
        assert np.allclose(losses(shuffled[place]), losses(progress[i]), rtol=CLOSE)


def test_the_number_of_threads_does_not_matter_to_the_last_bit(wine):
    configurations = [{**one, "units": width} for width in ((8,), (8, 8), (64, 64), (8, 8, 8)) for one in MIXED[:12]]
    one, expected = trained(wine, configurations, 4, trainer=Stack(threads=1))
    two, progress = trained(wine, configurations, 4, trainer=Stack(threads=2))
    assert len(one.plan.stacks) >= 3
    for i in range(len(configurations)):
        assert same_bits(state(one, i), state(two, i))
        assert progress[i].curve == expected[i].curve


# --- 5. one trace, and a plan ---------------------------------------------------------------------------------


def test_one_trace_serves_every_rung_and_every_data_set_of_one_structure(monkeypatch):
    monkeypatch.setattr(engine, "_traced", {})
    before = engine.traces
    for name, numbers in (("wine", (1, 7)), ("digits", (2,)), ("wine", (20,))):
        for number in numbers:
            run, _ = trained(
                hpt.task(name),
                [
                    {"units": 4 + 3 * i, "batch_size": 32 + 16 * i, "optimizer": OPTIMIZERS[i % 3],
                     "activation": ACTIVATIONS[i % 5], "patience": i % 4 or None}
                    for i in range(number)
                ],
                number % 5 + 1,
            )  # fmt: skip
            run.keep(range((number + 1) // 2))
            run.advance(number % 5 + 3)
    assert engine.traces == before + 1
    trained(hpt.task("wine"), [{"layers": 1}], 1)
    assert engine.traces == before + 2


def test_the_plan_names_every_member_that_still_trains_once(wine):
    configurations = [*MIXED, {"dropout": 7}, {"layers": 3}, {"units": 300}]
    run = start(wine, configurations)
    planned = sorted(i for one in run.plan.stacks for i in one.members)
    assert planned == [i for i in range(len(configurations)) if i != len(MIXED)]
    assert all(0 < one.useful <= one.executed for one in run.plan.stacks)
    assert "47 members in " in repr(run.plan)


def test_the_plan_reports_the_share_of_the_work_that_is_not_padding(wine):
    """Counted by hand: 106 rows, 13 inputs, one hidden layer, 3 classes."""
    rows, widths = len(wine.arrays().x_train), (4, 16)
    useful = sum(rows * (2 * 13 * width + 3 * width * 3) for width in widths)
    executed = 2 * rows * (2 * 13 * 16 + 3 * 16 * 3)
    run = start(wine, [{"units": (width,)} for width in widths])
    assert len(run.plan.stacks) == 1
    assert run.plan.useful == pytest.approx(useful / executed) == pytest.approx(20 / 32)


# --- 6. repeats and folds are members -------------------------------------------------------------------------


def test_folds_and_seeds_are_members_each_on_its_own_rows():
    task = hpt.task("wine", folds=3)
    kinds = [{"units": 8}, {"units": 12, "dropout": 0.2, "batch_size": 40}]
    members = [(kind, seed, fold) for kind in kinds for seed in (4, 9) for fold in range(3)]
    configurations, seeds, folds = zip(*members, strict=True)
    run, progress = trained(task, configurations, 4, seeds=seeds, folds=folds)
    assert len(run.plan.stacks) == 1
    for i, (configuration, seed, fold) in enumerate(members):
        _, [alone] = trained(task, [configuration], 4, seeds=[seed], folds=[fold])
        assert np.allclose(losses(progress[i]), losses(alone), rtol=CLOSE)
        assert progress[i].metrics == pytest.approx(alone.metrics, rel=CURVES)
        arrays = task.arrays(fold)
        predicted = np.asarray(run.model(i)(arrays.x_validation))
        for name, value in progress[i].metrics.items():
            assert value == pytest.approx(metric(name).score(arrays.y_validation, predicted), rel=CURVES)


def test_folds_of_different_lengths_share_a_stack():
    data = hpt.load("wine")
    parts = np.split(np.random.default_rng(3).permutation(len(data)), [12, 59, 60])
    folds = tuple(Fold(np.concatenate([p for p in parts if p is not own]), own) for own in parts)
    task = replace(hpt.task("wine"), split=Split(data, folds, np.array([], dtype=int)))
    configurations = [{"batch_norm": True, "units": 8, "learning_rate": 0.01}] * len(folds)
    run, progress = trained(task, configurations, 4, seeds=[5] * 4, folds=range(4))
    assert len(run.plan.stacks) == 1
    _, expected = trained(task, configurations, 4, seeds=[5] * 4, folds=range(4), trainer=KerasLoop())
    for own, other in zip(progress, expected, strict=True):
        assert np.allclose(losses(own), losses(other), rtol=CURVES)


# --- 7. a member leaves as a Keras model ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes", "digits_autoencoder", "co2"])
@pytest.mark.parametrize("extra", [{}, {"batch_norm": True, "dropout": 0.1, "patience": 1, "learning_rate": 0.1}])
def test_the_model_predicts_what_was_recorded(name, extra):
    task = hpt.task(name)
    kinds = [{"units": 20}, {"units": (9,), "activation": "tanh", "optimizer": "sgd"}]
    run, progress = trained(task, [{**kind, "batch_size": 64, **extra} for kind in kinds], 4)
    arrays = task.arrays()
    for i, one in enumerate(progress):
        model = run.model(i)
        outputs = np.asarray(model(arrays.x_validation, training=False))
        assert np.allclose(outputs, run._record(i).outputs, atol=CURVES)
        counted = one.curve[one.best_epoch - 1]
        if i == 0:
            loss = model.evaluate(arrays.x_validation, arrays.y_validation, verbose=0)
            assert loss == pytest.approx(counted["val_loss"], rel=CURVES)
        for key, value in one.metrics.items():
            target, predicted = arrays.restore(arrays.y_validation), arrays.restore(outputs)
            assert value == pytest.approx(metric(key).score(target, predicted), rel=1e-3)
        assert one.metrics[task.objective.name] == pytest.approx(counted["score"])


@pytest.mark.parametrize("extra", [{}, {"batch_norm": True, "weight_decay": 0.01, "clip_norm": 0.1}])
@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "sgd-0"])
def test_keras_goes_on_where_the_stack_stopped(wine, optimizer, extra):
    """Optimizer memory and step count come along: one more epoch in Keras is one more epoch in the stack."""
    configuration = {"units": 8, "optimizer": optimizer.removesuffix("-0"), "learning_rate": 0.01, **extra}
    configuration |= {"momentum": 0.0} if optimizer == "sgd-0" else {}
    run, _ = trained(wine, [configuration, {"units": 30, **extra}], 3, seeds=[6, 7])
    model = run.model(0)
    assert int(model.optimizer.iterations) == 3 * 4
    progress = run.advance(4)[0]
    assert np.allclose(fit(wine, model, 6, 1, first=4)[0], losses(progress)[3], rtol=CLOSE)
    assert apart(model.get_weights(), run.model(0).get_weights()) < CLOSE


def test_a_model_can_be_saved_and_loaded_and_trained_on(wine, tmp_path):
    run, _ = trained(wine, [{"units": 8, "batch_norm": True}, {"units": 12, "dropout": 0.2}], 3)
    for i in range(2):
        model = run.model(i)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        x = wine.arrays().x_validation
        assert np.array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
        assert np.array_equal(loaded.optimizer.iterations, model.optimizer.iterations)
    run.advance(4)
    run.keep([0])
    run.advance(5)


def test_a_member_that_has_no_network_says_why(wine):
    run, _ = trained(wine, [{"units": 8}, {"dropout": 2.0}], 1)
    with pytest.raises(ValueError, match=r"member 1 has no network: .*dropout"):
        run.model(1)


# --- early stopping -------------------------------------------------------------------------------------------


def test_early_stopping_ends_as_the_keras_loop_does_with_the_same_weights(wine):
    configurations = [
        {"units": u, "patience": p, "learning_rate": 0.02, "optimizer": o, "batch_norm": o == "sgd"}
        for u, p in ((16, 1), (64, 1), (64, 3), (64, 8)) for o in OPTIMIZERS
    ]  # fmt: skip
    run, progress = trained(wine, configurations, 25)
    loop, expected = trained(wine, configurations, 25, trainer=KerasLoop())
    assert {one.stopped for one in progress} == {True, False}
    x = wine.arrays().x_validation
    for i, (own, other) in enumerate(zip(progress, expected, strict=True)):
        assert (own.epochs, own.best_epoch, own.stopped) == (other.epochs, other.best_epoch, other.stopped)
        assert own.best_epoch == 1 + np.argmin(losses(own)[:, 1])
        assert own.metrics == pytest.approx(other.metrics, rel=1e-3)
        assert np.allclose(run.model(i)(x), loop.model(i)(x), atol=1e-3)


# --- results that are no success ------------------------------------------------------------------------------

BAD = {
    "dropout": {"dropout": 2.0},
    "activation": {"activation": "nonsense"},
    "optimizer": {"optimizer": "nonsense"},
    "init": {"init": "nonsense"},
    "name": {"dropot": 0.1},
    "units": {"units": 0},
    "layers": {"units": (4, 4), "layers": 1},
    "activations": {"activation": ("relu", "tanh", "relu"), "layers": 2},
    "one by one": {"units_1": 4},
    "type": {"learning_rate": "fast"},
}
CRASHES = {
    "loss": ("wine", {"loss": "nonsense"}),
    "head": ("wine", {"output_activation": "nonsense"}),
    "momentum": ("wine", {"optimizer": "sgd", "momentum": 2.0}),
    "one-hot": ("wine", {"loss": "categorical_crossentropy"}),
    "labels": ("diabetes", {"loss": "sparse_categorical_crossentropy"}),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_built_is_a_result_with_the_keras_loops_reason(wine, case):
    _, progress = trained(wine, [{"units": 8}, BAD[case], {"units": 9}], 2)
    _, [expected] = trained(wine, [BAD[case]], 2, seeds=[1], trainer=KerasLoop())
    assert [one.status for one in progress] == ["complete", "failed", "complete"]
    assert (progress[1].reason, progress[1].stopped) == (expected.reason, True)


@pytest.mark.parametrize("case", CRASHES)
def test_what_keras_refuses_to_compile_or_train_is_a_result_and_spares_the_others(case):
    name, configuration = CRASHES[case]
    _, progress = trained(hpt.task(name), [{"units": 8}, configuration, {"units": 9}], 2)
    _, [expected] = trained(hpt.task(name), [configuration], 2, seeds=[1], trainer=KerasLoop())
    assert expected.status == "failed"
    assert [one.status for one in progress] == ["complete", "failed", "complete"]
    assert progress[1].reason.split("{{")[0] == expected.reason.split("{{")[0]  # Keras names its own function


@pytest.mark.parametrize("name", ["wine", "digits_autoencoder"])
def test_dropout_finds_nothing_to_drop_where_there_is_no_hidden_layer(name):
    task = hpt.task(name)
    _, [a, b] = trained(task, [{"layers": 0, "dropout": 0.5}, {"layers": 0}], 2, seeds=[1, 1])
    assert a.curve == b.curve


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_member_that_diverges_has_the_status_and_reason_of_the_keras_loop(diabetes, activation):
    """Far from the border. Near it the last digits decide: they grow as fast as the loss does."""
    configuration = {"optimizer": "sgd", "learning_rate": 1e6, "units": 8, "activation": activation}
    run, [own] = trained(diabetes, [configuration], 30)
    _, [other] = trained(diabetes, [configuration], 30, trainer=KerasLoop())
    assert (own.status, own.epochs, own.stopped, own.metrics) == ("diverged", 0, True, {})
    assert (other.status, other.epochs, other.stopped, other.metrics) == ("diverged", 0, True, {})
    assert own.reason.startswith("the training loss became ")
    assert own.reason.endswith("in epoch 1")
    assert run.advance(40)[0] == own


def test_a_prediction_that_overflows_after_finite_training_losses_is_a_divergence(diabetes):
    """One batch an epoch: the loss is taken before the step that ruins the network."""
    _, [own] = trained(diabetes, [{"optimizer": "sgd", "learning_rate": 1e18, "batch_size": 1000, "units": 8}], 3)
    assert (own.status, own.reason) == ("diverged", "a prediction became NaN or infinite in epoch 1")


def test_large_steps_that_keras_survives_are_survived(wine):
    """Adam and clipping aside, finite numbers stay finite as long as Keras's do."""
    task = hpt.task("breast_cancer")
    configuration = {"units": 16, "optimizer": "sgd", "learning_rate": 100.0}
    _, [own] = trained(task, [configuration], 10, seeds=[3])
    _, [other] = trained(task, [configuration], 10, seeds=[3], trainer=KerasLoop())
    assert other.status == "complete"
    assert (own.status, own.epochs) == (other.status, other.epochs)


def test_adam_diverges_when_a_square_overflows_as_in_keras(diabetes):
    """A second moment of infinity would let the weights stand still for ever: the epoch's predictions become NaN."""
    configuration = {"units": 8, "learning_rate": 1e12}
    _, [own] = trained(diabetes, [configuration], 20)
    _, [other] = trained(diabetes, [configuration], 20, trainer=KerasLoop())
    assert own.status == other.status == "diverged"


def test_a_loss_that_looks_at_several_rows_is_left_to_keras(diabetes):
    run, [own] = trained(diabetes, [{"units": 8, "loss": "cosine_similarity"}], 2)
    _, [other] = trained(diabetes, [{"units": 8, "loss": "cosine_similarity"}], 2, trainer=KerasLoop())
    assert own.curve == other.curve
    assert run.plan.alone == {0: "its loss looks at several rows at once"}


def test_a_network_can_be_had_before_it_trains(wine):
    run = start(wine, [{"units": 8}])
    model = run.model(0)
    run.advance(1)
    assert model.count_params() == run.model(0).count_params()


# --- edges ----------------------------------------------------------------------------------------------------


def test_no_members_are_no_progress(wine):
    assert trained(wine, [], 3)[1] == []


def test_a_task_whose_rows_are_images_is_flattened():
    data = hpt.load("digits")
    image = Dataset("images", data.x.reshape(-1, 8, 8), data.y, "multiclass")
    flat, rows = (replace(hpt.task("digits"), split=holdout(one, seed=0)) for one in (image, data))
    [a], [b] = (trained(task, [{"units": 8, "batch_size": 200}], 2)[1] for task in (flat, rows))
    assert np.allclose(losses(a), losses(b), rtol=CLOSE)


PRESSED = """
import os, signal, threading, time
import hpt
from hpt.training import Member, stack

traced, began = stack.traced, []

def interrupted(*args):
    began.append(threading.current_thread())
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)  # the main thread gets a turn to hear it
    return traced(*args)

stack.traced = interrupted
task = hpt.task("wine")
members = [Member({"layers": layers, "units": 4}, 0) for layers in range(1, 9)]
run = stack.Stack(threads=1).start(task, members)
try:
    run.advance(3)
except KeyboardInterrupt:
    print("heard", len(began), began[0] is threading.main_thread())
"""


def test_ctrl_c_while_a_stack_trains_is_a_keyboard_interrupt():
    """A real signal, sent while a thread trains: what has not begun by then never begins.

    In a process of its own: in this one other libraries have threads by now, and a signal may go to one of them.
    """
    done = subprocess.run([sys.executable, "-c", PRESSED], capture_output=True, text=True)
    heard, began, by_main = done.stdout.split()
    assert (heard, by_main) == ("heard", "False")
    assert 1 <= int(began) < 8
