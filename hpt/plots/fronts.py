"""Pictures of searches with two objectives, and of autoencoders: fronts, curves of trials, reconstructions.

A *front* holds what is not dominated (Pareto 1906; for search, Deb et al. 2002): a trial for which no other one is
better in one objective and not worse in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.errors import InvalidInput, unknown
from hpt.evidence import interval
from hpt.plots.basic import COLOURS, MARKERS, STYLES, axes, legend, plain_log, title
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = (2, 4, 8, 16, 32, 64, 128)
"""Where an axis of sizes has its ticks, as far as it reaches."""


def front(
    study: Study | Mapping[str, Study],
    cost: str,
    ax: Axes | None = None,
    *,
    beside: Mapping[str, Mapping[int, float]] | None = None,
    beats: int | None = None,
    chosen: Mapping[str, tuple[float, float]] | None = None,
) -> Axes:
    """Draw every trial of a search with two objectives, and as steps the trials that no other one beats.

    Both axes are logarithmic. To the right of and above the steps lies all that some trial beats.

    Args:
        study: of a task with a cost, smaller score is better; or several by name.
        cost: the hyperparameter that should be small.
        ax: where to draw, default a new figure.
        beside: lines to draw besides, by name: a score for each cost.
        beats: number of a trial of the first study: what it beats is shaded, and so is what would beat it.
        chosen: points to mark by a star, by name: cost and score.

    Raises:
        InvalidInput: for a study without the cost, or whose score is better when greater.
    """
    several = study if isinstance(study, Mapping) else {"": study}
    for one in several.values():
        if cost not in one.costs or one.greater_is_better:
            raise InvalidInput(
                f"a front is drawn of {cost} and a score that are small when good: search a task with "
                f"costs=({cost!r},) and an error as its objective; this one had costs={one.costs} and {one.objective}"
            )
    ax = axes(ax)
    ax.set(xscale="log", yscale="log")
    for i, (name, one) in enumerate(several.items()):
        look: dict[str, Any] = {"color": COLOURS[i], "marker": MARKERS[i]}
        done = one.trials[one.trials["status"] == "complete"]
        best = one.front.sort_values([cost, "score"])
        label = f"{name}, trials".removeprefix(", ")
        ax.plot(done[cost], done["score"], ls="none", ms=4, alpha=0.35, mew=0, label=label, **look)
        ax.plot(best[cost], best["score"], ls="none", ms=7, mec="black", mew=0.7, **look)
        ax.step(best[cost], best["score"], where="post", color=COLOURS[i], ls=STYLES[i], lw=1.8,
                label=f"{name}, front".removeprefix(", "))  # fmt: skip
    for i, (name, line) in enumerate((beside or {}).items(), start=len(several)):
        ax.plot(list(line), list(line.values()), color=COLOURS[i], marker=MARKERS[i], ls=STYLES[i], ms=4, label=name)
    for name, (x, y) in (chosen or {}).items():
        ax.plot(x, y, "*", ms=17, color=COLOURS[5], mec="black", mew=0.8, ls="none", label=name)
    ax.margins(0.06)
    if beats is not None:
        _shade(ax, next(iter(several.values())).trials.loc[beats], cost)
    _sizes(ax)
    ax.set(xlabel=_words(cost), ylabel=f"{title(next(iter(several.values())).objective)}\non validation rows")
    plain_log(ax.yaxis, decades=False)
    legend(ax)
    return ax


def _shade(ax: Axes, trial: Any, cost: str) -> None:
    """Shade what a trial beats, and what would beat it."""
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    left, bottom = ax.get_xlim()[0], ax.get_ylim()[0]
    x, y = float(trial[cost]), float(trial["score"])
    for (x0, x1, y0, y1), colour, hatch, label in (
        ((x, right, y, top), COLOURS[1], "//", "beaten by the star"),
        ((left, x, bottom, y), COLOURS[2], "..", "would beat the star"),
    ):
        shape = ([x0, x1], [y0, y0], [y1, y1])
        ax.fill_between(*shape, facecolor=colour, alpha=0.12, lw=0)
        ax.fill_between(*shape, facecolor="none", edgecolor=colour, alpha=0.45, lw=0, hatch=hatch, label=label)
    ax.plot(x, y, "*", ms=17, color=COLOURS[5], mec="black", mew=0.8)
    ax.set(xlim=(left, right), ylim=(bottom, top))


def _words(name: str) -> str:
    return "numbers in the bottleneck" if name == "latent_size" else name.replace("_", " ")


def _sizes(ax: Axes) -> None:
    """Label a log axis of sizes with the powers of two."""
    low, high = ax.get_xlim()
    shown = [size for size in SIZES if low <= size <= high]
    ax.set_xticks(shown, [str(size) for size in shown])
    ax.set_xticks([], minor=True)


def trials(study: Study, by: str, ax: Axes | None = None) -> Axes:
    """Draw the learning curve of every complete trial, coloured by one of its choices.

    Args:
        study: from `hpt.tune`.
        by: the hyperparameter; each of its values gets a colour and a line style.
        ax: where to draw, default a new figure. Its vertical axis is made logarithmic.

    Raises:
        UnknownName: for a hyperparameter that the study did not search.
    """
    if by not in study.trials:
        raise unknown("hyperparameter", by, [str(name) for name in study.trials])
    ax = axes(ax)
    done = study.trials[study.trials["status"] == "complete"]
    for i, value in enumerate(sorted(done[by].unique())):
        numbers = done.loc[done[by] == value, "number"]
        wide = study.curves[study.curves["trial"].isin(numbers)].pivot_table("score", "epoch", "trial")
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "ls": STYLES[i % len(STYLES)]}
        ax.plot(wide.index, wide.to_numpy(), lw=0.9, alpha=0.55, **look)
        ax.plot([], [], lw=2, label=f"{value} ({len(numbers)})", **look)
    ax.set(yscale="log", xlabel="epoch", ylabel=f"{title(study.objective)}\non validation rows")
    plain_log(ax.yaxis, decades=False)
    legend(ax, 3)
    return ax


def reconstructions(blocks: Mapping[str, Mapping[str, Array]], side: int = 8) -> Figure:
    """Draw pictures and what was made of them: a row a way, a column a picture, a block of columns a method.

    Args:
        blocks: by the name of the method, by the name of the row: pictures of shape ``(pictures, pixels)``, 0 to 1.
            All blocks have the rows of the first one.
        side: height and width of a picture in pixels.

    Raises:
        InvalidInput: where the rows of two blocks differ.
    """
    import matplotlib.pyplot as plt

    first = next(iter(blocks.values()))
    names, count = list(first), len(next(iter(first.values())))
    for name, rows in blocks.items():
        if list(rows) != names or any(len(pictures) != count for pictures in rows.values()):
            raise InvalidInput(f"block {name!r} must have the rows {', '.join(names)}, each of {count} pictures")
    widths = ([1.0] * count + [0.4]) * len(blocks)
    figure, grid = plt.subplots(
        len(names),
        len(widths) - 1,
        squeeze=False,
        figsize=(6.4, 0.4 + 0.56 * len(names)),
        gridspec_kw={"width_ratios": widths[:-1], "wspace": 0.02, "hspace": 0.02},
    )
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for place, (name, rows) in enumerate(blocks.items()):
        own = grid[:, place * (count + 1) : place * (count + 1) + count]
        own[-1, count // 2].set_xlabel(name)
        for line, pictures in zip(own, rows.values(), strict=True):
            for ax, picture in zip(line, np.asarray(pictures), strict=True):
                ax.imshow(picture.reshape(side, side), cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    for ax, row in zip(grid[:, 0], names, strict=True):
        ax.set_ylabel(row, rotation=0, ha="right", va="center")
    return figure


def by_size(
    frame: pd.DataFrame, size: str, column: str, unit: str, series: str, ax: Axes | None = None, label: str = ""
) -> Axes:
    """Draw a score against a size: a thin line for each unit, and the mean with its 95 % interval over the units.

    Args:
        frame: a row a network; rows that share size, unit and series are averaged.
        size: column along the horizontal axis, which is logarithmic.
        column: column to draw.
        unit: column of what was repeated; the interval is Student's t over its values.
        series: column whose values differ in colour and mark.
        ax: where to draw, default a new figure.
        label: of the vertical axis, default the title of the column.
    """
    ax = axes(ax)
    ax.set_xscale("log")
    kinds: Sequence[Any] = list(dict.fromkeys(frame[series]))
    for i, kind in enumerate(kinds):
        wide = frame[frame[series] == kind].pivot_table(column, size, unit)
        colour, marker, style = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], STYLES[i % len(STYLES)]
        ax.plot(wide.index, wide.to_numpy(), color=colour, ls=style, lw=0.7, alpha=0.35)
        found = np.array([interval(row) for row in wide.to_numpy()])
        place = wide.index.to_numpy() * (1 + 0.05 * (i - (len(kinds) - 1) / 2))  # side by side, so that bars are seen
        reach = [found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]
        ax.errorbar(place, found[:, 0], reach, color=colour, marker=marker, ls=style, capsize=4, lw=2, label=str(kind))
    ax.margins(x=0.06)
    _sizes(ax)
    ax.set(xlabel=_words(size), ylabel=label or title(column))
    legend(ax)
    return ax
