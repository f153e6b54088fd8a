"""The Keras loop trains as Keras's own ``fit`` does, and never crashes on a network."""

import random

import keras
import numpy as np
import pytest

import hpt
from hpt.layers import initial_weights, layers
from hpt.seeds import stream
from hpt.training import Member
from hpt.training.keras_loop import KerasLoop
from hpt.training.stack import Stack


def _advance(task, configuration, epochs, seed=0, fold=0):
    run = KerasLoop().start(task, [Member(configuration, seed, fold)])
    return run, run.advance(epochs)[0]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes"])
def test_a_member_equals_keras_fit_from_the_same_weights_in_the_same_order(name, optimizer):
    task = hpt.task(name)
    configuration = {"units": 8, "optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 1e-3}
    _, progress = _advance(task, configuration, 4, seed=5)

    model = task.build(configuration, task.shape)
    model.set_weights(initial_weights(layers(task.build, configuration, task.shape), 5))  # a seed's, whoever trains
    arrays = task.arrays()
    for epoch, point in enumerate(progress.curve, start=1):
        order = stream(5, "order", epoch).permutation(len(arrays.x_train))
        history = model.fit(
            arrays.x_train[order], arrays.y_train[order], batch_size=32, shuffle=False, verbose=0,
            validation_data=(arrays.x_validation, arrays.y_validation), validation_batch_size=10_000,
        ).history  # fmt: skip
        assert point["train_loss"] == pytest.approx(history["loss"][0], rel=1e-4)
        assert point["val_loss"] == pytest.approx(history["val_loss"][0], rel=1e-4)


def test_the_score_is_the_objective_of_the_models_own_predictions(wine):
    run, progress = _advance(wine, {"units": 8}, 3)
    arrays = wine.arrays()
    predicted = run.model(0).predict(arrays.x_validation, verbose=0)
    accuracy = float((predicted.argmax(1) == arrays.y_validation).mean())
    assert progress.metrics["accuracy"] == progress.curve[-1]["score"] == pytest.approx(accuracy)


def test_regression_is_judged_in_the_units_of_the_data():
    task = hpt.task("diabetes")
    run, progress = _advance(task, {}, 3)
    fold = task.split.folds[0]
    arrays = task.arrays()
    x, y = task.dataset.x[fold.validation], task.dataset.y[fold.validation]
    predicted = arrays.restore(run.model(0).predict(arrays.transform(x), verbose=0))[:, 0]
    assert progress.metrics["rmse"] == pytest.approx(float(np.sqrt(np.mean((predicted - y) ** 2))), rel=1e-4)
    assert progress.metrics["rmse"] > 10  # disease progression runs from 25 to 346


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(wine):
    configuration = {"units": 16, "dropout": 0.3}
    a, b, c = (_advance(wine, configuration, 3, seed=s)[1].curve for s in (1, 1, 2))
    assert a == b
    assert a != c


def test_advancing_in_two_steps_equals_advancing_at_once(wine):
    configuration = {"units": 16, "dropout": 0.3, "batch_norm": True, "patience": 3}
    run, _ = _advance(wine, configuration, 2)
    [twice] = run.advance(6)
    _, once = _advance(wine, configuration, 6)
    assert twice.curve == once.curve
    assert twice.metrics == once.metrics


def test_members_do_not_see_their_neighbours(wine):
    alone = _advance(wine, {"units": 8, "dropout": 0.2}, 2, seed=3)[1].curve
    crowd = KerasLoop().start(wine, [Member({"units": 32}, 1), Member({"units": 8, "dropout": 0.2}, 3)])
    assert crowd.advance(2)[1].curve == alone


def test_survivors_go_on_from_where_they_were(wine):
    run = KerasLoop().start(wine, [Member({"units": 8}, seed) for seed in (1, 2, 3)])
    before = [progress.curve[:] for progress in run.advance(1)]
    run.keep([2, 0])
    after = run.advance(2)
    assert [p.curve[0] for p in after] == [before[2][0], before[0][0]]
    assert [p.epochs for p in after] == [2, 2]


def test_training_leaves_the_callers_random_numbers_alone(wine):
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    expected = np.random.RandomState(1).rand(), random.Random(1).random()
    _advance(wine, {"units": 8, "dropout": 0.2}, 1)
    assert (np.random.rand(), random.random()) == expected  # noqa: NPY002


def test_early_stopping_ends_after_patience_and_gives_the_best_weights_back():
    task = hpt.task("wine")
    run, progress = _advance(task, {"units": 64, "learning_rate": 0.05, "patience": 2}, 200)
    losses = [point["val_loss"] for point in progress.curve]
    assert progress.stopped
    assert progress.epochs < 200
    assert progress.best_epoch == int(np.argmin(losses)) + 1 == progress.epochs - 2
    arrays = task.arrays()
    loss = run.model(0).evaluate(arrays.x_validation, arrays.y_validation, verbose=0)
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_without_patience_the_last_epoch_counts(wine):
    _, progress = _advance(wine, {"units": 8, "learning_rate": 0.5}, 5)
    assert (progress.best_epoch, progress.stopped) == (5, False)


def test_a_network_that_diverges_is_a_result_with_a_reason():
    run, progress = _advance(hpt.task("diabetes"), {"optimizer": "sgd", "learning_rate": 1e6}, 30)
    assert progress.status == "diverged"
    assert progress.reason.startswith(("the training loss became", "a prediction became NaN or infinite"))
    assert progress.epochs < 30
    assert run.advance(30)[0].status == "diverged"


def test_a_network_that_raises_is_a_result_with_a_reason(wine):
    _, progress = _advance(wine, {"dropout": 2.0}, 2)
    assert progress.status == "failed"
    assert progress.reason == "InvalidInput: dropout is a share of at least 0 and below 1, got 2.0"


@pytest.mark.parametrize("trainer", [KerasLoop, Stack])
def test_what_counts_as_memory_is_what_is_learned_in_both_trainers(wine, trainer):
    configuration = {"units": 8, "layers": 1, "batch_norm": True}
    needs = 16 * (13 * 8 + 8 + 8 + 8 * 3 + 3) / 1e6  # without moving means and variances
    for megabytes, status in ((needs, "complete"), (needs * 0.99, "failed")):
        task = hpt.tasks.replace(wine, limits=hpt.Limits(megabytes=megabytes))
        [progress] = trainer().start(task, [Member(configuration, 0)]).advance(1)
        assert progress.status == status
    assert progress.reason == "needs 0 MB for 147 parameters, over the limit of 0.00232848 MB"


def test_a_model_of_which_only_its_builder_knows_the_size_is_not_trained_where_it_is_too_large(wine):
    def build(configuration, shape):
        model = keras.Sequential([keras.Input(shape.inputs), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    _, progress = _advance(hpt.tasks.replace(wine, build=build, limits=hpt.Limits(megabytes=1e-6)), {}, 1)
    assert (progress.status, progress.epochs, progress.stopped) == ("failed", 0, True)
    assert progress.reason == "needs 0 MB for 42 parameters, over the limit of 1e-06 MB"


def test_keyboard_interrupt_is_not_swallowed(wine):
    def build(configuration, shape):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _advance(hpt.tasks.replace(wine, build=build), {}, 1)


def test_a_model_that_knows_its_input_only_when_called_trains_and_repeats_itself(wine):
    def build(configuration, shape):
        model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    task = hpt.tasks.replace(wine, build=build)
    a, b = (_advance(task, {}, 2, seed=4)[1] for _ in range(2))
    assert a.status == "complete"
    assert a.curve == b.curve


@pytest.mark.parametrize("made", [None, keras.Sequential([keras.Input((13,)), keras.layers.Dense(3)])])
def test_a_builder_that_returns_no_compiled_model_is_told_so(wine, made):
    _, progress = _advance(hpt.tasks.replace(wine, build=lambda c, s: made), {}, 1)
    assert progress.status == "failed"
    assert "the builder must return a compiled Keras model" in progress.reason
