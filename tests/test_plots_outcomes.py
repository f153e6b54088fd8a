"""The pictures of a report's pairs, and of pictures."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.evidence import interval
from hpt.plots.outcomes import pairs, pictures

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture
def report():
    """What `pairs` reads of a report: six pairs, the third default lost."""
    rng = np.random.default_rng(0)
    rows = [
        {"network": network, "repeat": repeat, "rows": where, "accuracy": rng.random(), "log_loss": rng.random()}
        for network in ("default", "tuned")
        for repeat in range(6)
        for where in ("validation", "test")
    ]
    scores = pd.DataFrame(rows)
    scores.loc[(scores["network"] == "default") & (scores["repeat"] == 2), ["accuracy", "log_loss"]] = np.nan
    return SimpleNamespace(objective="accuracy", metrics=["accuracy", "log_loss"], scores=scores.assign(seed=1))


def _points(ax, x):
    return sorted(y for line in ax.lines for px, y in zip(line.get_xdata(), line.get_ydata(), strict=True) if px == x)


@pytest.mark.parametrize("metric", [None, "log_loss"])
def test_every_whole_pair_is_drawn_in_both_panels(report, metric):
    for ax, where in zip(pairs(report, metric), ("validation", "test"), strict=True):
        own = report.scores[(report.scores["rows"] == where) & (report.scores["repeat"] != 2)]
        for place, name in enumerate(("default", "tuned")):
            values = own[own["network"] == name][metric or "accuracy"]
            assert _points(ax, place) == sorted([*values, *values])  # a dot, and the end of a line
            low, mean, high = _points(ax, place + (0.18 if place else -0.18))  # the middle, and the caps of its bar
            assert (mean, low, high) == pytest.approx(interval(values))


def test_a_metric_that_is_not_there_is_named(report):
    with pytest.raises(hpt.UnknownName, match="did you mean 'accuracy'"):
        pairs(report, "acuracy")
    with pytest.raises(hpt.UnknownName, match=r"unknown metric 'seed'\. Known metrics: accuracy, log_loss"):
        pairs(report, "seed")


@pytest.mark.parametrize("left", [0, 1])
def test_pairs_that_were_lost_are_no_picture(report, left):
    lost = (report.scores["network"] == "tuned") & (report.scores["repeat"] >= left)
    report.scores.loc[lost, ["accuracy", "log_loss"]] = np.nan
    with pytest.raises(hpt.InvalidInput, match=f"two pairs in which both .* accuracy on validation rows has {left}"):
        pairs(report)
    assert not plt.get_fignums()


def test_pictures_stand_side_by_side_on_one_scale():
    figure = pictures(np.arange(7 * 4, dtype=float).reshape(7, 2, 2), [f"n{i}" for i in range(7)], columns=3)
    shown = [ax for ax in figure.axes if ax.images]
    assert len(figure.axes) == 9
    assert [ax.get_title() for ax in shown] == [f"n{i}" for i in range(7)]
    assert {ax.images[0].get_clim() for ax in shown} == {(0.0, 27.0)}


def test_around_zero_white_is_zero():
    figure = pictures(np.array([[[-1.0, 3.0]]]), around_zero=True)
    assert figure.axes[0].images[0].get_clim() == (-3.0, 3.0)


@pytest.mark.parametrize("images", [np.zeros((3, 3)), np.zeros((0, 3, 3)), np.zeros((2, 3, 3, 1))])
def test_what_is_no_stack_of_pictures_is_refused(images):
    with pytest.raises(hpt.InvalidInput, match=r"shape \(pictures, height, width\), got"):
        pictures(images)
    assert not plt.get_fignums()
