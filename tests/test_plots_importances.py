"""The picture of importances shows the numbers of its table, and marks what cannot be told from nothing."""

from itertools import pairwise

import pandas as pd
import pytest

import hpt
from hpt import plots

pytestmark = pytest.mark.usefixtures("book_style")


def table(count=3):
    """Importances of so many hyperparameters; by PED-ANOVA the intervals begin at 0 from the second one on."""
    rows = [
        (name, method, 0.5 / (i + 1), 0.0 if i and method == "PED-ANOVA" else 0.4 / (i + 1), 0.8 / (i + 1))
        for i, name in enumerate(["learning_rate", "units", "dropout", *"abcdef"][:count])
        for method in ("fANOVA", "PED-ANOVA")
    ]
    return pd.DataFrame(rows, columns=["hyperparameter", "method", "importance", "low", "high"])


def test_every_interval_is_drawn_from_low_to_high():
    frame = table()
    ax = plots.importances(frame)
    for drawn, method in zip(ax.collections, ("fANOVA", "PED-ANOVA"), strict=True):
        own = frame[frame["method"] == method]
        low, high = zip(*(segment[:, 0] for segment in drawn.get_segments()), strict=True)
        assert (low, high) == (tuple(own["low"]), tuple(own["high"]))


def test_a_mark_is_hollow_where_the_interval_begins_at_0():
    ax = plots.importances(table())
    dots = [line for line in ax.lines if line.get_marker() in ("o", "s") and len(line.get_xdata())]
    hollow = sorted(x for line in dots if line.get_markerfacecolor() == "white" for x in line.get_xdata())
    filled = sorted(x for line in dots if line.get_markerfacecolor() != "white" for x in line.get_xdata())
    assert hollow == pytest.approx([0.5 / 3, 0.25])
    assert filled == pytest.approx([0.5 / 3, 0.25, 0.5, 0.5])


def test_methods_differ_in_colour_and_mark_and_the_legend_says_which():
    ax = plots.importances(table())
    handles = ax.get_legend().legend_handles
    assert [(one.get_color(), one.get_marker()) for one in handles] == [
        (plots.COLOURS[0], plots.MARKERS[0]),
        (plots.COLOURS[1], plots.MARKERS[1]),
    ]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["fANOVA: the whole space", "PED-ANOVA: the best tenth"]


@pytest.mark.parametrize("count", [2, 9])
def test_there_is_room_for_two_and_for_nine(count):
    ax = plots.importances(table(count))
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert ax.get_yticklabels()[0].get_text() == "learning rate"
    assert len(boxes) == count
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))


def test_it_draws_where_it_is_told():
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    assert plots.importances(table(), ax) is ax


def test_another_table_is_refused():
    with pytest.raises(hpt.InvalidInput, match=r"expected a table from hpt.importance, got one without method"):
        plots.importances(table().drop(columns="method"))
