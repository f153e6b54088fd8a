"""A reader's own Keras function becomes a task: checked before it trains, stacked where it can be."""

import pickle

import numpy as np
import pytest

import hpt
from hpt import Task
from hpt.builders import keras_builder
from hpt.search import members
from hpt.training.stack import Stack

RATE = hpt.Float(1e-3, 1e-1, log=True)
ONE = hpt.Space({"lr": RATE})


def _compiled(layers, lr, inputs=((13,),), loss="sparse_categorical_crossentropy"):
    import keras

    model = keras.Sequential([*(keras.Input(shape) for shape in inputs), *layers])
    model.compile(keras.optimizers.Adam(lr), loss)
    return model


def build_model(lr=0.01, dropout=0.3, neurons=64):
    from keras import layers

    hidden = layers.Dense(neurons, activation="relu")
    return _compiled([hidden, layers.Dropout(dropout), layers.Dense(3, activation="softmax")], lr)


def with_a_layer_of_its_own(lr=0.01):
    from keras import layers

    class Twice(layers.Layer):
        def call(self, x):
            return 2 * x

    return _compiled([Twice(), layers.Dense(3, activation="softmax")], lr)


def of_any_shape(shape, lr=0.01):
    from keras import layers

    return _compiled([layers.Dense(shape.outputs, activation="softmax")], lr, [shape.inputs])


def of_a_configuration(configuration, shape):
    return of_any_shape(shape, configuration["lr"])


def uncompiled(lr=0.01):
    import keras

    return keras.Sequential([keras.Input((13,)), keras.layers.Dense(3)])


def too_narrow(lr=0.01):
    from keras import layers

    return _compiled([layers.Dense(2, activation="softmax")], lr)


def built_late_and_too_narrow(lr=0.01):
    from keras import layers

    return _compiled([layers.Dense(2)], lr, (), "mse")


def for_other_rows(lr=0.01):
    from keras import layers

    return _compiled([layers.Dense(3, activation="softmax")], lr, [(4,)])


def raising(lr=0.01):
    raise RuntimeError("out of ideas")


def nothing(lr=0.01):
    return None


def own(build, space=ONE, **kwargs):
    return Task.from_keras(build, hpt.load("wine"), space, **{"epochs": 2, **kwargs})


def test_a_function_of_hyperparameters_is_tuned_and_runs_stacked():
    space = hpt.Space({"lr": RATE, "neurons": hpt.Int(8, 32), "batch_size": hpt.Choice(16, 32)})
    task = own(build_model, space)
    assert (task.name, task.metrics) == ("wine", hpt.task("wine").metrics)
    assert task.configuration({}) == {"lr": 0.01, "dropout": 0.3, "neurons": 64}
    four = [members({"neurons": 8 + i}, i, 1)[0] for i in range(4)]
    plan = Stack().start(task, four).plan
    assert [len(stack.members) for stack in plan.stacks] == [4] and not plan.alone
    study = hpt.tune(task, "random", trials=6, seed=0)
    assert len(study.trials) == 6 and set(study.trials.status) == {"complete"}


def test_the_stack_trains_what_the_function_builds():
    task = own(build_model, defaults={"dropout": 0.0}, epochs=5)
    alone = hpt.train(task, {"lr": 0.02}, trainer=hpt.training.keras_loop.KerasLoop())
    stacked = hpt.train(task, {"lr": 0.02})
    assert float(stacked.model.optimizer.learning_rate) == pytest.approx(0.02)
    # The same weights, rows and order; single precision adds up in another order.
    assert np.allclose(alone.curve.val_loss, stacked.curve.val_loss, rtol=1e-3)


def test_a_model_with_a_layer_of_its_own_falls_back_to_the_loop():
    task = own(with_a_layer_of_its_own)
    [why] = Stack().start(task, members({}, 0, 1)).plan.alone.values()
    assert "Twice" in why
    assert set(hpt.tune(task, "random", trials=2).trials.status) == {"complete"}


@pytest.mark.parametrize("build", [of_any_shape, of_a_configuration])
def test_a_function_may_take_the_shape_of_the_data(build):
    task = own(build, defaults={"lr": 0.02})
    assert float(task.build({}, task.shape).optimizer.learning_rate) == pytest.approx(0.02)
    assert hpt.train(task).curve.epoch.tolist() == [1, 2]


