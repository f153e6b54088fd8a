"""One network and one knob."""

import logging
from dataclasses import replace

import numpy as np
import pytest

import hpt
from hpt.training.keras_loop import KerasLoop


def test_train_returns_the_network_its_curve_and_its_metrics(wine):
    trained = hpt.train(wine, {"units": 16}, epochs=3, seed=2)
    assert trained.curve["epoch"].tolist() == [1, 2, 3]
    assert set(trained.metrics) == set(wine.metrics)
    fold = wine.split.folds[0]
    predicted = trained.predict(wine.dataset.x[fold.validation]).argmax(1)
    assert trained.metrics["accuracy"] == pytest.approx((predicted == wine.dataset.y[fold.validation]).mean())
    assert "accuracy" in repr(trained)


def test_training_improves_on_guessing():
    trained = hpt.train(hpt.task("breast_cancer", epochs=5), seed=0)
    assert trained.metrics["accuracy"] > 0.9  # the majority class is 0.63 of the rows
    assert trained.curve["train_loss"].is_monotonic_decreasing


def test_a_network_that_cannot_train_says_why(wine):
    with pytest.raises(hpt.InvalidInput, match="failed: InvalidInput: dropout"):
        hpt.train(wine, {"dropout": 3})
    with pytest.raises(hpt.InvalidInput, match="fold must be 0 to 0, got 4"):
        hpt.train(wine, fold=4)


def test_a_sweep_has_a_row_for_every_value_and_repeat(wine):
    frame = hpt.sweep(wine, "units", [4, 8], repeats=3, epochs=1, learning_rate=0.01)
    assert frame[["units", "repeat"]].to_numpy().tolist() == [[u, r] for u in (4, 8) for r in range(3)]
    assert frame.columns[0] == "units"
    assert (frame["epochs"] == 1).all()
    assert frame["score"].equals(frame["accuracy"].rename("score"))


def test_repeats_are_paired_and_differ_from_each_other(wine):
    frame = hpt.sweep(wine, "weight_decay", [0.0, 1e-12], repeats=2, epochs=1)
    a, b = (frame[frame["weight_decay"] == v]["val_loss"].to_numpy() for v in (0.0, 1e-12))
    assert np.allclose(a, b, rtol=1e-5)  # the same seeds: a decay of 1e-12 changes nothing that float32 holds
    assert a[0] != a[1]


def test_a_sweep_is_the_same_whoever_trains(wine):
    """To 1e-4: the Keras loop adds up in another order, and its Adam is 6e-6 of a step off."""
    stacked, one_by_one = (
        hpt.sweep(wine, "units", [4, (8, 5)], repeats=2, epochs=3, batch_norm=True, trainer=trainer)
        for trainer in (None, KerasLoop())
    )
    assert stacked["units"].tolist() == one_by_one["units"].tolist()
    for name in ("score", "log_loss", "train_loss", "val_loss", "best_epoch", "epochs"):
        assert np.allclose(stacked[name], one_by_one[name], rtol=1e-4)


def test_a_diverging_value_is_a_row():
    frame = hpt.sweep(hpt.task("diabetes", epochs=2), "learning_rate", [1e-3, 1e12], repeats=1, optimizer="sgd")
    assert frame["status"].tolist() == ["complete", "diverged"]
    assert np.isnan(frame["score"][1])


@pytest.mark.parametrize("arguments", [{"values": []}, {"values": [1], "repeats": 0}])
def test_an_empty_sweep_is_refused(wine, arguments):
    with pytest.raises(hpt.InvalidInput, match="at least one value and one repeat"):
        hpt.sweep(wine, "units", **arguments)


def test_predictions_of_many_networks_say_nothing(wine, caplog):
    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    try:
        trained = [hpt.train(wine, {"layers": 1, "units": 4}, epochs=1, seed=seed) for seed in range(3)]
        for network in trained:
            for rows in (40, 33):  # two batch shapes each: Keras's own `predict` warns of retracing here
                assert network.predict(wine.dataset.x[:rows]).shape == (rows, 3)
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.records


@pytest.mark.parametrize("epochs", [0, -1, 1.5, True])
def test_a_length_that_cannot_be_is_named(wine, epochs):
    for run in (lambda: hpt.train(wine, epochs=epochs), lambda: hpt.sweep(wine, "units", [4], epochs=epochs)):
        with pytest.raises(hpt.InvalidInput, match=f"epochs must be a whole number of at least 1, got {epochs}"):
            run()


def test_a_length_in_the_defaults_is_obeyed_and_a_configuration_goes_before_it(wine):
    task = replace(wine, defaults={"epochs": 1})
    assert len(hpt.train(task).curve) == 1
    assert len(hpt.train(task, {"epochs": 3}).curve) == 3
    assert len(hpt.train(task, epochs=2).curve) == 2
    assert hpt.sweep(task, "units", [4], repeats=1)["epochs"].tolist() == [1]
    with pytest.raises(hpt.InvalidInput, match="epochs must be a whole number of at least 1, got 0"):
        hpt.train(replace(wine, defaults={"epochs": 0}))


def test_a_sweep_over_a_misspelt_name_says_so(wine):
    with pytest.raises(hpt.InvalidInput, match=r"not one network could be trained.* did you mean 'units'"):
        hpt.sweep(wine, "unit", [4, 8], repeats=1)


