"""Pictures of what tuned networks do: the pairs of a report, and anything that is itself a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.errors import InvalidInput, unknown
from hpt.evidence import interval
from hpt.plots.basic import COLOURS, GREY, MARKERS, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hpt.reports import Report


def pairs(report: Report, metric: str | None = None, confidence: float = 0.95) -> list[Axes]:
    """Draw each pair of a report, default and tuned under the same seed, as a line; validation rows and test rows.

    The large marks are means, with the interval of the mean over the seeds (Student's t).

    Args:
        report: from `hpt.report`.
        metric: which of its metrics, default the objective.
        confidence: of the intervals.

    Returns:
        The two panels.

    Raises:
        UnknownName: for a metric that the report does not have.
        InvalidInput: where fewer than two pairs are whole.
    """
    import matplotlib.pyplot as plt

    metric = report.objective if metric is None else metric
    if metric not in report.metrics:
        raise unknown("metric", metric, report.metrics)
    both = {}
    for where in ("validation", "test"):
        own = report.scores[report.scores["rows"] == where]
        wide = own.pivot(index="repeat", columns="network", values=metric)[["default", "tuned"]].dropna()
        if len(wide) < 2:
            raise InvalidInput(
                f"a picture of pairs needs two pairs in which both networks have a score, {metric} on {where} rows has "
                f"{len(wide)}: the reasons stand in report.scores"
            )
        both[where] = wide
    panels = list(plt.subplots(1, 2, sharey=True, figsize=(6.4, 3.4))[1])
    for ax, (where, wide) in zip(panels, both.items(), strict=True):
        ax.plot([0, 1], wide.to_numpy().T, color=GREY, linewidth=0.8, linestyle="-", alpha=0.5)
        for place, name in enumerate(wide):
            look: dict[str, Any] = {"color": COLOURS[place], "marker": MARKERS[place], "linestyle": "none"}
            ax.plot(np.full(len(wide), place), wide[name], markersize=4, alpha=0.5, **look)
            mean, low, high = interval(wide[name], confidence)
            out = place + (0.18 if place else -0.18)  # beside the pairs, where no line runs
            ax.errorbar(out, mean, [[mean - low], [high - mean]], capsize=4, markersize=7, **look)
        ax.set_xticks([0, 1], ["default", "tuned"])
        ax.set(xlim=(-0.45, 1.45), xlabel=f"{where} rows")
        ax.grid(visible=False, axis="x")
    panels[0].set_ylabel(title(metric))
    return panels


def pictures(
    images: Any, names: Sequence[str] = (), *, columns: int = 6, around_zero: bool = False, size: float = 1.0
) -> Figure:
    """Draw small pictures side by side: digits, reconstructions, filters, attention maps.

    Args:
        images: array of shape ``(pictures, height, width)``.
        names: what stands above each, default nothing.
        columns: pictures in a row.
        around_zero: whether numbers may be negative: then blue is below zero, red above, white zero. Default: light is
            small, dark is large.
        size: height and width of one picture in inches.

    Raises:
        InvalidInput: for anything but a stack of pictures.
    """
    import matplotlib.pyplot as plt

    stack = np.asarray(images)
    if stack.ndim != 3 or not len(stack):
        raise InvalidInput(f"pictures have shape (pictures, height, width), got {stack.shape}")
    columns = min(columns, len(stack))
    rows = -(-len(stack) // columns)
    lines = max((name.count("\n") + 1 for name in names), default=0)
    figure, panels = plt.subplots(
        rows, columns, squeeze=False, figsize=(columns * size + 0.1, rows * (size + 0.17 * lines) + 0.1)
    )
    low, high = float(stack.min()), float(stack.max())
    most = max(abs(low), abs(high))
    look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -most, "vmax": most} if around_zero else {
        "cmap": "Greys", "vmin": low, "vmax": high,
    }  # fmt: skip
    for ax in panels.flat:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(panels.flat, stack, strict=False)):
        ax.imshow(image, interpolation="nearest", **look)
        if i < len(names):
            ax.set_title(names[i], fontsize="small", pad=3)
    return figure
