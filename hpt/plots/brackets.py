"""Pictures of brackets: what a schedule costs, who is cut and when, and what a model of the scores looks like."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.comparison import Comparison
from hpt.errors import InvalidInput, unknown
from hpt.plots.basic import COLOURS, MARKERS, STYLES, axes, legend, numeric, plain_log, title
from hpt.samplers.bohb import Density
from hpt.schedules import Brackets
from hpt.space import Space
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def areas(plan: Brackets) -> Figure:
    """Draw a plan, a panel a bracket: networks in training against the epoch. An area is what a rung costs.

    What lies left of a rung, hatched, is what it would cost more if its networks began anew.

    Args:
        plan: from `hpt.schedules`.
    """
    import matplotlib.pyplot as plt

    fig, panels = plt.subplots(
        1, len(plan.brackets), sharey=True, squeeze=False, figsize=(2.0 * len(plan.brackets) + 1, 3.0)
    )
    for ax, (number, rungs) in zip(panels[0], reversed(list(enumerate(reversed(plan.brackets)))), strict=True):
        before = 0
        for i, rung in enumerate(rungs):
            look: dict[str, Any] = {"align": "edge", "height": rung.networks, "y": 0}
            ax.barh(left=before, width=rung.epoch - before, color=COLOURS[i % len(COLOURS)], alpha=0.75, lw=0, **look)
            if before:
                ax.barh(left=0, width=before, fill=False, hatch="////", edgecolor="#999999", lw=0.5, **look)
            ax.text((before + rung.epoch) / 2, rung.networks, rung.networks, ha="center", va="bottom", fontsize="small")
            before = rung.epoch
        ax.text(0.95, 0.95, f"bracket {number}", transform=ax.transAxes, ha="right", va="top", fontsize="small")
        ax.set(xlabel="epoch", xlim=(0, 1.02 * rungs[-1].epoch))
        ax.set_xticks(sorted({0, *(rung.epoch for rung in rungs[-2:])}))
        ax.grid(visible=False)
    panels[0, 0].set_ylabel("networks in training")
    return fig


def cuts(study: Study, bracket: int = 0, ax: Axes | None = None) -> Axes:
    """Draw the score of every network of a bracket, epoch by epoch, up to where it was cut.

    Args:
        study: of a schedule that cuts.
        bracket: which one, counted from the start of the study.
        ax: where to draw, default a new figure.

    Raises:
        InvalidInput: for a bracket that the study does not have.
    """
    ax = axes(ax)
    judged = study.rungs[study.rungs["bracket"] == bracket]
    if judged.empty:
        raise InvalidInput(f"this study has brackets 0 to {study.rungs['bracket'].max()}, got {bracket!r}")
    ends = judged.groupby("trial")["epoch"].max()
    rungs = sorted(judged["epoch"].unique())
    for trial, end in ends.items():
        points = study.curves[study.curves["trial"] == trial].groupby("epoch")["score"].mean()
        place = rungs.index(end)
        last = place == len(rungs) - 1
        colour, marker = COLOURS[place % len(COLOURS)], "*" if last else MARKERS[place % len(MARKERS)]
        ax.plot(points.index, points, "-", color=colour, lw=1.8 if last else 0.9, alpha=0.9 if last else 0.6)
        ax.plot([end], [points.loc[end]], marker, color=colour, ms=13 if last else 5, mec="black", mew=0.4)
    for place, epoch in enumerate(rungs):
        count = int((ends == epoch).sum())
        last = place == len(rungs) - 1
        what = "trained to the end" if last else f"cut after epoch {epoch}"
        ax.plot([], [], "*" if last else MARKERS[place % len(MARKERS)], ls="none", color=COLOURS[place % len(COLOURS)],
                label=f"{count} {what}")  # fmt: skip
        ax.axvline(epoch, color="#aaaaaa", ls=":", lw=1, zorder=0)
    if not study.greater_is_better:
        ax.set_yscale("log")
    ax.set_xscale("log")
    _plain_logs(ax)
    usual = (lead * 10**power for power in range(6) for lead in (1, 3))
    free = [epoch for epoch in usual if epoch < rungs[-1] and all(not 1 / 2 < epoch / rung < 2 for rung in rungs)]
    ax.set_xticks([*rungs, *free], [str(epoch) for epoch in (*rungs, *free)])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="epoch (log scale)", ylabel=f"{title(study.objective)},\nvalidation rows")
    legend(ax)
    return ax


def early(places: pd.DataFrame, kept: Mapping[int, int]) -> Figure:
    """Draw the place of every network after some epochs against its place at the end, a panel an epoch.

    Args:
        places: a row a network, a column an epoch; 1 is best. The last column is the end.
        kept: by epoch, how many the schedule keeps there; those that end best of all, as many as it keeps last, are
            marked, and filled where they were cut.
    """
    import matplotlib.pyplot as plt

    *first, end = (int(epoch) for epoch in places.columns)
    fig, panels = plt.subplots(1, len(first), sharey=True, squeeze=False, figsize=(2.9 * len(first) + 0.6, 3.3))
    for ax, epoch in zip(panels[0], first, strict=True):
        top = places[end] <= kept[epoch]
        lost = top & (places[epoch] > kept[epoch])
        for group, marker, colour, label in (
            (~top, "o", "#999999", "others"),
            (top & ~lost, "^", COLOURS[0], "belongs there, kept"),
            (lost, "X", COLOURS[1], "belongs there, cut"),
        ):
            ax.plot(
                places.loc[group, epoch], places.loc[group, end], marker, color=colour, ms=4, ls="none", label=label
            )
        ax.axvline(kept[epoch] + 0.5, color="black", ls=":", lw=1)
        ax.set(xlabel=f"place after epoch {epoch}")
    panels[0, 0].set_ylabel(f"place after epoch {end}")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="small")
    return fig


def anytime(
    comparison: Comparison, names: Sequence[str] | None = None, ax: Axes | None = None, column: str = "score"
) -> Axes:
    """Draw the best so far against epochs spent, a line a strategy: the median over repeats and its 95 % interval.

    A line begins where every repeat has judged a network. The interval is a percentile bootstrap over repeats.

    Args:
        comparison: from `hpt.compare`.
        names: which strategies, default all.
        ax: where to draw, default a new figure.
        column: ``"score"`` on validation rows, or ``"test"``.
    """
    ax = axes(ax)
    chosen = list(comparison.strategies if names is None else names)
    for name in chosen:
        if name not in comparison.epochs:
            raise unknown("strategy", name, comparison.strategies)
    highest = max(comparison.epochs[name] for name in chosen)
    at = np.unique(np.geomspace(1, highest, 120).astype(int))
    found = comparison.anytime([int(epochs) for epochs in at], column)
    lots = np.random.default_rng(0).integers(comparison.repeats, size=(1000, comparison.repeats))
    for i, name in enumerate(chosen):
        own = found[(found["strategy"] == name) & (found["spent"] <= comparison.epochs[name])]
        wide = _wide(own, column).dropna(axis="columns")
        low, high = np.quantile(np.median(wide.to_numpy()[lots], axis=1), (0.025, 0.975), axis=0)
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)]}
        ax.fill_between(wide.columns, low, high, alpha=0.1, lw=0, step="post", **look)
        ax.step(wide.columns, wide.median(), where="post", ls=STYLES[i % len(STYLES)], marker=MARKERS[i % len(MARKERS)],
                markevery=(4 * i, 24), ms=5, label=name.replace("_", " "), **look)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="epochs spent (log scale)")
    ax.set_ylabel(f"best {title(comparison.objective)} so far,\n{'test' if column == 'test' else 'validation'} rows")
    _plain_logs(ax)
    legend(ax)
    return ax


def against(
    comparison: Comparison,
    reference: str,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
    column: str = "score",
) -> Axes:
    """Draw by which factor a strategy's best so far is that of a reference, epoch by epoch.

    The line is the geometric mean over paired repeats, the band its 95 % interval (percentile bootstrap over
    repeats). It begins where every repeat of both has judged a network, and ends where the shorter budget does.

    Args:
        comparison: of an objective that is positive, such as a loss.
        reference: name of the strategy that the others are divided by.
        names: which strategies, default all others.
        ax: where to draw, default a new figure.
        column: ``"score"`` on validation rows, or ``"test"``.

    Raises:
        UnknownName: for a strategy that was not compared.
    """
    ax = axes(ax)
    chosen = [name for name in names or comparison.strategies if name != reference]
    for name in (reference, *chosen):
        if name not in comparison.epochs:
            raise unknown("strategy", name, comparison.strategies)
    at = np.unique(np.geomspace(1, max(comparison.epochs.values()), 160).astype(int))
    found = comparison.anytime([int(epochs) for epochs in at], column)
    lots = np.random.default_rng(0).integers(comparison.repeats, size=(1000, comparison.repeats))
    for i, name in enumerate(comparison.strategies):
        if name not in chosen:
            continue
        end = min(comparison.epochs[name], comparison.epochs[reference])
        part = found[found["spent"] <= end]
        one, other = (_wide(part[part["strategy"] == which], column) for which in (name, reference))
        logs = (one / other).dropna(axis="columns").map(math.log)
        low, high = np.exp(np.quantile(logs.to_numpy()[lots].mean(axis=1), (0.025, 0.975), axis=0))
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)]}
        ax.fill_between(logs.columns, low, high, alpha=0.15, lw=0, step="post", **look)
        ax.step(logs.columns, np.exp(logs.mean()), where="post", ls=STYLES[i % len(STYLES)],
                marker=MARKERS[i % len(MARKERS)], markevery=(3 * i, 15), ms=5, label=name.replace("_", " "),
                **look)  # fmt: skip
    ax.axhline(1, color="black", ls=":", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="epochs spent (log scale)")
    rows = "test" if column == "test" else "validation"
    ax.set_ylabel(f"factor of {reference.replace('_', ' ')}'s,\n{rows} rows (log scale)")
    _plain_logs(ax)
    legend(ax)
    return ax


def _wide(found: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a repeat, a column a number of epochs."""
    return found.pivot_table(index="repeat", columns="spent", values=column, dropna=False)


