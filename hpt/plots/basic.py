"""Pictures of single runs, sweeps and searches, and the style that all pictures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.domains import Choice, Float, Int
from hpt.errors import InvalidInput, unknown
from hpt.metrics import METRICS
from hpt.space import Space
from hpt.study import Study
from hpt.sweeps import Trained
from hpt.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#767676"


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


def axes(ax: Axes | None) -> Axes:
    """Return the axes, or those of a new figure."""
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
    ax = axes(ax)
    several = trained if isinstance(trained, Mapping) else {"": trained}
    for colour, (name, network) in zip(cycled(COLOURS, several), several.items(), strict=True):
        for column, style, what in (("train_loss", "--", "training"), ("val_loss", "-", "validation")):
            label = f"{name}, {what}" if name else what
            ax.plot(network.curve["epoch"], network.curve[column], style, color=colour, label=label)
    ax.set(xlabel="epoch", ylabel="loss")
    legend(ax)
    return ax


def sweep(
    frame: pd.DataFrame | Mapping[str, pd.DataFrame],
    column: str | Sequence[str] = "score",
    ax: Axes | None = None,
    label: str = "",
) -> Axes:
    """Draw a sweep: a dot a network, a line through the medians, a band between the quartiles.

    Networks that did not complete stand along the lower edge: a cross diverged, a plus failed. A median that is
    missing some of its networks for that reason is hollow.

    Args:
        frame: from `hpt.sweep`; its first column is the hyperparameter. Or several sweeps of one
            hyperparameter by name, each in a colour of its own.
        column: what to draw against it; of a single sweep several columns can be drawn.
        ax: where to draw, default a new figure.
        label: of the axis; default the title of what is drawn.

    Raises:
        UnknownName: for a column that the sweep does not have.
    """
    ax = axes(ax)
    columns = [column] if isinstance(column, str) else list(column)
    frames = frame if isinstance(frame, Mapping) else {title(wanted): frame for wanted in columns}
    drawn = columns * len(frames) if isinstance(frame, Mapping) else columns
    whole = pd.concat(frame.values()) if isinstance(frame, Mapping) else frame
    name = str(whole.columns[0])
    values = list(dict.fromkeys(whole[name]))
    numeric = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)
    place = {v: (v if numeric else i) for i, v in enumerate(values)}
    for i, ((series, one), wanted) in enumerate(zip(frames.items(), drawn, strict=True)):
        if wanted not in one:
            raise unknown("column", wanted, [str(c) for c in one.columns])
        done = one[one["status"] == "complete"]
        by_value = done.groupby(name, sort=False)[wanted]
        low, middle, high = (by_value.quantile(q) for q in (0.25, 0.5, 0.75))
        x = [place[v] for v in middle.index]
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        ax.scatter(done[name].map(place), done[wanted], s=14, alpha=0.45, linewidths=0, **look)
        if numeric:
            ax.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)
            ax.plot(x, middle, linestyle=STYLES[i % len(STYLES)], ms=5, label=series, **look)
            partial = [v for v in middle.index if (one[one[name] == v]["status"] != "complete").any()]
            ax.plot([place[v] for v in partial], middle[partial], ls="none", ms=5, mfc="white", zorder=3, **look)
        else:
            ax.errorbar(x, middle, [middle - low, high - middle], ls="none", capsize=4, label=series, **look)
    for status, mark in (("diverged", "x"), ("failed", "+")):
        lost = whole[whole["status"] == status]
        if len(lost):
            edge: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False}
            ax.plot(
                lost[name].map(place), np.full(len(lost), 0.03), mark, color="#444444", ls="none", label=status, **edge
            )
    if numeric:
        _scale(ax, [float(v) for v in values])
    else:
        ax.set_xticks(range(len(values)), [str(v) for v in values])
    ax.set(xlabel=title(name), ylabel=label or " / ".join(title(c) for c in columns))
    if len(frames) > 1 or (whole["status"] != "complete").any():
        legend(ax)
    return ax


def _scale(ax: Axes, values: Sequence[float]) -> None:
    """Give values that span more than a factor of 20 a log axis, and whole numbers plain tick labels."""
    if min(values) > 0 and max(values) / min(values) >= 20:
        ax.set_xscale("log")
        if all(value == int(value) for value in values) and len(values) <= 9:
            ax.set_xticks(values, [f"{value:g}" for value in values])
            ax.set_xticks([], minor=True)


def progress(study: Study | Mapping[str, Study], ax: Axes | None = None) -> Axes:
    """Draw every trial's score (dots) and the best so far (steps) against the epochs spent.

    Args:
        study: one study, or several by name, of the same objective.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    several = study if isinstance(study, Mapping) else {"": study}
    for i, (name, one) in enumerate(several.items()):
        spent = one.trials["epochs"].cumsum()
        score = one.trials["score"].astype(float)
        best = score.cummax() if one.greater_is_better else score.cummin()
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.scatter(spent, score, s=18, color=colour, alpha=0.5, marker=marker, linewidths=0)
        ax.step(spent, best.ffill(), linestyle=STYLES[i % len(STYLES)], where="post", color=colour,
                label=f"{name or 'best so far'}")  # fmt: skip
        ax.set_ylabel(f"{title(one.objective)},\nvalidation rows")
    ax.set_xlabel("epochs spent")
    legend(ax)
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
    ax = axes(ax)
    done = study.trials[study.trials["status"] == "complete"]
    for name, set_scale, set_limits in ((x, ax.set_xscale, ax.set_xlim), (y, ax.set_yscale, ax.set_ylim)):
        domain = numeric(task.space, name)
        set_scale("log" if domain.log else "linear")
        pad = (domain.high / domain.low) ** 0.05 if domain.log else (domain.high - domain.low) * 0.05
        set_limits(*((domain.low / pad, domain.high * pad) if domain.log else (domain.low - pad, domain.high + pad)))
        if domain.log and domain.high / domain.low < 100:  # the usual labels would overprint, or be a single one
            plain_log(ax.xaxis if name == x else ax.yaxis, decades=False)
    dots = ax.scatter(done[x], done[y], c=done["score"].astype(float), cmap="cividis", s=50, edgecolor="black", lw=0.5)
    best = study.trials.loc[study.best_trial]
    ax.plot(best[x], best[y], "*", ms=17, color="#D55E00", mec="black", mew=0.7, label="best", ls="none")
    ax.figure.colorbar(dots, ax=ax, label=f"{title(study.objective)}")
    ax.set(xlabel=title(x), ylabel=title(y))
    legend(ax)
    return ax


