"""Pictures of comparisons show the paired numbers that the comparison holds."""

import numpy as np
import pytest

import hpt
from hpt.plots import showdown

from doubles import Pretend

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture(scope="module")
def compared():
    task = hpt.task("wine", epochs=9)
    trainer = Pretend(lambda member, epoch: member.configuration["learning_rate"] + epoch / 1000)
    return hpt.compare(task, ["random", "sobol", "hyperband", "one_epoch"], epochs=140, repeats=4, trainer=trainer)


def test_leads_are_paired_differences_and_their_interval(compared):
    from scipy.stats import ttest_1samp

    ax = showdown.leads(compared, ["one_epoch", "hyperband"], [60, 100, 140])
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == ["random", "one_epoch", "hyperband"]
    curves = compared.anytime([60, 100, 140]).pivot_table(index="repeat", columns=["strategy", "spent"], values="score")
    pairs = curves["hyperband"] - curves["random"]
    assert lines["hyperband"].get_ydata() == pytest.approx(pairs.mean().to_numpy())
    low, high = ttest_1samp(pairs[140], 0).confidence_interval()
    band = ax.collections[1].get_paths()[0].vertices
    ends = band[band[:, 0] == 140][:, 1]
    assert [ends.min(), ends.max()] == pytest.approx([low, high])
    assert ax.get_xlabel() == "epochs spent"
    assert "validation" in ax.get_ylabel()


def test_every_series_has_a_colour_and_a_second_mark(compared):
    ax = showdown.leads(compared, ["one_epoch", "sobol", "hyperband"], [100, 140])
    looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines]
    assert len(set(looks)) == len(looks)
    styles = [look[1:] for look in looks]
    assert len(set(styles)) == len(styles)


def test_an_unknown_strategy_is_named(compared):
    with pytest.raises(hpt.InvalidInput, match="has no 'tpe', but random, sobol"):
        showdown.leads(compared, ["tpe"], [100])


def test_ranks_show_a_mark_for_each_task_at_its_mean(compared):
    ax = showdown.mean_ranks({"a": compared, "b": compared})
    names = [label.get_text() for label in ax.get_yticklabels()]
    means = compared.ranks().mean()
    assert set(names) == set(compared.strategies)
    assert ax.lines[0].get_xdata() == pytest.approx(means[names].to_numpy())
    assert means[names[-1]] == means.min()  # the best at the top
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_gains_are_filled_where_they_are_clear_of_zero(compared):
    ax = showdown.gains({"one": compared, "two": compared})
    found = compared.gains().set_index("strategy")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == compared.strategies[:0:-1]
    clear = found[(found["low"] > 0) | (found["high"] < 0)]
    filled = [line for line in ax.lines if line.get_marker() == "o"]
    assert sorted(np.concatenate([line.get_xdata() for line in filled])) == pytest.approx(sorted(clear["gain"]))
    assert len(ax.figure.axes) == 2
    assert "wine" not in ax.get_xlabel() and ax.get_xlabel().startswith("one:")