def densities(space: Space, name: str, good: Density, bad: Density, ax: Axes | None = None) -> Axes:
    """Draw what a model of BOHB believes of one hyperparameter: where the good lie (l) and where the bad lie (g).

    Args:
        space: of the search.
        name: of a numeric hyperparameter; the others are averaged away.
        good: density of the good.
        bad: density of the bad.
        ax: where to draw, default a new figure.

    Raises:
        UnknownName: for a hyperparameter that the space does not have.
        InvalidInput: for a choice.
    """
    ax = axes(ax)
    domain, i = numeric(space, name), list(space).index(name)
    shares = np.linspace(0, 1, 301)
    line = domain.low * (domain.high / domain.low) ** shares if domain.log else None
    x = line if line is not None else domain.low + (domain.high - domain.low) * shares
    for density, colour, style, marker, label, level in (
        (good, COLOURS[0], "-", "^", "good: l", -0.06),
        (bad, COLOURS[1], "--", "v", "bad: g", -0.13),
    ):
        alone = Density(density.points[:, [i]], density.levels[[i]])
        alone.bandwidths = density.bandwidths[[i]]
        ax.plot(x, alone.pdf(shares[:, None]), style, color=colour, label=label)
        at = np.interp(density.points[:, i], shares, x)
        ax.plot(at, np.full(len(at), level), marker, color=colour, ms=5, ls="none", clip_on=False,
                transform=ax.get_xaxis_transform())  # fmt: skip
    if domain.log:
        ax.set_xscale("log")
    ax.tick_params(axis="x", pad=26)
    ax.set(xlabel=title(name), ylabel="density on the scale searched", xlim=(domain.low, domain.high), ylim=(0, None))
    _plain_logs(ax, domain.log and domain.high / domain.low > 100)
    legend(ax)
    return ax


