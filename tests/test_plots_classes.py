"""The pictures of classifiers show scikit-learn's counts and curves, and the costs that their tables hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

import hpt
from hpt.evidence import interval
from hpt.plots import classes

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture
def binary():
    """Forty rows, and five networks that know a little; the third one is lost."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [15, 25])
    outputs = 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(size=(5, 40)))))[..., None]
    outputs[2] = np.nan
    return y, outputs


def test_confusions_are_the_mean_of_scikit_learns_over_the_networks_that_are_there(binary):
    y, outputs = binary
    kept = np.delete(outputs, 2, axis=0)[..., 0]
    expected = np.mean([confusion_matrix(y, one > 0.5) for one in kept], axis=0)
    assert np.array_equal(classes.confusions(y, outputs), expected)
    assert classes.confusions(y, outputs).sum() == pytest.approx(len(y))


def test_a_class_that_nobody_decided_for_keeps_its_place():
    y = np.array([0, 1, 2, 3])
    outputs = np.eye(4)[[0, 1, 1, 1]][None]
    assert classes.confusions(y, outputs).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]


def test_the_matrix_prints_its_counts_and_leaves_zeros_empty_and_the_diagonal_white():
    y, outputs = np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 2]][None]
    ax = classes.confusion(y, outputs, ["a", "b", "c"])
    texts = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    assert texts == {(0, 0): "1", (1, 1): "1", (2, 1): "1", (2, 2): "1"}
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert np.argwhere(np.isfinite(shown)).tolist() == [[2, 1]]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize("positive", [0, 1])
def test_each_network_has_scikit_learns_curve_and_the_mean_has_their_mean_area(binary, positive):
    y, outputs = binary
    ax = classes.roc(y, {"tuned": outputs}, positive)
    *thin, mean = ax.lines
    kept = np.delete(outputs, 2, axis=0)[..., 0]
    chances = kept if positive else 1 - kept
    for line, one in zip(thin, chances, strict=True):
        x, up, _ = roc_curve(y == positive, one)
        assert np.array_equal(line.get_xdata(), x) and np.array_equal(line.get_ydata(), up)
    area = np.trapezoid(mean.get_ydata(), mean.get_xdata())
    # a step that falls between two of the 2001 places is drawn as a slope
    assert area == pytest.approx(np.mean([roc_auc_score(y == positive, one) for one in chances]), abs=1e-2)


def test_tiny_probabilities_stay_in_order_for_the_other_class():
    y, outputs = np.array([0, 1, 0, 1]), np.float32([[[1e-12], [1e-9], [0.1], [0.9]]])
    ax = classes.roc(y, {"network": outputs}, positive=0)
    assert np.trapezoid(ax.lines[-1].get_ydata(), ax.lines[-1].get_xdata()) == pytest.approx(0.75)


def test_a_single_network_is_its_own_curve(binary):
    y, outputs = binary
    ax = classes.roc(y, {"networks": outputs, "line": outputs[:1]})
    assert np.array_equal(ax.lines[-1].get_ydata(), roc_curve(y, outputs[0, :, 0])[1])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["networks", "line"]


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (np.zeros((2, 39, 1)), "as many rows as y"),
        (np.full((2, 40, 1), np.nan), "every network was lost"),
        (np.zeros((2, 40, 3)), "two classes"),
    ],
)
def test_what_cannot_be_a_roc_curve_is_refused(binary, outputs, says):
    with pytest.raises(hpt.InvalidInput, match=says):
        classes.roc(binary[0], {"tuned": outputs})


def test_every_trial_has_its_curve_and_the_winner_ends_in_a_star(small_study):
    ax = classes.learning(small_study)
    *others, winner, star = ax.lines
    own = small_study.curves[small_study.curves["trial"] == small_study.best_trial]
    assert len(others) == len(small_study.trials) - 1
    assert winner.get_ydata() == pytest.approx(own["val_loss"])
    assert (star.get_marker(), star.get_ydata()[0]) == ("*", pytest.approx(own["val_loss"].iloc[-1]))


def test_a_study_without_a_learning_rate_is_told_so(small_study):
    other = replace(small_study, trials=small_study.trials.drop(columns="learning_rate"))
    with pytest.raises(hpt.UnknownName, match="learning_rate"):
        classes.learning(other)


@pytest.fixture(scope="module")
def small_study():
    task = hpt.task("wine", epochs=3, space=hpt.search_space("learning_rate", "dropout"))
    return hpt.tune(task, "random", trials=4, seed=0, progress=False)


@pytest.fixture
def judged():
    rng = np.random.default_rng(1)
    rows = [
        {"repeat": repeat, "chosen_by": name, "accuracy": rng.random(), "log_loss": rng.random()}
        for repeat in range(8)
        for name in ("accuracy", "log_loss")
    ]
    return pd.DataFrame(rows)


def test_a_cost_is_above_0_where_the_other_metrics_winner_is_worse_whichever_way_is_up(judged):
    own, other = (judged[judged["chosen_by"] == name].set_index("repeat") for name in ("accuracy", "log_loss"))
    assert classes.cost(judged, "accuracy", "log_loss") == pytest.approx(own["accuracy"] - other["accuracy"])
    assert classes.cost(judged, "log_loss", "accuracy") == pytest.approx(own["log_loss"] - other["log_loss"])
    assert classes.cost(judged, "accuracy", "accuracy").tolist() == [0] * 8


def test_each_panel_shows_its_costs_and_their_interval(judged):
    figure = classes.costs(judged, ["accuracy", "log_loss"])
    for ax, name, other in zip(figure.axes, ("accuracy", "log_loss"), ("log_loss", "accuracy"), strict=True):
        paid = classes.cost(judged, name, other)
        assert any(np.array_equal(line.get_ydata(), paid) for line in ax.lines)
        drawn = sorted(float(y) for line in ax.lines[2:] for y in line.get_ydata())
        mean, low, high = interval(paid)
        assert drawn == pytest.approx(sorted([low, mean, high]))
