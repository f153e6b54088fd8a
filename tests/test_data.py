"""Data that were checked once, rows that may be seen, and scaling that learns from nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import hpt
from hpt.data import (
    DATASETS,
    Dataset,
    Split,
    TestAlreadyOpened,
    by_time,
    holdout,
    kfold,
    leaks,
    load,
    load_series,
    prepare,
    windows,
)

SHAPES = {
    "breast_cancer": (569, (30,), "binary", 2),
    "wine": (178, (13,), "multiclass", 3),
    "digits": (1797, (64,), "multiclass", 10),
    "diabetes": (442, (10,), "regression", 0),
    "co2": (491, (24,), "regression", 0),
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_loads_with_its_published_size(name):
    rows, inputs, problem, classes = SHAPES[name]
    data = load(name)
    assert (len(data), data.inputs, data.problem, len(data.class_names)) == (rows, inputs, problem, classes)
    assert data.source
    assert np.isfinite(data.x).all() and np.isfinite(data.y).all()


def test_the_shipped_series_is_the_mauna_loa_record():
    series = load_series()
    assert (len(series), str(series.index[0].date()), str(series.index[-1].date())) == (516, "1959-01-01", "2001-12-01")
    assert series.notna().all()
    # NOAA's published annual means at Mauna Loa: 315.98 (1959) and 371.32 (2001) ppm
    yearly = series.groupby(series.index.year).mean()
    assert yearly[1959] == pytest.approx(315.98, abs=0.6)
    assert yearly[2001] == pytest.approx(371.32, abs=0.6)


def test_windows_hold_the_changes_before_and_the_change_after():
    import pandas as pd

    series = pd.Series([1.0, 2, 4, 7, 11, 16], index=pd.date_range("2000-01-01", periods=6, freq="MS"))
    data = windows(series, length=2)
    assert data.x.tolist() == [[1, 2], [2, 3], [3, 4]]
    assert data.y.tolist() == [3, 4, 5]
    assert [str(t)[:7] for t in data.times] == ["2000-04", "2000-05", "2000-06"]
    assert data.changes and not load("diabetes").changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.full((4, 2), np.nan)}, r"must be finite, got 8 NaN or infinite values, the first at \(0, 0\)"),
        ({"y": [0, 1, np.inf, 1]}, "targets of 'toy' must be finite, got 1"),
        ({"y": [0, 1, 1]}, "4 rows of inputs but 3 targets"),
        ({"y": [0, 0, 0, 0]}, "one class only"),
        ({"y": [0, 1, 2, 1]}, "has 3: use 'multiclass'"),
        ({"y": [1, 2, 2, 1]}, "0 to n-1 with none missing"),
        ({"y": None}, "came without y"),
        ({"x": [1.0, 2, 3, 4]}, "a column for each feature, got shape"),
        ({"x": np.array([["a"], ["b"], ["c"], ["d"]])}, "must be numbers"),
        ({"x": np.zeros((0, 2))}, "are empty"),
        ({"problem": "regression", "y": [2, 2, 2, 2]}, "all targets of 'toy' are 2"),
        ({"times": np.arange(4)[::-1]}, "must not go back: sort the rows by time"),
        ({"times": np.arange(3)}, "4 rows of inputs but 3 times"),
    ],
)
def test_bad_arrays_get_one_line(change, message):
    good = {"name": "toy", "x": np.arange(8.0).reshape(4, 2), "y": [0, 1, 0, 1], "problem": "binary"}
    Dataset(**good)
    with pytest.raises(hpt.InvalidInput, match=message) as caught:
        Dataset(**{**good, **change})
    assert "\n" not in str(caught.value)


def test_an_unknown_dataset_names_the_near_one():
    with pytest.raises(hpt.UnknownName, match="did you mean 'breast_cancer'"):
        load("breast_cancr")


def _parts(split):
    return [*(row for fold in split.folds for row in fold.validation)], set(split.test._rows)


def test_a_holdout_split_gives_every_row_one_place_and_keeps_the_classes():
    split = holdout(load("breast_cancer"), seed=3)
    fold = split.folds[0]
    places = [*fold.train, *fold.validation, *split.test._rows]
    assert sorted(places) == list(range(569))
    shares = [split.dataset.y[rows].mean() for rows in (fold.train, fold.validation, split.test._rows)]
    assert np.ptp(shares) < 0.01


def test_k_folds_validate_every_row_outside_the_test_part_once():
    split = kfold(load("wine"), 4, seed=1)
    validated, test = _parts(split)
    assert sorted(validated) == sorted(set(range(178)) - test)
    for fold in split.folds:
        assert not set(fold.train) & set(fold.validation)
        assert not test & (set(fold.train) | set(fold.validation))


def test_the_seed_decides_the_split():
    a, b, c = (holdout(load("wine"), seed=s).folds[0].train for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("folds", [1, 3])
def test_a_split_by_time_never_trains_on_the_future(folds):
    data = load("co2")
    split = by_time(data, folds=folds, validation=0.1)
    assert len(split.folds) == folds
    for fold in split.folds:
        assert data.times[fold.train].max() < data.times[fold.validation].min()
        assert data.times[fold.validation].max() < data.times[split.test._rows].min()


def test_data_in_time_refuse_a_shuffled_split():
    with pytest.raises(hpt.InvalidInput, match="use by_time"):
        holdout(load("co2"))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda d: holdout(d, validation=0.6, test=0.5), "shares of the rows"),
        (lambda d: holdout(d, test=0), "shares of the rows"),
        (lambda d: kfold(d, 1), "takes 2 to .* folds"),
        (lambda d: kfold(d, 1000), "members of its smallest class"),
        (lambda d: kfold(d, 3, test=1.5), "between 0 and 1"),
        (lambda d: by_time(d, folds=9), "still train on some"),
    ],
)
def test_splits_that_cannot_be_get_one_line(split, message):
    with pytest.raises(hpt.InvalidInput, match=message):
        split(load("wine"))


def test_a_class_with_one_member_cannot_be_split():
    data = Dataset("lone", np.arange(20.0).reshape(10, 2), [0] * 9 + [1], "binary")
    with pytest.raises(hpt.InvalidInput, match="too small for this split"):
        holdout(data)


def test_the_test_part_opens_once_and_says_when_it_was_opened():
    split = holdout(load("wine"))
    assert "locked" in repr(split.test)
    x, y = split.test.open()
    assert len(x) == len(y) == len(split.test) == 36
    with pytest.raises(TestAlreadyOpened, match=f"opened on {split.test.opened:%Y-%m-%d at %H:%M:%S}") as caught:
        split.test.open()
    assert str(caught.value).endswith("or make a new split and search again")


def test_a_fingerprint_tells_data_and_locked_rows_apart_and_opens_nothing():
    wine = load("wine")
    split = holdout(wine)
    assert split.fingerprint == holdout(load("wine")).fingerprint
    assert split.fingerprint == kfold(wine, 3).fingerprint  # other folds of the rows that are not locked
    assert split.test.opened is None
    x, y = wine.x.copy(), wine.y.copy()
    x[5, 2] += 1
    y[[0, -1]] = y[[-1, 0]]
    others = [
        holdout(wine, seed=1),
        holdout(wine, test=0.3),
        Split(replace(wine, x=x), split.folds, split.test),
        Split(replace(wine, y=y), split.folds, split.test),
    ]
    assert len({one.fingerprint for one in (split, *others)}) == 5


@pytest.mark.parametrize("name", DATASETS)
def test_scaling_is_sklearns_fitted_on_the_training_rows_of_the_fold(name):
    data = load(name)
    split = by_time(data, folds=2, validation=0.1) if data.times is not None else kfold(data, 3)
    for fold in split.folds:
        arrays = prepare(data, fold)
        expected = StandardScaler().fit(data.x[fold.train])
        assert np.allclose(arrays.x_train, expected.transform(data.x[fold.train]), atol=1e-5)
        assert np.allclose(arrays.x_validation, expected.transform(data.x[fold.validation]), atol=1e-5)
        # float32 means of columns up to 4,000: the round trip is good to 7 digits
        assert np.allclose(arrays.restore(arrays.y_validation), data.y[fold.validation], rtol=1e-5, atol=1e-5)


def _scaled_on_everything(dataset, fold):
    """The leak that most published code has: the scaler sees the rows it is later judged on."""
    everything = np.arange(len(dataset))
    whole = prepare(dataset, type(fold)(everything, fold.validation))
    x, y = whole.x_train[fold.train], whole.y_train[fold.train]
    return type(whole)(x, y, whole.x_validation, whole.y_validation, whole.transform, whole.restore)


@pytest.mark.parametrize("name", DATASETS)
def test_a_planted_leak_is_caught_and_the_packages_own_scaling_is_clean(name):
    data = load(name)
    split = by_time(data) if data.times is not None else kfold(data, 3)
    for fold in split.folds:
        assert leaks(_scaled_on_everything, data, fold)
        assert not leaks(prepare, data, fold)


def test_a_leak_in_the_target_alone_is_caught():
    def target_scaled_on_everything(dataset, fold):
        arrays = prepare(dataset, fold)
        y = (dataset.y[fold.train] - dataset.y.mean()) / dataset.y.std()
        return type(arrays)(
            arrays.x_train, y, arrays.x_validation, arrays.y_validation, arrays.transform, arrays.restore
        )

    split = holdout(load("diabetes"))
    assert leaks(target_scaled_on_everything, split.dataset, split.folds[0])


def test_every_ready_task_scales_without_a_leak():
    for name in hpt.tasks.TASKS:
        task = hpt.task(name)

        def own(dataset, fold, task=task):
            return prepare(dataset, fold, task.scaler, scale_target=task.scale_target)

        assert not leaks(own, task.dataset, task.split.folds[0]), name


def test_the_cutter_is_sklearns():
    split = kfold(load("wine"), 3, seed=5)
    rest = np.setdiff1d(np.arange(178), split.test._rows)
    expected = StratifiedKFold(3, shuffle=True, random_state=hpt.seeds.derive(5, "folds"))
    for fold, (_, held) in zip(split.folds, expected.split(rest, split.dataset.y[rest]), strict=True):
        assert np.array_equal(fold.validation, rest[held])
