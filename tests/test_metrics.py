"""Metrics judge as scikit-learn does, whatever form a network's outputs have."""

import numpy as np
import pytest
from sklearn import metrics as sk

import hpt
from hpt.metrics import METRICS, labels, metric

RNG = np.random.default_rng(0)
Y2, P2 = RNG.integers(0, 2, 60), RNG.random((60, 1))
Y3, P3 = RNG.integers(0, 3, 60), RNG.dirichlet([1, 1, 1], 60)
YR, PR = RNG.normal(size=60), RNG.normal(size=(60, 1))

EXPECTED = {
    ("accuracy", "binary"): sk.accuracy_score(Y2, P2[:, 0] > 0.5),
    ("f1", "binary"): sk.f1_score(Y2, P2[:, 0] > 0.5),
    ("roc_auc", "binary"): sk.roc_auc_score(Y2, P2[:, 0]),
    ("log_loss", "binary"): sk.log_loss(Y2, P2[:, 0]),
    ("accuracy", "multiclass"): sk.accuracy_score(Y3, P3.argmax(1)),
    ("f1", "multiclass"): sk.f1_score(Y3, P3.argmax(1), average="macro"),
    ("roc_auc", "multiclass"): sk.roc_auc_score(Y3, P3, multi_class="ovr"),
    ("log_loss", "multiclass"): sk.log_loss(Y3, P3),
    ("mae", "regression"): sk.mean_absolute_error(YR, PR[:, 0]),
    ("mse", "regression"): sk.mean_squared_error(YR, PR[:, 0]),
    ("rmse", "regression"): sk.root_mean_squared_error(YR, PR[:, 0]),
    ("r2", "regression"): sk.r2_score(YR, PR[:, 0]),
}
DATA = {"binary": (Y2, P2), "multiclass": (Y3, P3), "regression": (YR, PR)}


@pytest.mark.parametrize(("name", "problem"), EXPECTED)
def test_a_metric_is_sklearns(name, problem):
    assert metric(name).score(*DATA[problem]) == pytest.approx(EXPECTED[name, problem], rel=1e-6)


def test_every_metric_was_compared():
    assert {name for name, _ in EXPECTED} == set(METRICS)


def test_up_is_up():
    better, worse = np.array([[0.9], [0.1]]), np.array([[0.1], [0.9]])
    for name in ("accuracy", "f1", "roc_auc", "log_loss", "mae", "mse", "rmse", "r2"):
        good, bad = (metric(name).score(np.array([1, 0]), outputs) for outputs in (better, worse))
        assert (good > bad) == metric(name).greater_is_better


def test_labels_come_from_one_output_or_from_many():
    assert labels(np.array([[0.2], [0.7]])).tolist() == [0, 1]
    assert labels(np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]])).tolist() == [1, 0]


def test_a_certain_mistake_costs_a_finite_log_loss():
    assert np.isfinite(metric("log_loss").score(np.array([0, 1]), np.array([[1.0], [0.0]])))


def test_an_unknown_metric_names_the_near_one():
    with pytest.raises(hpt.UnknownName, match="did you mean 'accuracy'"):
        metric("acuracy")
