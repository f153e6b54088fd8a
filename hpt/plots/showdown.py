"""Pictures of comparisons: how good the best was when so much was spent, and who came first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpt.comparison import Comparison
from hpt.errors import InvalidInput
from hpt.evidence import interval
from hpt.plots.basic import COLOURS, GREY, MARKERS, STYLES, axes, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASELINES = {"random_twice": "--", "one_epoch": ":"}
"""Drawn in every figure, in grey; the strategies that are compared have colours."""


def leads(
    comparison: Comparison,
    strategies: Sequence[str],
    at: Sequence[int],
    column: str = "score",
    over: str = "random",
    ax: Axes | None = None,
) -> Axes:
    """Draw how far each strategy's best network is ahead of another strategy's when both have spent so much.

    A strategy with twice the budget has spent twice as much. Each curve is the mean over the repeats of the paired
    differences, with its 95 % interval (Student's t); above the line at 0 the strategy is ahead. A curve begins where
    every repeat of both has judged a network.

    Args:
        comparison: what to draw.
        strategies: whom, by name; those of `BASELINES` are grey.
        at: epochs spent, in order.
        column: ``"score"`` on validation rows or ``"test"``.
        over: the strategy on the line at 0.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    found = comparison.anytime(at, column, scaled=True)
    wide = {name: own.pivot_table(index="repeat", columns="spent", values=column) for name, own in
            found.groupby("strategy")}  # fmt: skip
    coloured = [name for name in strategies if name not in BASELINES]
    ax.axhline(0, color="#000000", linewidth=1.2, label=over)
    for name in strategies:
        if name not in wide:
            raise InvalidInput(f"the comparison has no {name!r}, but {', '.join(comparison.strategies)}")
        pairs = (comparison.sign * (wide[name] - wide[over])).dropna(axis=1)
        place = coloured.index(name) if name in coloured else 0
        colour = GREY if name in BASELINES else COLOURS[place % (len(COLOURS) - 1)]
        style = BASELINES.get(name) or STYLES[place % len(STYLES)]
        marker = "" if name in BASELINES else MARKERS[place % len(MARKERS)]
        spent = pairs.columns.to_numpy(dtype=float)
        mean, low, high = np.array([interval(pairs[epochs]) for epochs in pairs]).reshape(-1, 3).T
        ax.plot(
            spent, mean, linestyle=style, color=colour, label=name, marker=marker, markersize=5,
            markevery=(place % 4, 5), linewidth=1.6,
        )  # fmt: skip
        ax.fill_between(spent, low, high, color=colour, alpha=0.12, linewidth=0)
    where = "validation" if column == "score" else "test"
    ax.set(xlabel="epochs spent", ylabel=f"gain in {title(comparison.objective)},\n{where}")
    return ax


def mean_ranks(comparisons: Mapping[str, Comparison], column: str = "score", ax: Axes | None = None) -> Axes:
    """Draw each strategy's rank, averaged over the repeats: a mark for each task, and a bar over the tasks' mean.

    The bar is a 95 % interval of the mean rank, Student's t over all repeats of all tasks.

    Args:
        comparisons: by the name of the task, all of the same strategies.
        column: ``"score"`` or ``"test"``.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    ranks = {name: one.ranks(column) for name, one in comparisons.items()}
    every = pd.concat(ranks.values())
    order = every.mean().sort_values(ascending=False).index
    rows = np.arange(len(order))
    _, low, high = np.array([interval(every[name]) for name in order]).T
    ax.barh(rows, high - low, left=low, height=0.5, color=GREY, alpha=0.35)
    for i, (name, own) in enumerate(ranks.items()):
        ax.plot(
            own.mean()[order], rows, linestyle="none", marker=MARKERS[i], color=COLOURS[i], markersize=6, label=name
        )
    ax.set_yticks(rows, list(order))
    ax.set(xlabel=f"mean rank of {len(order)} by {'validation' if column == 'score' else 'test'}, 1 is best", ylabel="")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(ranks), fontsize="small")
    return ax


def gains(
    comparisons: Mapping[str, Comparison], over: str = "random", column: str = "score", confidence: float = 0.95
) -> Axes:
    """Draw by how much each strategy ended better than one of them, a panel a task; right of the line is better.

    Args:
        comparisons: by the name of the task.
        over: the strategy to compare with.
        column: ``"score"`` or ``"test"``.
        confidence: of the intervals.
    """
    import matplotlib.pyplot as plt

    first = next(iter(comparisons.values()))
    names = [name for name in first.strategies if name != over][::-1]
    size = (3.1 * len(comparisons), 0.32 * len(names) + 1.1)
    panels = plt.subplots(1, len(comparisons), figsize=size, squeeze=False)[1][0]
    for i, (ax, (task, one)) in enumerate(zip(panels, comparisons.items(), strict=True)):
        found = one.gains(over, column, confidence).set_index("strategy").loc[names]
        rows = np.arange(len(names))
        ax.axvline(0, color=GREY, linewidth=1)
        ax.hlines(rows, found["low"], found["high"], color=COLOURS[0], linewidth=2)
        clear = (found["low"] > 0) | (found["high"] < 0)
        for marks, marker in ((clear, "o"), (~clear, "D")):
            fill = COLOURS[0] if marker == "o" else "white"
            ax.plot(found["gain"][marks], rows[marks], marker, color=COLOURS[0], markerfacecolor=fill, markersize=6)
        ax.set_yticks(rows, names if i == 0 else [""] * len(names))
        ax.set(xlabel=f"{task}:\ngain in {title(one.objective)}", ylabel="")
    return panels[0]  # type: ignore[no-any-return]
