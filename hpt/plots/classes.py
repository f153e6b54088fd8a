"""Pictures of classifiers: which classes are taken for which, the ROC curve, and what a choice of metric costs.

The confusion matrix and the curve are scikit-learn's. What is added is that a tuned network is not one network: both
take many, trained under as many seeds, and show how they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.errors import InvalidInput, unknown
from hpt.evidence import interval
from hpt.metrics import labels
from hpt.plots.basic import COLOURS, MARKERS, STYLES, legend, plain_log, title
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def confusions(y: Array, outputs: Array) -> Array:
    """Count which class was taken for which, the mean over networks.

    Args:
        y: classes, shape ``(rows,)``.
        outputs: of a classifier, shape ``(networks, rows, outputs)``; a network that was lost is NaN, and left out.

    Returns:
        Shape ``(classes, classes)``: rows of the data by their true class (down) and the decided one (across).

    Raises:
        InvalidInput: for outputs of another shape, or if every network was lost.
    """
    from sklearn.metrics import confusion_matrix

    classes = range(max(2, _whole(y, outputs).shape[-1]))
    counts = [confusion_matrix(y, decided, labels=list(classes)) for decided in labels(_whole(y, outputs))]
    return np.asarray(np.mean(counts, axis=0))


def confusion(y: Array, outputs: Array, names: Sequence[str] = (), ax: Axes | None = None) -> Axes:
    """Draw the confusion matrix, the mean over networks. The colour is that of the errors: the diagonal is left white.

    Args:
        y: classes, shape ``(rows,)``.
        outputs: as `confusions` takes them.
        names: of the classes, default their numbers.
        ax: where to draw, default a new figure.
    """
    import matplotlib.pyplot as plt
    from sklearn.metrics import ConfusionMatrixDisplay

    counts = confusions(y, outputs)
    few = len(counts) <= 4
    if ax is None:
        ax = plt.subplots(figsize=(4.2, 3.6) if few else (6.0, 5.6))[1]
    errors = counts - np.diag(np.diag(counts))
    shown = ConfusionMatrixDisplay(np.where(errors > 0, errors, np.nan), display_labels=list(names) or None)
    shown.plot(ax=ax, cmap="Oranges", colorbar=False, include_values=False, im_kw={"vmin": 0})
    dark = 0.6 * max(float(errors.max()), 1e-9)
    for (row, column), count in np.ndenumerate(counts):
        if count:  # what never happened stays empty
            colour = "white" if row != column and count > dark else "black"
            weight = "bold" if row == column else "normal"
            size = "medium" if few else "small"
            ax.text(column, row, _number(count), ha="center", va="center", color=colour, weight=weight, size=size)
    ax.set(xlabel="decided class", ylabel="true class")
    ax.grid(visible=False)
    return ax


def roc(
    y: Array,
    outputs: Mapping[str, Array],
    positive: int = 1,
    corner: tuple[float, float] = (1.0, 0.0),
    ax: Axes | None = None,
) -> Axes:
    """Draw ROC curves: a thin line a network, and for each name their mean.

    The mean is taken upwards, over the shares of right alarms at the same share of false alarms.

    Args:
        y: two classes, shape ``(rows,)``.
        outputs: by name, shape ``(networks, rows, 1)``; a network that was lost is NaN, and left out.
        positive: the class that an alarm is raised for.
        corner: the largest share of false alarms and the smallest of right ones that is shown.
        ax: where to draw, default a new figure.

    Raises:
        InvalidInput: for more than two classes, for outputs of another shape, or if every network was lost.
    """
    import matplotlib.pyplot as plt
    from sklearn.metrics import RocCurveDisplay, roc_curve

    if ax is None:
        ax = plt.subplots(figsize=(5.2, 4.2))[1]
    at = np.linspace(0, 1, 2001)
    for i, (name, given) in enumerate(outputs.items()):
        found = _whole(y, given)
        if found.shape[-1] != 1:
            raise InvalidInput(f"a ROC curve is of two classes, one output a row; {name!r} has {found.shape[-1]}")
        # Only the order counts, and 1 - p would make equals of the smallest probabilities.
        chances = found[..., 0] if positive else -found[..., 0]
        curves = [roc_curve(y == positive, one)[:2] for one in chances]
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i % len(STYLES)]}
        if len(curves) > 1:
            thin = {"color": look["color"], "linestyle": "-", "linewidth": 0.6, "alpha": 0.35, "label": None}
            RocCurveDisplay(fpr=[x for x, _ in curves], tpr=[up for _, up in curves]).plot(ax=ax, curve_kwargs=thin)
            mean = np.mean([np.interp(at, x, up) for x, up in curves], axis=0)
            curves = [(np.r_[0, at], np.r_[0, mean])]  # the first step goes straight up
        ax.plot(*curves[0], linewidth=2.2, label=name, **look)
    right, low = corner
    ax.set(xlim=(-0.02 * right, right), ylim=(low, 1 + 0.02 * (1 - low)))
    ax.set(xlabel="false alarms (share of the other class)", ylabel="right alarms (share of the class)")
    ax.set_aspect("auto")
    legend(ax)
    return ax


def learning(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the validation loss of every trial, epoch by epoch, coloured by its learning rate; the winner is marked.

    Args:
        study: of a task whose space has a learning rate.
        ax: where to draw, default a new figure.

    Raises:
        UnknownName: if the study did not search a learning rate.
    """
    import matplotlib.pyplot as plt
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    if "learning_rate" not in study.trials:
        raise unknown("hyperparameter", "learning_rate", [str(column) for column in study.trials])
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 4.0))[1]
    rates = study.trials["learning_rate"].astype(float)
    scale = ScalarMappable(LogNorm(rates.min(), rates.max()), "cividis")
    losses = study.curves.groupby(["trial", "epoch"])["val_loss"].mean()
    for trial in losses.index.unique("trial"):
        if trial != study.best_trial:
            ax.plot(losses[trial], "-", color=scale.to_rgba(rates[trial]), lw=0.9, alpha=0.7)
    winner = losses[study.best_trial]
    ax.plot(winner, "-", color=COLOURS[1], lw=2, label="the winner")
    ax.plot(winner.index[-1], winner.iloc[-1], "*", color=COLOURS[1], ms=13, mec="black", mew=0.6, clip_on=False)
    ax.set(xlabel="epoch", ylabel="validation loss (nats)", yscale="log")
    plain_log(ax.yaxis)
    plain_log(ax.figure.colorbar(scale, ax=ax, label="learning rate").ax.yaxis, decades=True)
    legend(ax)
    return ax


