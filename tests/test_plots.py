"""A figure shows what the result holds: its points, its axes, its labels; and nothing sits on anything else."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import hpt
from hpt import plots
from hpt.training import Progress

from doubles import pretend

pytestmark = pytest.mark.usefixtures("book_style")


def _frame(values, scores, statuses=None):
    n = len(values)
    return pd.DataFrame({"learning_rate": values, "score": scores, "status": statuses or ["complete"] * n})


def test_the_style_shows_whole_cells_and_sets_no_titles():
    assert pd.get_option("display.max_colwidth") is None
    assert plots.COLOURS[0] == mpl.rcParams["axes.prop_cycle"].by_key()["color"][0]


def test_learning_curves_draw_both_losses_of_every_network(wine):
    networks = {rate: hpt.train(wine, {"learning_rate": rate}, epochs=3) for rate in (0.1, 0.01)}
    ax = plots.curves({str(rate): network for rate, network in networks.items()})
    labels = [line.get_label() for line in ax.get_lines()]
    assert labels == ["0.1, training", "0.1, validation", "0.01, training", "0.01, validation"]
    assert ax.get_lines()[1].get_ydata().tolist() == networks[0.1].curve["val_loss"].tolist()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("epoch", "loss", "")


def test_a_sweep_draws_a_dot_a_network_and_the_medians_on_a_log_axis():
    frame = _frame([0.001, 0.001, 0.001, 0.1, 0.1, 0.1], [1, 2, 6, 3, 4, 5])
    ax = plots.sweep(frame)
    assert ax.get_xscale() == "log"
    assert ax.collections[0].get_offsets().shape == (6, 2)
    assert ax.get_lines()[0].get_ydata().tolist() == [2, 4]
    assert ax.get_xlabel() == "learning rate"


def test_networks_that_did_not_complete_stand_at_the_lower_edge_each_kind_with_its_mark():
    statuses = ["complete", "complete", "diverged", "failed"]
    ax = plots.sweep(_frame([0.1, 0.1, 10.0, 5.0], [1, 2, np.nan, np.nan], statuses))
    hollow, diverged, failed = ax.get_lines()[-3:]
    assert len(hollow.get_xdata()) == 0
    assert (diverged.get_label(), diverged.get_xdata().tolist()) == ("diverged", [10.0])
    assert (failed.get_label(), failed.get_xdata().tolist()) == ("failed", [5.0])
    assert diverged.get_marker() != failed.get_marker()


def test_a_median_of_survivors_is_hollow():
    ax = plots.sweep(_frame([0.1, 0.1, 1.0, 1.0], [1, 3, 5, np.nan], ["complete"] * 3 + ["diverged"]))
    hollow = ax.get_lines()[1]
    assert (list(hollow.get_xdata()), list(hollow.get_ydata())) == ([1.0], [5.0])
    assert hollow.get_markerfacecolor() == "white"


def test_two_sweeps_of_one_hyperparameter_share_an_axis():
    sweeps = {"adam": _frame([0.1, 1.0], [1, 2]), "sgd": _frame([0.1, 1.0], [3, 4])}
    ax = plots.sweep(sweeps)
    adam, sgd = (line for line in ax.get_lines() if not line.get_label().startswith("_"))
    assert (adam.get_label(), adam.get_ydata().tolist()) == ("adam", [1, 2])
    assert (sgd.get_label(), sgd.get_ydata().tolist()) == ("sgd", [3, 4])
    assert adam.get_color() != sgd.get_color()
    assert ax.get_ylabel() == "score"


def test_a_log_axis_of_whole_numbers_shows_them_as_they_are():
    ax = plots.sweep(_frame([2, 16, 64], [1, 2, 3]))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "16", "64"]


def test_a_sweep_over_names_keeps_their_order_and_joins_nothing():
    frame = _frame(["tanh", "relu", "tanh", "relu"], [1, 2, 3, 4]).rename(columns={"learning_rate": "activation"})
    ax = plots.sweep(frame)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["tanh", "relu"]
    assert ax.get_xscale() == "linear"


def test_two_columns_of_a_sweep_get_two_marks_and_a_legend():
    frame = _frame([1, 2], [1, 2]).assign(train_loss=[3, 4], val_loss=[5, 6])
    ax = plots.sweep(frame, ["train_loss", "val_loss"])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["training loss", "validation loss"]
    first, second = (line for line in ax.get_lines() if not line.get_label().startswith("_"))
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()


def test_progress_draws_the_best_so_far_against_epochs(wine):
    scores = iter([0.2, 0.5, 0.3, 0.9])
    study = pretend(wine, score=lambda m: next(scores), trials=4)
    ax = plots.progress(study)
    [steps] = ax.get_lines()
    assert steps.get_xdata().tolist() == [2, 4, 6, 8]
    assert steps.get_ydata().tolist() == [0.2, 0.5, 0.5, 0.9]
    assert ax.get_ylabel() == "accuracy,\nvalidation rows"


def test_progress_goes_down_where_smaller_is_better():
    scores = iter([5.0, 7.0, 3.0])
    study = pretend(hpt.task("diabetes", epochs=1), score=lambda m: next(scores), trials=3)
    assert plots.progress(study).get_lines()[0].get_ydata().tolist() == [5, 5, 3]


def test_what_was_searched_is_drawn_on_the_scales_of_the_space(wine):
    study = pretend(wine, trials=6)
    ax = plots.searched(study, wine, "learning_rate", "dropout")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert len(ax.collections[0].get_offsets()) == 6
    low, high = ax.get_xlim()
    assert low < 1e-4 < 1e-1 < high


def test_a_failed_trial_is_not_drawn_among_the_searched(wine):
    study = pretend(wine, score=lambda m: 1.0 if m.configuration["dropout"] < 0.35 else Progress("failed", "no"),
                     trials=12)  # fmt: skip
    ax = plots.searched(study, wine, "learning_rate", "dropout")
    assert len(ax.collections[0].get_offsets()) == (study.trials["status"] == "complete").sum() < 12


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda study, task: plots.searched(study, task, "learning_rte", "dropout"), "did you mean 'learning_rate'"),
        (lambda study, task: plots.sweep(_frame([1], [1]), "scor"), "did you mean 'score'"),
    ],
)
def test_what_cannot_be_drawn_is_named(wine, draw, message):
    with pytest.raises(hpt.UnknownName, match=message):
        draw(pretend(wine, trials=2), wine)


def test_a_choice_has_no_axis(wine):
    task = wine.with_space(hpt.search_space("optimizer", "learning_rate"))
    with pytest.raises(hpt.InvalidInput, match="a choice without an order"):
        plots.searched(pretend(task, trials=2), task, "optimizer", "learning_rate")


def test_a_stack_is_drawn_as_sheets_with_all_its_numbers():
    ax = plots.sheets(np.arange(12).reshape(3, 2, 2), names=["first", "second", "third"])
    texts = {text.get_text(): text.get_position() for text in ax.texts}
    assert set(texts) == {*map(str, range(12)), "first", "second", "third"}
    assert texts["0"][1] > texts["2"][1]  # a matrix's first row is its upper one
    assert texts["4"][1] > texts["0"][1]  # the second sheet lies above the first
    assert texts["0"][0] < texts["1"][0]
    low, high = ax.get_ylim()
    assert all(low < y < high for _, y in texts.values())


def test_sheets_of_one_pitch_stand_side_by_side():
    heights = [
        [text.get_position()[1] for text in plots.sheets(np.ones((3, rows, 1)), pitch=2).texts][::rows]
        for rows in (1, 2)
    ]
    assert np.diff(heights).tolist() == [[2, 2], [2, 2]]


def test_several_stacks_fit_on_one_picture():
    ax = plots.sheets(np.zeros((1, 1, 2)))
    plots.sheets(np.ones((2, 1, 2)), ax, at=(5, 3))
    low, high = ax.get_xlim()
    assert low <= 0 < 5 + 0.45 + 2 <= high
    assert [text.get_position()[0] >= 5 for text in ax.texts] == [False] * 2 + [True] * 4


def test_ranges_draw_a_dot_and_a_line_a_row_on_a_log_axis():
    frame = pd.DataFrame({
        "engine": ["a", "b", "a", "b"], "data": ["x", "x", "y", "y"],
        "times": [2.0, 20, 3, 30], "times_min": [1.0, 10, 3, 30], "times_max": [4.0, 40, 3, 30],
    })  # fmt: skip
    ax = plots.ranges(frame, "times", "engine", "data", label="times as long")
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "times as long")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first name on top
    x, y = ax.get_lines()
    assert (x.get_label(), x.get_xdata().tolist()) == ("x", [2, 20])
    assert x.get_marker() != y.get_marker()
    assert x.get_color() != y.get_color()
    assert ax.collections[0].get_segments()[1][:, 0].tolist() == [10, 40]


def test_ranges_leave_out_what_was_not_measured():
    frame = pd.DataFrame({"engine": ["a", "b"], "data": ["x", "x"], "times": [2, np.nan],
                          "times_min": [1, np.nan], "times_max": [4, np.nan]})  # fmt: skip
    ax = plots.ranges(frame, "times", "engine", "data")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_legend() is None


@pytest.mark.parametrize(("high", "labels"), [(6, {"1", "2", "5"}), (600, {"1", "10", "100"})])
def test_a_log_axis_of_ranges_has_plain_numbers(high, labels):
    frame = pd.DataFrame({"engine": ["a"], "data": ["x"], "times": [2.0], "times_min": [1.0], "times_max": [high]})
    ax = plots.ranges(frame, "times", "engine", "data")
    low, top = ax.get_xlim()
    shown = {tick.get_text() for tick in ax.get_xticklabels() if low <= tick.get_position()[0] <= top}
    assert shown == labels
    assert not any(tick.get_text() for tick in ax.get_xticklabels(minor=True))
