"""The pictures of the two choices, of manual search and of grids, and the paired differences beneath them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hpt
from hpt import samplers, schedules, strategies
from hpt.plots import choices

from doubles import Pretend, pretend

PRICE = 9


pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture
def task():
    space = hpt.search_space("learning_rate", "dropout")
    return hpt.task("wine", metrics=("log_loss", "accuracy"), epochs=PRICE, space=space)


@pytest.fixture
def compared(task):
    """A grid of nine and random search with three times its budget; the score is the learning rate."""

    class Watched(Pretend):
        def start(self, task, members):
            run = super().start(task, members)
            run.outputs = lambda position, x: np.full((len(x), 3), 1 / 3)
            return run

    trainer = Watched(lambda member: member.configuration["learning_rate"])
    budgets = {"grid": 9 * PRICE, "random": 27 * PRICE}
    return hpt.compare(task, ["grid", "random"], epochs=budgets, repeats=3, trainer=trainer)


def test_the_interval_is_students():
    values = np.random.default_rng(0).normal(size=20)
    known = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert hpt.evidence.interval(values) == pytest.approx((values.mean(), *known))


@pytest.mark.parametrize(("low", "high", "word"), [(-1, 1, "tie"), (-2, -1, "below"), (1, 2, "above"), (0, 1, "tie")])
def test_an_interval_is_told_in_one_of_three_words(low, high, word):
    assert hpt.evidence.Interval((low + high) / 2, low, high).against("tie", "below", "above") == word


def test_the_best_at_so_many_epochs_is_read_at_these_epochs_whatever_the_budgets_are(compared):
    drawn = [study.trials["score"] for (name, _), study in sorted(compared.studies.items()) if name == "random"]
    for count in (1, 9, 27):
        best = compared.best_at("random", count * PRICE)
        assert best.tolist() == [scores.head(count).min() for scores in drawn]
    assert compared.best_at("random", PRICE - 1).isna().all()


def test_differences_are_paired_by_repeat_at_the_epochs_that_are_named(compared):
    nine = compared.best_at("random", 9 * PRICE)
    apart = compared.paired("grid", "random", random=9 * PRICE)
    assert apart.tolist() == (1e-4 - nine).tolist()
    whole = compared.paired("grid", "random")
    assert whole.tolist() == (1e-4 - compared.final().query("strategy == 'random'")["score"]).tolist()
    with pytest.raises(hpt.UnknownName, match="'rendom'"):
        compared.paired("grid", "rendom")


def test_differences_draw_every_repeat_and_the_interval():
    rows = {"one": [0.1, 0.2, 0.3], "two": [-0.1, -0.3, -0.2]}
    ax = choices.differences(rows, label="difference (nats)", names=("better", "worse"))
    dots = [line for line in ax.get_lines() if line.get_linestyle() == "None" and line.get_markersize() == 4]
    assert [sorted(line.get_xdata()) for line in dots] == [sorted(values) for values in rows.values()]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert ax.get_xlabel() == "difference (nats)\n← better      worse →"


def test_the_product_has_a_mark_for_every_pair():
    rows = {"draws": samplers.Random(), "Sobol": samplers.Sobol()}
    columns = {"to the end": schedules.Full(), "Hyperband": schedules.Hyperband()}
    ax = choices.product(rows, columns, [strategies.random(), strategies.hyperband()], own=[("Sobol", "Hyperband")])
    named, free, own = ax.get_lines()
    assert sorted(zip(*named.get_data(), strict=True)) == [(0, 0), (1, 0)]
    assert list(zip(*free.get_data(), strict=True)) == [(0, 1)]
    assert list(zip(*own.get_data(), strict=True)) == [(1, 1)]
    assert len({line.get_marker() for line in (named, free, own)}) == 3


def test_a_bracket_is_a_line_a_network_and_a_cross_where_one_was_stopped(task):
    four = hpt.Strategy("four", samplers.Random(), schedules.SuccessiveHalving(4, eta=2))
    study = pretend(replace(task, epochs=4), four)
    ax = choices.bracket(study)
    lengths = [len(line.get_xdata()) for line in ax.get_lines() if str(line.get_label()).startswith("trial")]
    assert sorted(lengths) == [1, 1, 2, 3]
    crosses = [line for line in ax.get_lines() if line.get_marker() == "x" and len(line.get_xdata())]
    assert len(crosses) == 3


def test_a_path_tells_what_was_changed_in_the_best_so_far(task):
    rates = [0.01, 0.1, 0.001]
    listed = [{"learning_rate": rate, "dropout": 0.2} for rate in rates]
    study = pretend(task, strategies.manual([*listed, {"learning_rate": 0.001, "dropout": 0.5}]))
    frame = choices.changed(study)
    assert frame["change"].tolist() == ["start", "learning rate 0.1", "learning rate 0.001", "dropout 0.5"]
    assert frame["helped"].tolist() == [True, False, True, False]
    ax = choices.path(study)
    kept, back = (line for line in ax.get_lines() if line.get_linestyle() == "None")
    assert (kept.get_xdata().tolist(), back.get_xdata().tolist()) == ([0, 2], [1, 3])


def test_best_so_far_ends_where_each_budget_ends(compared):
    ax = choices.best_so_far(compared, PRICE)
    grid, random = ax.get_lines()
    assert (len(grid.get_xdata()), len(random.get_xdata())) == (9, 27)
    assert (np.diff(random.get_ydata()) <= 0).all()


def test_the_explosion_multiplies_and_shows_what_was_measured():
    counts = pd.DataFrame({2: [2, 4], 3: [3, 9]}, index=[1, 2])
    left, right = choices.explosion(counts, {1: 0.5, 2: 0.6}, each=2.0)
    assert [line.get_ydata().tolist() for line in left.get_lines()] == [[2, 4], [3, 9]]
    assert right.get_lines()[0].get_ydata().tolist() == [6.0, 18.0]
    assert list(right.get_lines()[1].get_ydata()) == [0.5, 0.6]


def test_piles_grow_where_values_are_equal(task):
    grid = task.space.grid(3)
    draws = [task.space.sample(np.random.default_rng(n)) for n in range(9)]
    ax = choices.piles({"grid": grid, "random": draws}, task.space, "learning_rate")
    heights = [sorted(set(line.get_ydata())) for line in ax.get_lines()]
    assert heights[0] == [0, 1, 2]
    assert len(heights[1]) == 1
    assert [label.get_text() for label in ax.get_yticklabels()] == ["grid\n(3 values)", "random\n(9 values)"]


def test_the_order_of_a_grid_changes_the_last_name_fastest(task):
    ax = choices.order(task.space.grid(3), task.space, cut=4)
    rate, dropout = np.asarray(ax.get_images()[0].get_array())
    assert rate.tolist() == pytest.approx([0, 0, 0, 0.5, 0.5, 0.5, 1, 1, 1])
    assert dropout.tolist() == pytest.approx([0, 0.5, 1] * 3)
    assert ax.get_lines()[0].get_xdata()[0] == 3.5
