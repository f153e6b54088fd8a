"""Pictures: one function a figure.

Colours are Okabe and Ito's, which colour-blind readers can tell apart, and every series has a second mark: a
line style or a marker. A figure carries no title; its caption says what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.domains import Choice
from hpt.errors import InvalidInput, unknown
from hpt.metrics import METRICS
from hpt.study import Study
from hpt.sweeps import Trained
from hpt.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def use_style() -> None:
    """Set matplotlib, seaborn and pandas up as in the book: calm axes, whole table cells, three digits."""
    import matplotlib as mpl
    import seaborn as sns
    from cycler import cycler

    sns.set_theme(style="whitegrid", context="notebook")
    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=STYLES),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.dpi": 110,
            "figure.figsize": (6.4, 3.6),
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "grid.color": "#e4e4e4",
            "legend.frameon": False,
            "savefig.facecolor": "white",
        }
    )
    pd.set_option("display.max_colwidth", None)
    pd.set_option("display.precision", 3)


def _axes(ax: Axes | None) -> Axes:
    import matplotlib.pyplot as plt

    return ax if ax is not None else plt.subplots()[1]


def title(name: str) -> str:
    """Return what stands on an axis for a column of a result."""
    known = {"train_loss": "training loss", "val_loss": "validation loss", "epoch": "epoch"}
    return known.get(name) or (METRICS[name].title if name in METRICS else name.replace("_", " "))


def curves(trained: Trained | Mapping[str, Trained], ax: Axes | None = None) -> Axes:
    """Draw training loss (dashed) and validation loss (solid) against epochs, a colour a network.

    Args:
        trained: one network, or several by name.
        ax: where to draw, default a new figure.
    """
    ax = _axes(ax)
    several = trained if isinstance(trained, Mapping) else {"": trained}
    for colour, (name, network) in zip(_cycle(COLOURS, several), several.items(), strict=True):
        for column, style, what in (("train_loss", "--", "training"), ("val_loss", "-", "validation")):
            label = f"{name}, {what}" if name else what
            ax.plot(network.curve["epoch"], network.curve[column], style, color=colour, label=label)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.legend()
    return ax


def sweep(frame: pd.DataFrame, column: str | Sequence[str] = "score", ax: Axes | None = None, label: str = "") -> Axes:
    """Draw a sweep: a dot a network, a line through the medians, a band between the quartiles.

    Args:
        frame: from `hpt.sweep`; its first column is the hyperparameter.
        column: what to draw against it, or several columns.
        ax: where to draw, default a new figure.
        label: of the axis; default the column's title.

    Networks that did not complete are crosses along the lower edge.
    """
    ax = _axes(ax)
    name = str(frame.columns[0])
    columns = [column] if isinstance(column, str) else list(column)
    for wanted in columns:
        if wanted not in frame:
            raise unknown("column", wanted, [str(c) for c in frame.columns])
    values = list(dict.fromkeys(frame[name]))
    numeric = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)
    place = {v: (v if numeric else i) for i, v in enumerate(values)}
    done = frame[frame["status"] == "complete"]
    for i, wanted in enumerate(columns):
        by_value = done.groupby(name, sort=False)[wanted]
        low, middle, high = (by_value.quantile(q) for q in (0.25, 0.5, 0.75))
        x = [place[v] for v in middle.index]
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.scatter(done[name].map(place), done[wanted], s=14, color=colour, alpha=0.45, linewidths=0, marker=marker)
        if numeric:
            ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
            ax.plot(x, middle, STYLES[i % len(STYLES)], color=colour, marker=marker, ms=5, label=title(wanted))
        else:
            ax.errorbar(
                x, middle, [middle - low, high - middle], fmt=marker, color=colour, capsize=4, label=title(wanted)
            )
    lost = frame[frame["status"] != "complete"]
    if len(lost):
        ax.plot(
            lost[name].map(place), np.full(len(lost), 0.03), "x", color="#444444", ls="none", clip_on=False,
            transform=ax.get_xaxis_transform(), label="diverged or failed",
        )  # fmt: skip
    if numeric:
        positive = [float(v) for v in values if v > 0]
        if len(positive) == len(values) and max(positive) / min(positive) >= 20:
            ax.set_xscale("log")
    else:
        ax.set_xticks(range(len(values)), [str(v) for v in values])
    ax.set(xlabel=title(name), ylabel=label or " / ".join(title(c) for c in columns))
    if len(columns) > 1 or len(lost):
        ax.legend()
    return ax


def progress(study: Study | Mapping[str, Study], ax: Axes | None = None) -> Axes:
    """Draw every trial's score (dots) and the best so far (steps) against the epochs spent.

    Args:
        study: one study, or several by name, of the same objective.
        ax: where to draw, default a new figure.
    """
    ax = _axes(ax)
    several = study if isinstance(study, Mapping) else {"": study}
    for i, (name, one) in enumerate(several.items()):
        spent = one.trials["epochs"].cumsum()
        score = one.trials["score"].astype(float)
        best = score.cummax() if one.greater_is_better else score.cummin()
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.scatter(spent, score, s=18, color=colour, alpha=0.5, marker=marker, linewidths=0)
        ax.step(spent, best.ffill(), STYLES[i % len(STYLES)], where="post", color=colour,
                label=f"{name or 'best so far'}")  # fmt: skip
        ax.set_ylabel(f"{title(one.objective)} on validation rows")
    ax.set_xlabel("epochs spent")
    ax.legend()
    return ax


def searched(study: Study, task: Task, x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw where a study looked: two hyperparameters against each other, coloured by score.

    Args:
        study: from `hpt.tune`.
        task: the task it tuned; its space gives the axes their limits and scales.
        x: hyperparameter along the horizontal axis.
        y: hyperparameter along the vertical axis.
        ax: where to draw, default a new figure.
    """
    ax = _axes(ax)
    done = study.trials[study.trials["status"] == "complete"]
    for name, set_scale, set_limits in ((x, ax.set_xscale, ax.set_xlim), (y, ax.set_yscale, ax.set_ylim)):
        if name not in task.space:
            raise unknown("hyperparameter", name, list(task.space))
        domain = task.space[name]
        if isinstance(domain, Choice):
            raise InvalidInput(f"{name} is a choice without an order: draw a numeric hyperparameter")
        set_scale("log" if domain.log else "linear")
        pad = (domain.high / domain.low) ** 0.05 if domain.log else (domain.high - domain.low) * 0.05
        set_limits(*((domain.low / pad, domain.high * pad) if domain.log else (domain.low - pad, domain.high + pad)))
    dots = ax.scatter(done[x], done[y], c=done["score"].astype(float), cmap="cividis", s=50, edgecolor="black", lw=0.5)
    best = study.trials.loc[study.best_trial]
    ax.plot(best[x], best[y], "*", ms=17, color="#D55E00", mec="black", mew=0.7, label="best", ls="none")
    ax.figure.colorbar(dots, ax=ax, label=f"{title(study.objective)}")
    ax.set(xlabel=title(x), ylabel=title(y))
    ax.legend(loc="upper left", bbox_to_anchor=(0, 1.12), borderaxespad=0)
    return ax


def _cycle(marks: Sequence[Any], things: Any) -> list[Any]:
    return [marks[i % len(marks)] for i in range(len(things))]
