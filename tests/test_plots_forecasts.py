"""The pictures of a series and its forecasts."""

from types import SimpleNamespace

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.plots import forecasts

pytestmark = pytest.mark.usefixtures("book_style")


def _line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


@pytest.fixture
def series():
    """Six years of a straight line with a season on top."""
    months = pd.date_range("2000-01", periods=72, freq="MS")
    return pd.Series(np.arange(72.0) + 3 * np.sin(np.arange(72) * np.pi / 6), index=months)


@pytest.fixture
def split(series):
    return hpt.by_time(hpt.data.windows(series, 12), folds=3, validation=0.1)


def test_the_parts_of_a_series_follow_one_another(series, split):
    ax = forecasts.parts(series, split, unit="ppm")
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    assert [patch.get_label() for patch in ax.patches] == ["train", "validation", "test, locked"]
    assert spans[0][1] < spans[1][0] < spans[1][1] < spans[2][0]
    assert spans[2][1] == mdates.date2num(series.index[-1])


def test_the_dashes_are_the_means_of_the_calendar_months(series):
    ax = forecasts.seasons(series)
    change = series.diff().dropna()
    means = [change[change.index.month == month].mean() for month in range(1, 13)]
    [dashes] = [one for one in ax.collections if one.get_label() == "mean of the years"]
    assert [segment[0, 1] for segment in dashes.get_segments()] == pytest.approx(means)


def test_training_parts_grow_and_validation_parts_walk_forward(split):
    ax = forecasts.folds(split)
    bars = np.reshape(ax.patches, (3, 3))  # folds × parts
    lengths = np.array([[bar.get_width() for bar in row] for row in bars])
    assert (np.diff(lengths[:, 0]) > 0).all()
    starts = np.array([[bar.get_x() for bar in row] for row in bars])
    assert (np.diff(starts[:, 1]) > 0).all() and np.ptp(starts[:, 0]) == np.ptp(starts[:, 2]) == 0
    assert [label.get_text() for label in ax.get_yticklabels()] == ["fold 0", "fold 1", "fold 2"]


def test_rows_without_times_have_no_such_picture():
    with pytest.raises(hpt.InvalidInput, match="no times"):
        forecasts.folds(hpt.holdout(hpt.load("wine")))


def test_each_choice_has_a_mark_and_a_colour_of_its_own():
    trials = pd.DataFrame({"rate": [0.1, 0.01, 0.001], "steps": [6, 12, 6], "score": [3.0, 2.0, 1.0],
                           "status": ["complete", "complete", "diverged"]})  # fmt: skip
    ax = forecasts.settings(SimpleNamespace(trials=trials, objective="rmse"), "rate", "steps")
    six, twelve = _line(ax, "steps 6"), _line(ax, "steps 12")
    assert six.get_xydata().tolist() == [[0.1, 3.0]] and twelve.get_xydata().tolist() == [[0.01, 2.0]]
    assert six.get_color() != twelve.get_color() and six.get_marker() != twelve.get_marker()


def test_several_networks_are_a_mean_and_a_band(series):
    many = np.random.default_rng(0).normal(size=(30, 72))
    ax = forecasts.forecasts(series.index, series.to_numpy(), {"network": many, "zero": np.zeros(72)}, unit="ppm")
    assert _line(ax, "network").get_ydata() == pytest.approx(many.mean(axis=0))
    assert len(ax.collections) == 1  # the single forecast has no band
    assert _line(ax, "what happened").get_ydata() == pytest.approx(series.to_numpy())


def test_forecasts_of_other_rows_are_refused(series):
    with pytest.raises(hpt.InvalidInput, match="'zero' forecasts 3 rows, and 72 happened"):
        forecasts.forecasts(series.index, series.to_numpy(), {"zero": np.zeros(3)})


@pytest.mark.parametrize(("months", "apart"), [(36, 1), (96, 1), (300, 3)])
def test_years_stand_below_forecasts_and_few_of_them_below_long_ones(months, apart):
    times = pd.date_range("2000-01", periods=months, freq="MS")
    ax = forecasts.forecasts(times, np.zeros(months), {"zero": np.zeros(months)})
    ax.figure.canvas.draw()
    shown = [int(label.get_text()) for label in ax.get_xticklabels()]
    assert {*np.diff(shown)} == {apart} and len(shown) <= 11


def test_the_mean_of_the_percentages_is_what_scikit_learn_calls_mape():
    from sklearn.metrics import mean_absolute_percentage_error

    y, outputs = np.array([1.0, -2.0, 0.5]), np.array([[1.5, -1.0, 0.0], [0.5, -1.5, 1.0]])
    ax = forecasts.percentages(y, outputs, unit=" (ppm)")
    drawn = _line(ax, "a month").get_ydata()
    assert drawn.mean() / 100 == pytest.approx(np.mean([mean_absolute_percentage_error(y, one) for one in outputs]))


def test_an_error_by_horizon_is_a_root_mean_square_over_the_starts():
    one = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, -3.0]])
    ax = forecasts.horizons({"networks": np.stack([one, 3 * one]), "last value": one}, unit=" (ppm)")
    assert _line(ax, "last value").get_ydata().tolist() == [1, 2, 3]
    assert _line(ax, "networks").get_ydata().tolist() == [2, 4, 6]
    assert list(ax.get_xticks()) == [1, 3] and ax.get_ylabel() == "RMSE of the level (ppm)"
    plt.close(ax.figure)
