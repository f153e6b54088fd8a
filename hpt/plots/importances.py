"""Pictures of importances: what two methods say of each hyperparameter, and how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpt.errors import InvalidInput
from hpt.plots.basic import COLOURS, GREY, MARKERS, legend, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASKED = {"fANOVA": "the whole space", "PED-ANOVA": "the best tenth"}
"""What a method looks at, in three words for the legend."""


def importances(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the importance of each hyperparameter and its interval: a row a hyperparameter, a mark a method.

    A mark is hollow where the interval begins at 0: the trials cannot tell it from no importance.

    Args:
        frame: from `hpt.importance`; its first hyperparameter stands on top.
        ax: where to draw, default a new figure, as high as the rows need.

    Raises:
        InvalidInput: for a table that is not one of importances.
    """
    import matplotlib.pyplot as plt

    lacking = [name for name in ("hyperparameter", "method", "importance", "low", "high") if name not in frame]
    if lacking:
        raise InvalidInput(f"expected a table from hpt.importance, got one without {', '.join(lacking)}")
    names, methods = list(frame["hyperparameter"].unique()), list(frame["method"].unique())
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 0.5 * len(names) + 1.3))[1]
    ax.axvline(0, color=GREY, lw=1, ls="-")
    for i, method in enumerate(methods):
        own = frame[frame["method"] == method]
        rows = np.array([names.index(name) for name in own["hyperparameter"]]) + 0.26 * (i - (len(methods) - 1) / 2)
        colour, mark = COLOURS[i], MARKERS[i]
        ax.hlines(rows, own["low"], own["high"], color=colour, lw=2.2, alpha=0.6)
        unclear = own["low"] <= 0
        label = f"{method}: {ASKED.get(method, '')}".removesuffix(": ")
        ax.plot([], [], mark, color=colour, ms=7, ls="none", label=label)
        for chosen, face in ((~unclear, colour), (unclear, "white")):
            ax.plot(own["importance"][chosen], rows[chosen], mark, color=colour, mfc=face, mew=1.5, ms=7, ls="none")
    ax.set_yticks(range(len(names)), [title(name) for name in names])
    ax.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.45, -0.55), xlabel="importance (a share, 0 to 1)")
    ax.grid(visible=False, axis="y")
    for between in range(1, len(names)):
        ax.axhline(between - 0.5, color="#e4e4e4", lw=0.8, ls="-")
    legend(ax)
    return ax
