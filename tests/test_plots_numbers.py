"""The pictures of a regression."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.plots.numbers import bend, learning, residuals

pytestmark = pytest.mark.usefixtures("book_style")


def _line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def test_the_line_is_that_of_least_squares_and_the_means_are_those_of_tenths():
    from scipy.stats import linregress

    x = np.random.default_rng(0).random(200)
    y = (x - 0.5) ** 2 + x
    ax = bend(x, y, labels=("size (m)", "price (€)"))
    fit = linregress(x, y)
    line = _line(ax, "straight line")
    assert line.get_ydata() == pytest.approx(fit.intercept + fit.slope * line.get_xdata())
    tenths = pd.DataFrame({"x": x, "y": y}).groupby(pd.qcut(x, 10), observed=True).mean()
    assert _line(ax, "mean of a tenth").get_xydata() == pytest.approx(tenths.to_numpy())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size (m)", "price (€)")


@pytest.fixture
def study():
    """Three trials on two folds for four epochs, of which the second is the best."""
    rows = [
        {"trial": trial, "fold": fold, "epoch": epoch, "score": 10 - trial % 2 - epoch + fold}
        for trial in range(3)
        for fold in range(2)
        for epoch in range(1, 5)
    ]
    return SimpleNamespace(curves=pd.DataFrame(rows), best_trial=1, objective="rmse")


def test_a_curve_is_the_mean_over_the_folds_and_the_best_one_stands_out(study):
    ax = learning(study)
    assert _line(ax, "the best trial").get_ydata().tolist() == [8.5, 7.5, 6.5, 5.5]
    others = [line.get_ydata().tolist() for line in ax.lines if len(line.get_xdata()) == 4 and line.get_lw() < 1]
    assert others == [[9.5, 8.5, 7.5, 6.5]] * 2


def test_marks_are_level_lines_of_their_own_colour_and_style(study):
    ax = learning(study, {"ridge": 5.0, "floor": 1.0}, top=9)
    ridge, floor = _line(ax, "ridge"), _line(ax, "floor")
    assert (list(ridge.get_ydata()), list(floor.get_ydata())) == ([5, 5], [1, 1])
    assert ridge.get_color() != floor.get_color() and ridge.get_linestyle() != floor.get_linestyle()
    assert ax.get_ylim()[1] == 9


def test_a_residual_is_the_target_minus_the_mean_prediction():
    y, outputs = np.array([1.0, 2.0, 4.0]), np.array([[[1.0], [3.0], [3.0]], [[2.0], [3.0], [4.0]]])
    left, right = residuals(y, outputs, "points", noise=0.5)
    assert left.containers[0].lines[0].get_xydata().tolist() == [[1.5, 1], [3, 2], [3.5, 4]]
    assert right.containers[0].lines[0].get_xydata().tolist() == [[1.5, -0.5], [3, -1], [3.5, 0.5]]
    reach = [abs(np.ptp(one[:, 0])) / 2 for one in left.containers[0].lines[2][0].get_segments()]
    assert reach == pytest.approx(outputs[..., 0].std(axis=0))
    assert [line.get_ydata()[0] for line in right.lines if line.get_linestyle() == ":"] == [-1, 1]
    plt.close(left.figure)


def test_predictions_of_other_rows_are_refused():
    with pytest.raises(hpt.InvalidInput, match=r"shape \(networks, 3, 1\) for 3 targets, got \(2, 4, 1\)"):
        residuals(np.zeros(3), np.zeros((2, 4, 1)), "points")