def numeric(space: Space, name: str) -> Float | Int:
    """Return the domain of a hyperparameter that can be an axis.

    Raises:
        UnknownName: for a name that is not in the space.
        InvalidInput: for a choice.
    """
    domain = space[name]
    if isinstance(domain, Choice):
        raise InvalidInput(f"{name} is a choice without an order: draw a numeric hyperparameter")
    return domain


def legend(ax: Axes, columns: int = 2) -> None:
    """Put the legend above the axes, where no data are, in so many columns."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=columns, fontsize="small")


def cycled(marks: Sequence[Any], things: Any) -> list[Any]:
    """Return as many marks as there are things, from the first one again when they run out."""
    return [marks[i % len(marks)] for i in range(len(things))]


def sheets(
    stack: Any, ax: Axes | None = None, names: Sequence[str] = (), at: tuple[float, float] = (0, 0), pitch: float = 0.0
) -> Axes:
    """Draw the matrices of a stack as sheets, each with its numbers; the first one lies lowest.

    Args:
        stack: array of shape ``(members, rows, columns)``; a number is one unit wide and high.
        ax: where to draw, default a new figure.
        names: what is written to the left of each sheet.
        at: lower left corner of the first sheet.
        pitch: how far one sheet lies above the last, default its rows and a little.
    """
    from matplotlib.patches import Rectangle

    ax = axes(ax)
    numbers = np.asarray(stack)
    _, rows, columns = numbers.shape
    pitch = pitch or rows + 0.4
    for member, sheet in enumerate(numbers):
        left, low = at[0] + 0.45 * member, at[1] + pitch * member
        colour = COLOURS[member % len(COLOURS)]
        for row, column in np.ndindex(rows, columns):
            x, y = left + column, low + rows - 1 - row
            ax.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, alpha=0.15, linewidth=0))
            ax.text(x + 0.5, y + 0.5, f"{sheet[row, column]:g}", ha="center", va="center")
        ax.add_patch(Rectangle((left, low), columns, rows, fill=False, edgecolor=colour, linewidth=1.6))
        if member < len(names):
            ax.text(left - 0.15, low + rows / 2, names[member], ha="right", va="center", fontsize="small")
    ax.autoscale_view()
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def ranges(frame: pd.DataFrame, value: str, names: str, series: str, ax: Axes | None = None, label: str = "") -> Axes:
    """Draw medians as dots and what lies between smallest and largest as lines, along a log axis.

    Args:
        frame: a row a dot; beside the column ``value`` it has ``value_min`` and ``value_max``.
        value: which column to draw.
        names: column whose values stand along the vertical axis, the first one on top.
        series: column whose values differ in colour and mark.
        ax: where to draw, default a new figure.
        label: of the axis, default the column's name.
    """
    ax = axes(ax)
    places, kinds = list(dict.fromkeys(frame[names])), list(dict.fromkeys(frame[series]))
    for i, kind in enumerate(kinds):
        own = frame[frame[series] == kind]
        y = [places.index(name) + 0.24 * (i - (len(kinds) - 1) / 2) for name in own[names]]
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.hlines(y, own[f"{value}_min"], own[f"{value}_max"], color=colour, lw=2, alpha=0.6)
        ax.plot(own[value], y, marker, color=colour, ls="none", label=str(kind))
    ax.set_yticks(range(len(places)), [str(name) for name in places])
    ax.set(xscale="log", xlabel=label or value.replace("_", " "), ylim=(len(places) - 0.4, -0.6))
    plain_log(ax.xaxis)
    if len(kinds) > 1:
        legend(ax)
    return ax


def plain_log(axis: Any, decades: bool | None = None) -> None:
    """Label a log axis with plain numbers: the powers of ten, and more between them where few of them fit.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.
        decades: the powers of ten only; default where the axis spans more than two of them.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    few = high / low > 100 if decades is None else decades
    steps = (1.0,) if few else (1.0, 2.0, 5.0) if high / low > 5 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
