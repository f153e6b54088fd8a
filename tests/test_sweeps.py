"""One network and one knob."""

import logging

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


def test_a_sweep_over_a_misspelt_name_says_so(wine):
    with pytest.raises(hpt.InvalidInput, match=r"no network of the sweep over unit .* did you mean 'units'"):
        hpt.sweep(wine, "unit", [4, 8], repeats=1)


def test_epochs_can_be_swept(wine):
    frame = hpt.sweep(wine, "epochs", [1, 2], repeats=1)
    assert frame["epochs"].tolist() == [1, 2]
    assert list(frame.columns).count("epochs") == 1


def test_numpys_whole_numbers_are_whole_numbers(wine):
    frame = hpt.sweep(wine, "units", np.array([4, 8]), repeats=1, epochs=1, layers=np.int64(1))
    assert frame["status"].tolist() == ["complete", "complete"]
