"""Pictures of series: what there is to forecast, how it is split along time, and how far forecasts are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from hpt.data import Array, Split
from hpt.errors import InvalidInput
from hpt.plots.basic import COLOURS, GREY, MARKERS, STYLES, axes, legend, plain_log, title
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = (("train", COLOURS[0], ""), ("validation", COLOURS[5], "//"), ("test, locked", COLOURS[2], "xx"))
"""The parts of a split: name, colour, hatch."""

MONTHS = "JFMAMJJASOND"


def parts(series: pd.Series, split: Split, ax: Axes | None = None, unit: str = "") -> Axes:
    """Draw a series, and behind it the parts that a split along time cuts it into.

    Args:
        series: with an index of times.
        split: of rows with times, such as `hpt.by_time` makes; its last fold is drawn.
        ax: where to draw, default a new figure.
        unit: what stands on the vertical axis.
    """
    ax = axes(ax)
    ax.plot(series.index, series, "-", color="black", lw=1)
    for (name, colour, hatch), (start, end) in zip(PARTS, _spans(split)[-1], strict=True):
        ax.axvspan(start, end, facecolor=colour, edgecolor=colour, alpha=0.22, hatch=hatch, lw=0, label=name)
    ax.set(xlabel="year", ylabel=unit, xlim=(series.index[0], series.index[-1]))
    _legend(ax, 3)
    return ax


def seasons(series: pd.Series, ax: Axes | None = None, unit: str = "") -> Axes:
    """Draw the changes of a monthly series by calendar month: a dot a year, a dash at the mean of each month.

    Args:
        series: with a monthly index.
        ax: where to draw, default a new figure.
        unit: what stands on the vertical axis.
    """
    ax = axes(ax)
    change = series.diff().dropna()
    month = pd.DatetimeIndex(change.index).month
    years = pd.DatetimeIndex(change.index).year.to_numpy()
    lean = 0.5 * (years - years.min()) / max(1, np.ptp(years)) - 0.25  # early years to the left
    ax.axhline(0, color="black", lw=1, ls="-")
    ax.plot(month + lean, change, "o", color=COLOURS[0], ms=3, alpha=0.5, mew=0, ls="none", label="a year")
    means = change.groupby(month).mean()
    ax.hlines(means, means.index - 0.38, means.index + 0.38, color=COLOURS[1], lw=2.5, label="mean of the years")
    ax.set_xticks(range(1, 13), list(MONTHS))
    ax.set(xlabel="month that the change leads to", ylabel=unit)
    ax.grid(visible=False, axis="x")
    legend(ax)
    return ax


def folds(split: Split, ax: Axes | None = None) -> Axes:
    """Draw the folds of a split along time: a bar a fold, its training, validation and test part.

    Args:
        split: of rows with times.
        ax: where to draw, default a new figure.
    """
    import matplotlib.pyplot as plt

    spans = _spans(split)
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 0.42 * len(spans) + 1.4))[1]
    for row, fold in enumerate(spans):
        for (name, colour, hatch), (start, end) in zip(PARTS, fold, strict=True):
            look: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "hatch": hatch, "alpha": 0.75}
            ax.barh(row, end - start, left=start, height=0.62, label=None if row else name, **look)
    ax.set_yticks(range(len(spans)), [f"fold {row}" for row in range(len(spans))])
    ax.xaxis_date()
    ax.set(xlabel="year", ylim=(len(spans) - 0.5, -0.5))
    ax.grid(visible=False, axis="y")
    _legend(ax, 3)
    return ax


def _spans(split: Split) -> list[list[tuple[Any, Any]]]:
    """First and last time of train, validation and test, fold by fold."""
    times = split.dataset.times
    if times is None:
        raise InvalidInput(f"the rows of {split.dataset.name!r} have no times: this picture is of a split along time")
    stamps, test = pd.DatetimeIndex(times), len(split.test)
    locked = stamps[-test], stamps[-1]
    return [
        [*((stamps[rows[0]], stamps[rows[-1]]) for rows in (fold.train, fold.validation)), locked]
        for fold in split.folds
    ]


def settings(study: Study, x: str, choice: str, ax: Axes | None = None, unit: str = "") -> Axes:
    """Draw every complete trial's score against one hyperparameter, on log axes; each choice of another has a mark.

    Args:
        study: from `hpt.tune`.
        x: a hyperparameter with positive numbers.
        choice: a hyperparameter with a few values.
        ax: where to draw, default a new figure.
        unit: what stands on the vertical axis, default the title of the objective.
    """
    ax = axes(ax)
    done = study.trials[study.trials["status"] == "complete"]
    for place, (value, own) in enumerate(done.groupby(choice)):
        ax.plot(own[x], own["score"], MARKERS[place], color=COLOURS[place], ms=7, alpha=0.8, ls="none",
                label=f"{title(choice)} {value}")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=title(x), ylabel=unit or title(study.objective))
    plain_log(ax.yaxis)
    _legend(ax, 3)
    return ax


def forecasts(times: Any, actual: Array, answers: Mapping[str, Array], ax: Axes | None = None, unit: str = "") -> Axes:
    """Draw what happened (black dots) and what was forecast for it.

    Args:
        times: of the rows, dates.
        actual: what happened, shape ``(rows,)``.
        answers: forecasts by name, shape ``(rows,)``, or ``(networks, rows)``: then the line is their mean and a band
            holds the middle 90 % of them.
        ax: where to draw, default a new figure.
        unit: what stands on the vertical axis.

    Raises:
        InvalidInput: for forecasts of other rows.
    """
    import matplotlib.dates

    ax, ticks = axes(ax), cast(Any, matplotlib.dates)  # which has no types
    for place, (name, answer) in enumerate(answers.items()):
        several = np.atleast_2d(answer)
        if several.shape[-1] != len(actual):
            raise InvalidInput(f"{name!r} forecasts {several.shape[-1]} rows, and {len(actual)} happened")
        look: dict[str, Any] = {"color": COLOURS[place], "ls": STYLES[place]}
        ax.plot(times, several.mean(axis=0), lw=1.6, label=name, **look)
        if len(several) > 1:
            low, high = np.quantile(several, [0.05, 0.95], axis=0)
            ax.fill_between(times, low, high, color=COLOURS[place], alpha=0.25, lw=0)
    ax.plot(times, actual, "o", color="black", ms=3, ls="none", label="what happened")
    years = pd.DatetimeIndex(times).year
    ax.xaxis.set_major_locator(ticks.YearLocator(1 + int(np.ptp(years)) // 10))
    ax.xaxis.set_major_formatter(ticks.DateFormatter("%Y"))
    ax.set(xlabel="year", ylabel=unit)
    legend(ax)
    return ax


def percentages(y: Array, outputs: Array, ax: Axes | None = None, unit: str = "") -> Axes:
    """Draw the absolute percentage error of each row against the size of its target, both on log axes.

    The dashed line is an error of the mean size: whoever misses by as much everywhere lies on it.

    Args:
        y: targets, shape ``(rows,)``; rows with a target of 0 cannot be drawn.
        outputs: forecasts, shape ``(networks, rows)``; a dot is the mean of the networks' errors.
        ax: where to draw, default a new figure.
        unit: of the target.
    """
    ax = axes(ax)
    size, error = np.abs(y), np.abs(outputs - y).mean(axis=0)
    seen = size > 0
    ax.plot(size[seen], 100 * error[seen] / size[seen], "o", color=COLOURS[0], ms=5, alpha=0.7, mew=0, ls="none",
            label="a month")  # fmt: skip
    ends = np.array([size[seen].min(), size.max()])
    ax.plot(ends, 100 * error.mean() / ends, "--", color=COLOURS[1], lw=2, label="a miss of the mean size")
    ax.axhline(100, color=GREY, lw=1.2, ls=":", label="a forecast of 0")
    ax.set(xscale="log", yscale="log", xlabel=f"size of what happened{unit}", ylabel="absolute error (%)")
    plain_log(ax.xaxis)
    plain_log(ax.yaxis)
    _legend(ax, 2)
    return ax


def horizons(errors: Mapping[str, Array], ax: Axes | None = None, unit: str = "") -> Axes:
    """Draw how the root mean squared error grows with the number of steps ahead.

    Args:
        errors: by name, shape ``(starts, steps)``, or ``(networks, starts, steps)``: then the line is the mean over
            the networks and a band holds the middle 90 % of them.
        ax: where to draw, default a new figure.
        unit: of the errors, for the axis.
    """
    ax = axes(ax)
    for place, (name, one) in enumerate(errors.items()):
        root = np.atleast_2d(np.sqrt(np.mean(np.square(one), axis=-2)))
        steps = np.arange(1, root.shape[-1] + 1)
        look: dict[str, Any] = {"color": COLOURS[place], "ls": STYLES[place], "marker": MARKERS[place]}
        ax.plot(steps, root.mean(axis=0), ms=4, lw=1.6, label=name, **look)
        if len(root) > 1:
            low, high = np.quantile(root, [0.05, 0.95], axis=0)
            ax.fill_between(steps, low, high, color=COLOURS[place], alpha=0.25, lw=0)
    ax.set(xlabel="months ahead", ylabel=f"RMSE of the level{unit}", ylim=(0, None))
    ax.set_xticks(_whole(steps))
    legend(ax)
    return ax


def _whole(steps: Array) -> Sequence[int]:
    """Ticks at 1 and at the quarters of a year."""
    return [1, *range(3, int(steps[-1]) + 1, 3)]


def _legend(ax: Axes, columns: int) -> None:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=columns, fontsize="small",
              handletextpad=0.4, columnspacing=1.2)  # fmt: skip
