"""The pictures of brackets show what the plan, the study and the model hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import hpt
from hpt.plots import brackets
from hpt.samplers import Observation
from hpt.samplers.bohb import Density, levels, points
from hpt.schedules import hyperband

pytestmark = pytest.mark.usefixtures("book_style")


SPACE = hpt.Space({"learning_rate": hpt.Float(1e-4, 1e-1, log=True), "activation": hpt.Choice("relu", "tanh")})


@pytest.fixture(scope="module")
def task():
    return replace(hpt.task("wine", epochs=3, metrics=("log_loss",)), space=SPACE)


@pytest.fixture(scope="module")
def study(task):
    return hpt.tune(task, "hyperband", seed=0, progress=False)


@pytest.fixture(scope="module")
def comparison(task):
    budgets = {"random": 12, "hyperband": 9}
    return hpt.compare(task, list(budgets), epochs=budgets, repeats=3, progress=False)


def test_the_area_of_a_plan_is_its_cost_and_the_hatched_area_what_resuming_saves():
    plan = hyperband(27)
    bars = [bar for ax in brackets.areas(plan).axes for bar in ax.patches]
    area = {
        hatched: sum(b.get_width() * b.get_height() for b in bars if bool(b.get_hatch()) == hatched)
        for hatched in (0, 1)
    }
    assert area == {0: plan.epochs, 1: plan.epochs_from_scratch - plan.epochs}


def test_a_bracket_is_numbered_as_in_the_plans_table():
    labels = [ax.texts[-1].get_text() for ax in brackets.areas(hyperband(9)).axes]
    assert labels == ["bracket 2", "bracket 1", "bracket 0"]


def test_every_network_of_a_bracket_is_a_line_that_ends_where_it_was_cut(study):
    ax = brackets.cuts(study)
    ends = [line.get_xdata()[-1] for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert sorted(ends) == [1, 1, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["2 cut after epoch 1", "1 trained to the end"]
    assert ax.get_title() == ""


def test_a_bracket_that_was_not_run_is_refused(study):
    with pytest.raises(hpt.InvalidInput, match="brackets 0 to 1, got 7"):
        brackets.cuts(study, 7)


def test_a_network_that_ends_among_the_best_but_lies_beyond_the_line_is_marked_as_cut():
    places = pd.DataFrame({1: [1, 2, 3, 4], 27: [4, 1, 3, 2]})
    [ax] = brackets.early(places, {1: 2}).axes
    others, kept, cut, _ = ax.get_lines()
    assert [line.get_xdata().tolist() for line in (others, kept, cut)] == [[1, 3], [2], [4]]


def test_the_best_so_far_never_gets_worse_and_ends_with_the_budget(comparison):
    ax = brackets.anytime(comparison)
    for line, (name, budget) in zip(ax.get_lines(), comparison.epochs.items(), strict=True):
        assert (np.diff(line.get_ydata()) <= 0).all()
        assert line.get_xdata()[-1] == budget
        last = comparison.final().set_index("strategy").loc[name, "score"].median()
        assert line.get_ydata()[-1] == pytest.approx(last)


def test_a_factor_is_the_geometric_mean_of_paired_ratios(comparison):
    ax = brackets.against(comparison, "random")
    line = ax.get_lines()[0]
    wide = comparison.anytime([9]).pivot_table(index="repeat", columns="strategy", values="score")
    assert line.get_xdata()[-1] == 9
    assert line.get_ydata()[-1] == pytest.approx(np.exp(np.log(wide["hyperband"] / wide["random"]).mean()))


@pytest.mark.parametrize("draw", [lambda c: brackets.anytime(c, ["bohb"]), lambda c: brackets.against(c, "bohb")])
def test_a_strategy_that_was_not_compared_is_refused(comparison, draw):
    with pytest.raises(hpt.UnknownName, match="bohb"):
        draw(comparison)


def _model():
    seen = [Observation(i, {"learning_rate": 10.0**-e, "activation": "relu"}, {}) for i, e in enumerate((1.5, 2, 2.5))]
    return Density(points(SPACE, seen), levels(SPACE))


def test_a_density_is_drawn_over_the_whole_scale_with_its_points():
    ax = brackets.densities(SPACE, "learning_rate", _model(), _model())
    curve, marks = ax.get_lines()[:2]
    assert curve.get_xdata()[[0, -1]] == pytest.approx([1e-4, 1e-1])
    centres, h = _model().points[:, 0], _model().bandwidths[0]
    inside = (norm.cdf((1 - centres) / h) - norm.cdf(-centres / h)).mean()
    assert np.trapezoid(curve.get_ydata(), dx=1 / 300) == pytest.approx(inside, abs=1e-3)  # h is 40 steps wide
    assert marks.get_xdata() == pytest.approx([10**-1.5, 1e-2, 10**-2.5], rel=1e-3)  # 300 steps of a log scale


def test_random_draws_are_hollow_and_those_of_the_model_are_not(study):
    drawn = [True, False] * 2 + [True] * (len(study.trials) - 4)
    ax = brackets.proposals(study, drawn, "learning_rate", SPACE)
    hollow, filled = ax.get_lines()[:2]
    assert filled.get_xdata().tolist() == [1, 3]
    assert hollow.get_markerfacecolor() == "white"


def test_a_choice_has_no_axis():
    with pytest.raises(hpt.InvalidInput, match="without an order"):
        brackets.densities(SPACE, "activation", _model(), _model())
    with pytest.raises(hpt.UnknownName, match="unit"):
        brackets.densities(SPACE, "unit", _model(), _model())