def proposals(study: Study, drawn: Sequence[bool], name: str, space: Space, ax: Axes | None = None) -> Axes:
    """Draw the value that each trial got for a hyperparameter, random draws hollow, those of a model filled.

    Args:
        study: a search.
        drawn: for each trial whether it was a random draw.
        name: of a numeric hyperparameter.
        space: of the search.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    domain = numeric(space, name)
    at_random = np.array(drawn)
    number, value = study.trials["number"], study.trials[name]
    ax.plot(
        number[at_random], value[at_random], "o", mfc="white", color=COLOURS[6], ms=6, ls="none", label="random draw"
    )
    ax.plot(number[~at_random], value[~at_random], "s", color=COLOURS[2], ms=6, ls="none", label="from the model")
    starts = study.rungs.groupby("bracket")["trial"].min()
    for start in starts.iloc[1:]:
        ax.axvline(start - 0.5, color="#aaaaaa", ls=":", lw=1)
    ax.set(xlabel="trial (dotted: a new bracket)", ylabel=title(name), yscale="log" if domain.log else "linear")
    _plain_logs(ax, domain.log and domain.high / domain.low > 100)
    legend(ax)
    return ax


def _plain_logs(ax: Axes, decades: bool = False) -> None:
    """Label those of both axes that are logarithmic."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            plain_log(axis, decades)