def costs(judged: pd.DataFrame, metrics: Sequence[str]) -> Figure:
    """Draw what it costs in each metric to have chosen by another: paired differences with 95 % intervals.

    Args:
        judged: a row a search and metric that chose: ``repeat``, ``chosen_by``, and the score of its winner in each
            metric, a column each.
        metrics: names; a panel each, above 0 where choosing by another metric was worse.
    """
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(-(-len(metrics) // 2), 2, figsize=(7.2, 2.2 * -(-len(metrics) // 2)), squeeze=False)
    for ax, name in zip(panels.flat, metrics, strict=False):
        ax.axhline(0, color="black", lw=1, ls="-")
        others = [other for other in metrics if other != name]
        for place, other in enumerate(others):
            paid = cost(judged, name, other)
            mean, low, high = interval(paid)
            i = list(metrics).index(other)
            look: dict[str, Any] = {"color": COLOURS[i], "marker": MARKERS[i], "linestyle": "none"}
            ax.plot(place + 0.16 + 0.1 * np.linspace(-1, 1, len(paid)), paid, markersize=3.5, alpha=0.45, mew=0, **look)
            ax.errorbar(place - 0.14, mean, [[mean - low], [high - mean]], capsize=4, markersize=6, **look)
        short = {"accuracy": "accuracy", "f1": "F1", "roc_auc": "ROC-AUC", "log_loss": "log loss"}
        ax.set_xticks(range(len(others)), [short.get(other, title(other)) for other in others], fontsize="small")
        ax.set(xlim=(-0.5, len(others) - 0.5), ylabel=f"cost in {short.get(name, title(name))}")
        ax.grid(visible=False, axis="x")
        ax.locator_params(axis="y", nbins=5)
    for ax in panels.flat[len(metrics) :]:
        ax.set_axis_off()
    figure.supxlabel("chosen by", fontsize="medium")
    return figure


def cost(judged: pd.DataFrame, metric: str, by: str) -> Array:
    """Return, search by search, how much worse in a metric the winner by another one is than the metric's own winner.

    Args:
        judged: as `costs` takes it.
        metric: what is paid in; its own winner is the one to compare with.
        by: the metric that chose.
    """
    from hpt.metrics import metric as known

    wide = judged.pivot_table(index="repeat", columns="chosen_by", values=metric)
    return np.asarray(known(metric).sign * (wide[metric] - wide[by]))


def _whole(y: Array, outputs: Array) -> Array:
    """Return the outputs of the networks that were not lost."""
    found = np.asarray(outputs)
    if found.ndim != 3 or found.shape[1] != len(y):
        raise InvalidInput(f"outputs have shape (networks, {len(y)}, outputs), as many rows as y, got {found.shape}")
    kept = np.isfinite(found).all(axis=(1, 2))
    if not kept.any():
        raise InvalidInput("every network was lost, so there is nothing to draw")
    return np.asarray(found[kept])


def _number(count: float) -> str:
    """Whole numbers bare, small ones with what matters of them."""
    return f"{count:.0f}" if count >= 9.95 else f"{count:.1f}".removesuffix(".0") if count >= 0.1 else f"{count:.2f}"
