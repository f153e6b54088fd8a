"""Pictures for the two choices of a strategy, for manual search and for grids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.comparison import Comparison
from hpt.evidence import interval
from hpt.plots.basic import COLOURS, GREY, MARKERS, STYLES, axes, legend, plain_log, title
from hpt.samplers import Sampler
from hpt.schedules import Schedule
from hpt.space import Configuration, Space
from hpt.strategies import Strategy
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def differences(
    rows: Mapping[str, Iterable[float]], ax: Axes | None = None, label: str = "difference", names: Sequence[str] = ()
) -> Axes:
    """Draw paired differences: a small mark a repeat, the mean and its 95 % interval above them, a line at 0.

    Args:
        rows: differences by name; the first stands on top.
        ax: where to draw, default a new figure.
        label: of the horizontal axis, with its unit.
        names: what the two sides of 0 mean, left and right; written below the axis.
    """
    ax = axes(ax)
    ax.axvline(0, color="black", lw=1, ls="-")
    for i, values in enumerate(rows.values()):
        numbers = np.asarray(list(values), dtype=float)
        mean, low, high = interval(numbers)
        colour, mark = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        spread = 0.14 * np.linspace(-1, 1, len(numbers))[np.argsort(np.argsort(numbers)) * 7 % len(numbers)]
        ax.plot(numbers, i + 0.18 + spread, mark, color=colour, ms=4, alpha=0.5, mew=0, ls="none")
        ax.errorbar(mean, i - 0.22, xerr=[[mean - low], [high - mean]], fmt=mark, color=colour, capsize=5, lw=2, ls="-")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlabel=label)
    ax.grid(visible=False, axis="y")
    ax.locator_params(axis="x", nbins=5)
    if names:
        ax.set_xlabel(f"{label}\n← {names[0]}      {names[1]} →")
    return ax


def product(
    samplers: Mapping[str, Sampler],
    schedules: Mapping[str, Schedule],
    strategies: Iterable[Strategy],
    own: Sequence[tuple[str, str]] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the table of all pairs: a row a sampler, a column a schedule, a filled square where a pair has a name.

    Args:
        samplers: one of each kind, by title.
        schedules: one of each kind, by title.
        strategies: the pairs that have a name.
        own: pairs of titles to mark with a star.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    rows = {type(sampler): row for row, sampler in enumerate(samplers.values())}
    columns = {type(schedule): column for column, schedule in enumerate(schedules.values())}
    taken: dict[tuple[int, int], str] = {}
    for one in strategies:
        taken[columns[type(one.schedule)], rows[type(one.sampler)]] = one.name.replace("_", " ")
    starred = [(list(schedules).index(column), list(samplers).index(row)) for row, column in own]
    free = [(x, y) for y in range(len(rows)) for x in range(len(columns)) if (x, y) not in {*taken, *starred}]
    for places, mark, size, face, colour, what in (
        (list(taken), "s", 11, COLOURS[0], COLOURS[0], "has a name"),
        (free, "o", 7, "none", GREY, "has none, and runs all the same"),
        (starred, "*", 17, COLOURS[1], COLOURS[1], "our own pair"),
    ):
        if places:
            x, y = zip(*places, strict=True)
            ax.plot(x, y, mark, ms=size, mfc=face, mec=colour, mew=1.4, ls="none", label=what)
    for (column, row), name in taken.items():
        ax.text(column, row + 0.42, name, ha="center", va="center", fontsize="small")
    ax.set_xticks(range(len(columns)), [name.replace(" ", "\n") if len(name) > 10 else name for name in schedules])
    ax.set_yticks(range(len(rows)), list(samplers))
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.3, -0.6), xlabel="schedule", ylabel="sampler")
    ax.grid(visible=False)
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.15, 1), ncols=3, fontsize="small", borderaxespad=0.2, markerscale=0.8
    )
    return ax


def bracket(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the networks of a study's first bracket: the score of each at every rung, a cross where it was stopped."""
    ax = axes(ax)
    rungs = study.rungs[study.rungs["bracket"] == 0]
    last = rungs["epoch"].max()
    for i, (trial, own) in enumerate(rungs.groupby("trial")):
        colour, mark = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.plot(own["epoch"], own["score"], mark, ls=STYLES[i % len(STYLES)], color=colour, label=f"trial {trial}")
        end = own.iloc[-1]
        if end["epoch"] < last:
            ax.plot(end["epoch"], end["score"], "x", ms=17, mew=1.6, color="#444444", ls="none", zorder=1)
    ax.plot([], [], "x", ms=10, mew=2, color="#444444", ls="none", label="stopped here")
    ax.margins(y=0.1)
    ax.set_xticks(sorted(rungs["epoch"].unique()))
    ax.set(xlabel="epoch at which the rung is judged", ylabel=f"{title(study.objective)} on validation rows")
    legend(ax, 3)
    return ax


