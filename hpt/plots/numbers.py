"""Pictures of regressions: what a line misses, how trials learned, and what their predictions are off by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.data import Array
from hpt.errors import InvalidInput
from hpt.plots.basic import COLOURS, GREY, axes, legend, title
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bend(x: Array, y: Array, ax: Axes | None = None, labels: Sequence[str] = ("input", "target")) -> Axes:
    """Draw a target against one input, the straight line of least squares, and the mean of each tenth of the rows.

    Where the means leave the line, a linear model has something to miss.

    Args:
        x: the input, shape ``(rows,)``.
        y: the target, shape ``(rows,)``.
        ax: where to draw, default a new figure.
        labels: of the two axes, with units.
    """
    ax = axes(ax)
    slope, level = np.polyfit(x, y, 1)
    tenths = np.array_split(np.argsort(x, kind="stable"), 10)
    ends = np.array([np.min(x), np.max(x)])
    ax.plot(x, y, ".", color=GREY, ms=4, alpha=0.35, mew=0, ls="none")
    ax.plot([], [], "o", color=GREY, ms=4, ls="none", label="a row")
    ax.plot(ends, level + slope * ends, "--", color=COLOURS[1], lw=2, label="straight line")
    middles, means = ([float(values[rows].mean()) for rows in tenths] for values in (x, y))
    ax.plot(middles, means, "-o", color=COLOURS[0], ms=5, label="mean of a tenth")
    ax.set(xlabel=labels[0], ylabel=labels[1])
    return ax


def learning(
    study: Study, marks: Mapping[str, float] | None = None, ax: Axes | None = None, top: float | None = None
) -> Axes:
    """Draw the score of each trial epoch by epoch, the best trial on top, and what it is held against.

    A curve is the mean over the folds. Trials that leave the picture are cut off by ``top``.

    Args:
        study: from `hpt.tune`.
        marks: scores by name, drawn as level lines, such as a baseline's.
        ax: where to draw, default a new figure.
        top: upper end of the vertical axis, default where the highest curve ends.
    """
    ax = axes(ax)
    wide = study.curves.groupby(["epoch", "trial"])["score"].mean().unstack("trial")
    best = study.best_trial
    ax.plot(wide.index, wide.drop(columns=best), "-", color=GREY, lw=0.8, alpha=0.45)
    ax.plot([], [], "-", color=GREY, lw=0.8, label="a trial")
    ax.plot(wide.index, wide[best], "-o", color=COLOURS[0], lw=2, ms=3, label="the best trial")
    for i, (name, level) in enumerate((marks or {}).items()):
        ax.axhline(level, color=COLOURS[1 + i], ls=("--", ":", "-.")[i % 3], lw=1.8, label=name)
    if top is not None:
        ax.set_ylim(top=top)
    ax.set(xlabel="epoch", ylabel=f"{title(study.objective)}\non validation rows")
    legend(ax)
    return ax


def residuals(y: Array, outputs: Array, unit: str, noise: float | None = None) -> list[Axes]:
    """Draw predictions against what happened, and residuals against predictions.

    A dot is the mean prediction of several networks for a row, the thin line through it reaches one standard deviation
    of the networks to each side. A residual is the target minus the mean prediction.

    Args:
        y: targets, shape ``(rows,)``.
        outputs: predictions, shape ``(networks, rows, 1)``.
        unit: of the target, for the axes.
        noise: standard deviation of what nothing can predict, where it is known: drawn as two level lines of twice
            this size.

    Returns:
        The two panels.

    Raises:
        InvalidInput: for predictions of other rows than the targets.
    """
    import matplotlib.pyplot as plt

    if outputs.ndim != 3 or outputs.shape[1:] != (len(y), 1):
        raise InvalidInput(
            f"residuals need outputs of shape (networks, {len(y)}, 1) for {len(y)} targets, got {outputs.shape}"
        )
    mean, spread = np.nanmean(outputs[..., 0], axis=0), np.nanstd(outputs[..., 0], axis=0)
    panels: list[Any] = list(plt.subplots(1, 2, figsize=(6.8, 3.7))[1])
    dot: dict[str, Any] = {"fmt": "o", "color": COLOURS[0], "ms": 3.5, "alpha": 0.6, "elinewidth": 0.8, "mew": 0}
    low, high = float(min(y.min(), mean.min())), float(max(y.max(), mean.max()))
    panels[0].errorbar(mean, y, xerr=spread, label="a test row", **dot)
    panels[0].plot([low, high], [low, high], "--", color="black", lw=1.2, label="no error")
    panels[0].set(xlabel=f"predicted ({unit})", ylabel=f"actual ({unit})")
    panels[1].errorbar(mean, y - mean, xerr=spread, **dot)
    panels[1].axhline(0, color="black", lw=1.2, ls="--")
    panels[1].set(xlabel=f"predicted ({unit})", ylabel=f"actual minus predicted\n({unit})")
    if noise is not None:
        for side in (-2, 2):
            panels[1].axhline(side * noise, color=COLOURS[1], lw=1.5, ls=":")
        panels[0].plot([], [], ":", color=COLOURS[1], lw=1.5, label="twice the noise")
    panels[0].figure.legend(loc="outside upper left", ncols=3, fontsize="small")
    return panels
