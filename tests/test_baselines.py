"""Baselines, held against scikit-learn's own scores and against arithmetic on the series."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, mean_squared_error, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import hpt
from hpt import baselines
from hpt.data import Dataset, Fold, LockedTest, Split, by_time, load_series


def _parts(task, fold=0):
    """Training inputs and targets, validation inputs and targets, as they are in the data."""
    own, data = task.split.folds[fold], task.dataset
    return data.x[own.train], data.y[own.train], data.x[own.validation], data.y[own.validation]


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_classes_score_as_in_a_pipeline_of_scikit_learn(name):
    task = hpt.task(name, folds=3)
    found = hpt.baseline(task, fold=1)
    x, y, new, truth = _parts(task, 1)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(x, y)
    shares = line.predict_proba(new)
    area = (
        roc_auc_score(truth, shares[:, 1])
        if name == "breast_cancer"
        else roc_auc_score(truth, shares, multi_class="ovr")
    )
    expected = {"accuracy": line.score(new, truth), "log_loss": log_loss(truth, shares), "roc_auc": area}
    for metric, value in expected.items():
        assert found.loc["logistic regression", metric] == pytest.approx(
            value, rel=1e-4
        )  # float32 inputs, an iteration
    most = DummyClassifier().fit(x, y)
    assert found.loc["majority class", "accuracy"] == pytest.approx(accuracy_score(truth, most.predict(new)))
    assert found.loc["majority class", "roc_auc"] == 0.5


def test_numbers_score_as_in_a_pipeline_of_scikit_learn():
    task = hpt.task("diabetes")
    found = hpt.baseline(task)
    x, y, new, truth = _parts(task)
    line = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(x, (y - y.mean()) / y.std())
    predicted = line.predict(new) * y.std() + y.mean()
    assert found.loc["ridge", "mae"] == pytest.approx(mean_absolute_error(truth, predicted), rel=1e-5)  # float32 inputs
    assert found.loc["mean", "rmse"] == pytest.approx(np.sqrt(np.mean((truth - y.mean()) ** 2)), rel=1e-6)


@pytest.mark.parametrize("size", [2, 32])
def test_principal_components_are_as_many_as_the_bottleneck(size):
    task = hpt.task("digits_autoencoder")
    x, _, new, _ = _parts(task)
    scale = MinMaxScaler().fit(x)
    pca = PCA(size).fit(scale.transform(x))
    expected = mean_squared_error(scale.transform(new), pca.inverse_transform(pca.transform(scale.transform(new))))
    found = hpt.baseline(task, configuration={"latent_size": size})
    assert found.loc["principal components", "mse"] == pytest.approx(expected, rel=1e-4)  # float32, a random solver


@pytest.mark.parametrize("name", ["co2", "co2_lstm"])
def test_a_series_is_held_against_its_last_value_and_its_last_season(name):
    task = hpt.task(name)
    found = hpt.baseline(task)
    rows = task.split.folds[0].validation
    changes = load_series().diff()
    truth = changes.loc[task.dataset.times[rows]].to_numpy()
    season = changes.shift(12).loc[task.dataset.times[rows]].to_numpy()
    assert list(found.index) == ["last value", "last season", "mean", "ridge"]
    assert found.loc["last value", "mae"] == pytest.approx(np.abs(truth).mean(), rel=1e-5)  # the data are float32
    assert found.loc["last season", "mae"] == pytest.approx(np.abs(truth - season).mean(), rel=1e-5)


def test_rows_in_time_that_are_no_windows_are_no_series():
    rng = np.random.default_rng(0)
    data = Dataset("d", rng.normal(size=(40, 12)), rng.normal(size=40), times=np.arange(40))
    assert baselines.kind(data) == "regression"
    assert baselines.kind(hpt.load("co2")) == "series"


def _levels(length=24, ahead=0):
    """Windows of a series itself, and the value that follows, or one of a later step."""
    series = load_series()
    x = np.lib.stride_tricks.sliding_window_view(series.to_numpy(), length)[: -1 - ahead]
    return Dataset("levels", x, series.to_numpy()[length + ahead :], times=np.asarray(series.index)[length + ahead :])


def _task(data, metrics, build=hpt.networks.mlp):
    return hpt.Task(data.name, by_time(data), build, hpt.search_space("learning_rate"), metrics)


def test_the_last_value_of_levels_is_the_last_level():
    task = _task(_levels(), ("mae",))
    found = hpt.baseline(task)
    levels, when = load_series(), task.dataset.times[task.split.folds[0].validation]
    for name, steps in (("last value", 1), ("last season", 12)):
        known = (levels - levels.shift(steps)).loc[when].abs().mean()
        assert found.loc[name, "mae"] == pytest.approx(known, rel=1e-4)  # float32 keeps 340 ppm to 3e-5


def test_rows_that_do_not_lead_to_their_targets_are_no_series():
    assert baselines.kind(_levels()) == "levels"
    assert baselines.kind(_levels(ahead=2)) == "regression"
    changes = hpt.load("co2")
    assert baselines.kind(replace(changes, y=changes.y[::-1])) == "regression"


def test_windows_of_another_problem_get_the_baselines_of_that_problem():
    windows = hpt.load("co2")
    itself = replace(windows, y=None, problem="autoencoder")
    rises = replace(windows, y=(windows.y > 0).astype(int), problem="binary")
    assert list(hpt.baseline(_task(itself, ("mse",), hpt.networks.autoencoder)).index) == ["principal components"]
    days = np.random.default_rng(0).integers(0, 2, 124)  # the next day is a class, and the newest step of the next row
    rows = np.lib.stride_tricks.sliding_window_view(days, 24)[:-1]
    rain = Dataset("rain", rows, days[24:], "binary", times=np.arange(100))
    for data in (rises, rain):
        assert list(hpt.baseline(_task(data, ("accuracy",))).index) == ["majority class", "logistic regression"]


def test_a_class_that_no_training_row_has_gets_no_share():
    data = Dataset("d", np.arange(12.0).reshape(-1, 1), [0, 2] * 5 + [1, 1], "multiclass")
    split = Split(data, (Fold(np.arange(8), np.arange(8, 12)),), LockedTest(data, np.array([], dtype=int)))
    task = hpt.Task("d", split, hpt.networks.mlp, hpt.search_space("units"), ("accuracy",))
    for answers in baselines.fitted(task).values():
        shares = answers(data.x)
        assert shares.shape == (12, 3)
        assert (shares[:, 1] == 0).all()
        assert np.allclose(shares.sum(axis=1), 1)


def test_nothing_is_learned_from_validation_rows():
    task = hpt.task("diabetes")
    own, x = task.split.folds[0], task.dataset.x.copy()
    x[own.validation] *= 100
    wild = Dataset("diabetes", x, task.dataset.y)
    other = hpt.Task("diabetes", Split(wild, (own,), task.split.test), task.build, task.space, task.metrics)
    for name, answers in baselines.fitted(task).items():
        assert np.array_equal(answers(task.dataset.x), baselines.fitted(other)[name](task.dataset.x))


def test_sequences_and_images_are_laid_flat():
    assert np.isfinite(hpt.baseline(hpt.task("digits_cnn")).to_numpy()).all()
    rng = np.random.default_rng(0)
    data = Dataset("d", rng.normal(size=(50, 4, 2)), rng.normal(size=50))
    task = hpt.Task("d", hpt.holdout(data), hpt.networks.lstm, hpt.search_space("units"), ("rmse",))
    assert list(hpt.baseline(task).index) == ["mean", "ridge"]


def test_a_fold_that_is_not_there_is_refused():
    with pytest.raises(hpt.InvalidInput, match="fold must be 0 to 0, got 2"):
        hpt.baseline(hpt.task("wine"), fold=2)