def changed(study: Study) -> pd.DataFrame:
    """Return what each trial of a path changed, seen from the best one before it, and whether it helped.

    Returns:
        One row a trial: ``trial``, ``change`` in words, ``score``, and ``helped``.
    """
    rows: list[tuple[int, str, float, bool]] = []
    best: int | None = None
    for number, score in zip(study.trials["number"], study.trials["score"].astype(float), strict=True):
        now, before = study.configurations[number], study.configurations[best] if best is not None else {}
        words = [f"{title(name)} {value:g}" for name, value in now.items() if before.get(name) != value]
        sign = 1 if study.greater_is_better else -1
        helped = best is None or sign * score > sign * float(study.trials["score"].iloc[best])
        rows.append((number, "start" if best is None else ", ".join(words) or "nothing", score, bool(helped)))
        best = number if helped else best
    return pd.DataFrame(rows, columns=["trial", "change", "score", "helped"])


def path(study: Study, ax: Axes | None = None) -> Axes:
    """Draw a path of single changes: each trial's score, filled where it helped, and the best so far as steps."""
    ax = axes(ax)
    frame = changed(study)
    best = frame["score"].cummax() if study.greater_is_better else frame["score"].cummin()
    ax.step(frame["trial"], best, where="post", color=GREY, ls="--", label="best so far")
    for helped, mark, face, what in ((True, "o", COLOURS[0], "kept"), (False, "s", "white", "taken back")):
        own = frame[frame["helped"] == helped]
        ax.plot(own["trial"], own["score"], mark, color=COLOURS[0], mfc=face, ms=8, ls="none", label=what)
    ax.set_xticks(frame["trial"], frame["change"], rotation=35, ha="right", fontsize="small")
    ax.set(xlabel="what was changed", ylabel=f"{title(study.objective)} on validation rows", yscale="log")
    plain_log(ax.yaxis)
    legend(ax, 3)
    return ax