def test_epochs_can_be_swept(wine):
    frame = hpt.sweep(wine, "epochs", [1, 2], repeats=1)
    assert frame["epochs"].tolist() == [1, 2]
    assert list(frame.columns).count("epochs") == 1


def test_numpys_whole_numbers_are_whole_numbers(wine):
    frame = hpt.sweep(wine, "units", np.array([4, 8]), repeats=1, epochs=1, layers=np.int64(1))
    assert frame["status"].tolist() == ["complete", "complete"]


def test_networks_of_a_repeat_share_their_split_and_their_seed(wine):
    found = hpt.repeat(wine, {"a": {"units": 8}, "same": {"units": 8}, "wide": {"units": 16}}, repeats=3, epochs=2)
    assert found.frame[["network", "repeat"]].to_numpy().tolist() == [
        [name, number] for name in ("a", "same", "wide") for number in range(3)
    ]
    assert np.allclose(found.column("val_loss", "a"), found.column("val_loss", "same"), rtol=1e-5)
    assert found.column("val_loss", "a").nunique() == 3
    assert len(found.curves) == 3 * 3 * 2
    effect = found.difference("val_loss", "wide", "a")
    assert effect.mean == pytest.approx((found.column("val_loss", "wide") - found.column("val_loss", "a")).mean())
    assert effect.n == 3


def test_a_repeat_is_the_network_that_train_makes_on_that_split(wine):
    found = hpt.repeat(wine, {"a": {"units": 8}}, repeats=2, epochs=2, seed=3)
    split, _ = wine.resplit(2, 3)
    for number in range(2):
        alone = hpt.train(split, {"units": 8}, epochs=2, seed=hpt.seeds.derive(3, "repeat", number), fold=number)
        assert alone.metrics["accuracy"] == found.column("accuracy", "a")[number]
        assert found.column("val_loss", "a")[number] == pytest.approx(alone.curve["val_loss"].iloc[-1], rel=1e-5)


def test_test_rows_are_judged_as_scikit_learn_would(wine):
    from sklearn.metrics import accuracy_score

    found = hpt.repeat(wine, {"a": {"units": 8}}, repeats=2, epochs=2, seed=3, test=True)
    split, locked = wine.resplit(2, 3)
    for number in range(2):
        x, y = locked[number].open()
        alone = hpt.train(split, {"units": 8}, epochs=2, seed=hpt.seeds.derive(3, "repeat", number), fold=number)
        assert found.column("test_accuracy", "a")[number] == accuracy_score(y, alone.predict(x).argmax(1))


def test_no_row_of_a_repeat_is_both_trained_on_and_tested(wine):
    split, locked = wine.resplit(4, 0)
    rows = {tuple(row) for row in wine.dataset.x}
    for fold, part in zip(split.split.folds, locked, strict=True):
        tested = {tuple(row) for row in part.open()[0]}
        kept = {tuple(row) for row in wine.dataset.x[np.concatenate([fold.train, fold.validation])]}
        assert not tested & kept
        assert tested | kept == rows


def test_networks_may_train_for_different_numbers_of_epochs(wine):
    found = hpt.repeat(wine, {"short": {"epochs": 1}, "long": {"epochs": 3}}, repeats=2)
    assert found.frame.groupby("network")["epochs"].unique().map(list).to_dict() == {"short": [1], "long": [3]}


def test_each_repeat_may_have_a_configuration_of_its_own(wine):
    own = [{"units": 8, "epochs": 1}, {"units": 16}]
    found = hpt.repeat(wine, {"own": own, "fixed": {"units": 16}}, repeats=2, seed=3, test=True)
    split, _ = wine.resplit(2, 3)
    assert found.frame["epochs"].tolist() == [1, 2, 2, 2]
    for number, configuration in enumerate(own):
        alone = hpt.train(split, configuration, seed=hpt.seeds.derive(3, "repeat", number), fold=number)
        assert found.column("val_loss", "own")[number] == pytest.approx(alone.curve["val_loss"].iloc[-1], rel=1e-5)
    assert found.column("test_log_loss", "own")[1] == pytest.approx(found.column("test_log_loss", "fixed")[1], rel=1e-5)
    with pytest.raises(hpt.InvalidInput, match="own needs a configuration for each of 3 repeats, got 2"):
        hpt.repeat(wine, {"own": own}, repeats=3)


def test_repeat_says_what_it_needs(wine):
    with pytest.raises(hpt.InvalidInput, match="got 0 and 20"):
        hpt.repeat(wine, {})
    with pytest.raises(hpt.InvalidInput, match="test rows belong to new splits"):
        hpt.repeat(wine, {"a": {}}, splits=False, test=True)
    found = hpt.repeat(wine, {"a": {}}, repeats=2, epochs=1)
    with pytest.raises(hpt.UnknownName, match="network"):
        found.difference("score", "a", "b")
    with pytest.raises(hpt.UnknownName, match="column"):
        found.column("acuracy", "a")


def test_a_sweep_over_new_splits_is_paired_too(wine):
    frame = hpt.sweep(wine, "units", [8, 16], repeats=3, epochs=1, splits=True, seed=3)
    alone = hpt.repeat(wine, {"a": {"units": 16}}, repeats=3, epochs=1, seed=3)
    assert np.allclose(frame[frame["units"] == 16]["val_loss"], alone.column("val_loss", "a"), rtol=1e-5)