def test_what_the_loop_reads_reaches_the_function_only_if_it_takes_it():
    def greedy(lr=0.01, epochs=9, **rest):
        seen.append({"epochs": epochs, **rest})
        return build_model(lr)

    seen = []
    space = ["lr", "units", "batch_size", "epochs", "patience"]
    builder = keras_builder(greedy, space, {})
    builder({"lr": 0.1, "units": 3, "batch_size": 16, "epochs": 4, "patience": 2}, hpt.task("wine").shape)
    assert seen == [{"epochs": 4, "units": 3}]
    assert own(build_model, hpt.Space({"lr": RATE, "epochs": hpt.Int(1, 2)})).space["epochs"] == hpt.Int(1, 2)


def test_epochs_and_patience_of_the_space_are_followed():
    task = own(build_model, hpt.Space({"lr": RATE, "epochs": hpt.Int(1, 3)}), epochs=3)
    assert len(hpt.train(task, {"epochs": 1}).curve) == 1


def test_the_builder_can_be_pickled():
    task = own(build_model)
    again = pickle.loads(pickle.dumps(task.build))
    assert again({"neurons": 5}, task.shape).count_params() == 13 * 5 + 5 + 5 * 3 + 3


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (uncompiled, "must return a compiled Keras model"),
        (nothing, "must return a compiled Keras model, got None"),
        (too_narrow, r"too_narrow builds a model with outputs of shape \(None, 2\), multiclass data need \(None, 3\)"),
        (built_late_and_too_narrow, r"with outputs of shape \(1, 2\)"),
        (for_other_rows, r"for inputs of shape \(None, 4\), a row of the data has \(13,\)"),
        (raising, "RuntimeError: out of ideas"),
    ],
)
def test_a_builder_that_cannot_be_trained_is_a_failed_trial_that_says_why(build, reason):
    trials = hpt.tune(own(build), "random", trials=2).trials
    assert set(trials.status) == {"failed"}
    assert trials.reason.str.contains(reason).all()
    with pytest.raises(hpt.InvalidInput, match=reason):
        hpt.train(own(build))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: own(build_model, hpt.Space({"rate": RATE})),
            "'rate' is no hyperparameter of build_model: it takes lr, ",
        ),
        (lambda: own(build_model, defaults={"units": 3}), "and the training loop batch_size, epochs, patience"),
        (lambda: own(lambda lr, units: None), "<lambda> needs units: put it into the space or the defaults"),
        (lambda: own(lambda hp: None), "'lr' is no hyperparameter of <lambda>: it takes hp"),
        (lambda: own(lambda lr, /: None), "by position only"),
        (lambda: own(build_model()), "build is a function"),
        (lambda: own(build_model, folds=0), "folds is a whole number"),
        (lambda: own(build_model, epoch=3), "unknown task field 'epoch'"),
        (lambda: own(build_model, problem="binary"), "leave problem='binary' out"),
    ],
)
def test_a_task_that_cannot_be_gets_one_line_before_anything_trains(call, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message):
        call()


def test_data_may_be_a_split_or_arrays_with_any_labels(capsys):
    wine = hpt.load("wine")
    split = hpt.kfold(wine, 3)
    assert Task.from_keras(build_model, split, ONE).split is split
    with pytest.raises(hpt.InvalidInput, match="folds already"):
        Task.from_keras(build_model, split, ONE, folds=2)
    labels = np.array(["one", "two", "three"])[wine.y]
    task = Task.from_keras(build_model, (wine.x, labels), ONE)
    assert task.dataset.class_names == ("one", "three", "two")
    assert capsys.readouterr().out.startswith("build_model: target y holds 3 different texts, so this is a multiclass")
    numbers = Task.from_keras(build_model, (wine.x, wine.y[:, None]), ONE, problem="regression", name="w")
    assert (numbers.dataset.problem, numbers.metrics[0], numbers.name) == ("regression", "rmse", "w")
    assert Task.from_keras(build_model, (wine.x, None), ONE).shape.outputs == 13
    assert capsys.readouterr().out == ""
    with pytest.raises(hpt.InvalidInput, match=r"y.argmax\(1\) undoes one-hot"):
        Task.from_keras(build_model, (wine.x, np.eye(3)[wine.y]), ONE)
    with pytest.raises(hpt.InvalidInput, match="of a table"):
        Task.from_keras(build_model, (wine.x,), ONE)