def best_so_far(comparison: Comparison, price: int, ax: Axes | None = None, column: str = "score") -> Axes:
    """Draw how good the best network was after so many full trainings: median and quartiles over the repeats.

    Args:
        comparison: of strategies that train in full.
        price: epochs of one training.
        ax: where to draw, default a new figure.
        column: ``"score"`` on validation rows, or ``"test"``.
    """
    ax = axes(ax)
    for i, (name, epochs) in enumerate(comparison.epochs.items()):
        trials = np.arange(1, epochs // price + 1)
        best = [comparison.best_at(name, int(n) * price, column) for n in trials]
        low, middle, high = ([one.quantile(q) for one in best] for q in (0.25, 0.5, 0.75))
        colour, style = COLOURS[i % len(COLOURS)], STYLES[i % len(STYLES)]
        ax.fill_between(trials, low, high, step="post", color=colour, alpha=0.15, lw=0)
        ax.step(trials, middle, where="post", color=colour, ls=style, lw=2, label=name)
    rows = "test rows" if column == "test" else "validation rows"
    ax.set(xlabel="trials", ylabel=f"best {title(comparison.objective)}\non {rows}", yscale="log")
    plain_log(ax.yaxis)
    legend(ax)
    return ax


def explosion(counts: pd.DataFrame, measured: Mapping[int, float], each: float, ax: Any = None) -> Any:
    """Draw what a grid costs: combinations against hyperparameters, and seconds, measured and multiplied out.

    Args:
        counts: a row a number of hyperparameters (its index), a column a number of values.
        measured: seconds of the grids that were run, by the number of hyperparameters.
        each: seconds of one network trained by itself.
        ax: two axes, default those of a new figure.
    """
    import matplotlib.pyplot as plt

    left, right = plt.subplots(1, 2, figsize=(8.2, 3.6))[1] if ax is None else ax
    for i, column in enumerate(counts):
        mark, style, colour = MARKERS[i], STYLES[i], COLOURS[i]
        left.plot(counts.index, counts[column], mark, ls=style, color=colour, label=f"{column} values each")
    left.set(yscale="log", ylabel="combinations")
    threes = counts[3]
    right.plot(threes.index, threes * each, "D", ls="--", color=COLOURS[3], label="one by one (multiplied out)")
    right.plot(list(measured), list(measured.values()), "o", ls="-", color=COLOURS[0], label="stacked (measured)")
    right.set(yscale="log", ylabel="seconds, 3 values each")
    plain_log(right.yaxis)
    for one in (left, right):
        one.set_xlabel("hyperparameters")
        one.set_xticks(list(counts.index))
        one.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize="small", borderaxespad=0.2)
    return left, right


def piles(searches: Mapping[str, Sequence[Configuration]], space: Space, name: str, ax: Axes | None = None) -> Axes:
    """Draw what searches look like from one hyperparameter's side: a dot a trial, equal values piled up.

    Args:
        searches: configurations by the name of their search; each search stands on a line of its own.
        space: that was searched.
        name: the hyperparameter.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    domain, level, ticks = space[name], 0.0, []
    for i, one in enumerate(searches.values()):
        values = pd.Series([configuration[name] for configuration in one])
        ticks.append(level)
        heights = values.groupby(values).cumcount()
        mark, colour = MARKERS[i % len(MARKERS)], COLOURS[i % len(COLOURS)]
        ax.plot(values, level + heights, mark, color=colour, ms=6, alpha=0.8, mew=0, ls="none")
        level += float(heights.max()) + 3
    ax.set_xscale("log" if getattr(domain, "log", False) else "linear")
    ax.set_yticks(ticks, [f"{search}\n({len({c[name] for c in one})} values)" for search, one in searches.items()])
    ax.set(xlabel=title(name), ylim=(-1, level - 1.5))
    ax.grid(visible=False, axis="y")
    return ax


def order(
    configurations: Sequence[Configuration], space: Space, cut: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw in which order a search walks: a column a trial, a row a hyperparameter, dark for a high value.

    Args:
        configurations: in the order in which they are tried.
        space: that is searched.
        cut: how many of them the budget pays for; a line stands behind the last one.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    shares = [[space[name].share(one[name]) for one in configurations] for name in space]
    image = ax.imshow(shares, aspect="auto", cmap="cividis_r", vmin=0, vmax=1, interpolation="nearest")
    if cut is not None:
        ax.axvline(cut - 0.5, color=COLOURS[1], lw=3, ls="--")
        ax.text(
            cut - 0.3, -0.62, f"the budget ends after {cut}", color="#a04000", ha="left", va="bottom", fontsize="small"
        )
    ax.set_yticks(range(len(space)), [title(name) for name in space])
    ax.set(xlabel="trial, in the order of the grid")
    ax.grid(visible=False)
    ax.figure.colorbar(image, ax=ax, ticks=[0, 1]).ax.set_yticklabels(["lowest\nvalue", "highest\nvalue"])
    return ax
