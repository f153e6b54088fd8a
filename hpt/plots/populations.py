"""Pictures of populations: who took over from whom, where it moved, and what it bred."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpt.errors import unknown
from hpt.plots.basic import COLOURS, MARKERS, axes, legend, numeric, title
from hpt.space import Configuration, Space
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = "#b0b0b0"
HATCHES = ("", "//", "..", "xx", "\\\\")


def families(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the places of a population against the epochs, coloured by the first trial that a network descends from.

    A small population (up to 8) is drawn in full: a trial's number stands where it begins, a cross where it is given
    up, and an arrow leads from the parent to the heir that takes its place. In a larger one only the families that
    are left at the end have a colour.

    Args:
        study: by population-based training, one bracket of it.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    parents, standing = _parents(study), _places(study)
    looks, last = list(standing), list(standing)[-1]
    left = list(dict.fromkeys(sorted(_root(trial, parents) for trial in standing[last])))
    small = len(standing[last]) <= 8
    for before, epoch in zip([0, *looks], looks, strict=False):
        for place, trial in enumerate(standing[epoch]):
            family = _root(trial, parents)
            i = family if small else left.index(family) if family in left else -1
            colour, mark = (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) if i >= 0 else (PALE, "")
            ax.plot([before, epoch], [place, place], "-", color=colour, lw=2.5, solid_capstyle="butt")
            if before and trial in standing[before]:
                continue
            ax.plot([before], [place], marker=mark, color=colour, ms=9 if small else 5, mec="black", mew=0.6, ls="none")
            if small:
                ax.annotate(f"trial {trial}", (before, place), (8, 6), textcoords="offset points", fontsize="small")
            if small and trial in parents:
                ax.plot([before - 0.015 * last], [place], "x", color="black", ms=9, mew=2)
                ax.annotate("", (before, place), (before, standing[before].index(parents[trial])), arrowprops={
                    "arrowstyle": "-|>", "color": "black", "lw": 1.2, "shrinkA": 2, "shrinkB": 6})  # fmt: skip
    ax.plot([last], [standing[last].index(study.best_trial)], "*", color="black", ms=15, clip_on=False, zorder=5)
    ax.set(xlabel="epoch (dotted: a look)", ylabel="place in the population")
    ax.set(xlim=(-0.02 * last, 1.02 * last), ylim=(len(standing[last]) - 0.5, -0.5))
    ax.set_yticks(range(len(standing[last])) if small else [])
    ax.set_xticks([0, *looks])
    for look in looks[:-1]:
        ax.axvline(look, color=PALE, ls=":", lw=1, zorder=0)
    ax.grid(visible=False)
    return ax


def _places(study: Study) -> dict[int, list[int]]:
    """By look, the trial in each place. Who goes on keeps its place, and heirs take those that became free."""
    rungs = study.rungs
    judged = {
        look: rungs.loc[rungs["epoch"] == look, "trial"].tolist() for look in sorted(set(rungs["epoch"].tolist()))
    }
    standing: dict[int, list[int]] = {}
    now: list[int] = []
    for epoch, trials in judged.items():
        heirs = [trial for trial in trials if trial not in now]
        now = [trial if trial in trials else heirs.pop(0) for trial in now] if now else list(trials)
        standing[epoch] = list(now)
    return standing


def schedule(study: Study, name: str = "learning_rate", space: Space | None = None, ax: Axes | None = None) -> Axes:
    """Draw what a hyperparameter was over the epochs: of the winner's lineage, and pale behind it of all trials.

    Args:
        study: by population-based training.
        name: of a hyperparameter that is a number.
        space: of the search, for scale and limits; default a log scale where the values span a factor of 20.
        ax: where to draw, default a new figure.

    Raises:
        UnknownName: for a hyperparameter that the study does not have.
    """
    ax = axes(ax)
    if name not in study.trials:
        raise unknown("hyperparameter", name, list(study.configurations[0]))
    for i, trial in enumerate(study.trials["number"]):
        own = study.lineage(int(trial)).iloc[-1]
        label = "the other trials" if i == 0 else None
        ax.plot([own["from_epoch"], own["to_epoch"]], [own[name]] * 2, "-", color=PALE, lw=1, alpha=0.8, label=label)
    line = study.lineage()
    x, y = [*line["from_epoch"], line["to_epoch"].iloc[-1]], [*line[name], line[name].iloc[-1]]
    ax.step(x, y, where="post", ls="-", color=COLOURS[0], lw=2.4, label="the winner's lineage")
    ax.plot(line["from_epoch"][1:], line[name][1:], "D", color=COLOURS[1], ms=7, mec="black", mew=0.6, ls="none",
            label="took over here")  # fmt: skip
    _scale(ax, "y", name, space, study.trials[name])
    ax.set(xlabel="epoch", ylabel=title(name))
    legend(ax)
    return ax


def _parents(study: Study) -> dict[int, int]:
    if "parent" not in study.trials:
        return {}
    known = study.trials.dropna(subset=["parent"])
    return dict(zip(known["number"].astype(int), known["parent"].astype(int), strict=True))


def _root(trial: int, parents: Mapping[int, int]) -> int:
    while trial in parents:
        trial = parents[trial]
    return trial


def _scale(ax: Axes, axis: str, name: str, space: Space | None, values: Any) -> None:
    """Give an axis the scale and the limits of a domain, or those of the values."""
    if space is None:
        log, low, high = bool(values.min() > 0 and values.max() / values.min() >= 20), values.min(), values.max()
    else:
        domain = numeric(space, name)
        log, low, high = domain.log, domain.low, domain.high
    pad = (high / low) ** 0.04 if log else (high - low) * 0.04
    limits = (low / pad, high * pad) if log else (low - pad, high + pad)
    ax.set(**{f"{axis}scale": "log" if log else "linear", f"{axis}lim": limits})


def generations(
    studies: Mapping[str, Study], space: Space, x: str, y: str, size: int, ends: Sequence[int] | None = None
) -> Figure:
    """Draw where populations were, a row a study, a panel a moment: those alive filled, all before them pale.

    Args:
        studies: by name, of searches that try one configuration after the other.
        space: of the searches; it gives the axes their scales and limits.
        x: hyperparameter along the horizontal axes, a number.
        y: hyperparameter along the vertical axes, a number.
        size: of the population; alive are the last so many trials.
        ends: after how many trials, a panel each; default the first population, and then every second one.
    """
    import matplotlib.pyplot as plt

    most = min(len(study.trials) for study in studies.values())
    moments = list(ends or range(size, most + 1, 2 * size))
    fig, panels = plt.subplots(
        len(studies),
        len(moments),
        sharex=True,
        sharey=True,
        squeeze=False,
        figsize=(2.1 * len(moments) + 0.6, 2.0 * len(studies) + 0.5),
    )
    for row, (name, study) in enumerate(studies.items()):
        colour, mark = COLOURS[row % len(COLOURS)], MARKERS[row % len(MARKERS)]
        for ax, end in zip(panels[row], moments, strict=True):
            before, now = study.trials.iloc[: max(0, end - size)], study.trials.iloc[max(0, end - size) : end]
            ax.plot(before[x], before[y], ".", color=PALE, ms=5, ls="none")
            ax.plot(now[x], now[y], mark, color=colour, ms=5, mec="black", mew=0.4, ls="none", alpha=0.85)
            for axis, key in (("x", x), ("y", y)):
                _scale(ax, axis, key, space, study.trials[key])
            if row == 0:
                ax.annotate(f"trials {end - size} to {end - 1}", (0.5, 1.03), xycoords="axes fraction", ha="center",
                            fontsize="small")  # fmt: skip
            if row == len(studies) - 1:
                ax.set_xlabel(title(x))
        panels[row, 0].set_ylabel(f"{name}\n{title(y)}")
    return fig


def layers(architectures: Mapping[str, Configuration], ax: Axes | None = None) -> Axes:
    """Draw architectures, a row each: a box a hidden layer, as wide as the logarithm of its units.

    Args:
        architectures: configurations of `hpt.layerwise_space` by name; the first stands on top.
        ax: where to draw, default a new figure.
    """
    from matplotlib.patches import Patch, Rectangle

    from hpt.networks import hidden

    ax = axes(ax)
    nets = {
        name: hidden(
            {key: value for key, value in one.items() if key.split("_")[0] in ("layers", "units", "activation")}
        )
        for name, one in architectures.items()
    }
    kinds = list(dict.fromkeys(activation for net in nets.values() for _, activation in net))
    for row, net in enumerate(nets.values()):
        for place, (units, activation) in enumerate(net):
            width = math.log2(units) / 9
            look: dict[str, Any] = {
                "facecolor": COLOURS[kinds.index(activation) % len(COLOURS)],
                "hatch": HATCHES[kinds.index(activation) % len(HATCHES)],
            }
            ax.add_patch(
                Rectangle((place + 0.04, row - 0.3), width, 0.6, alpha=0.35, edgecolor="black", lw=0.8, **look)
            )
            ax.text(place + 0.04 + width / 2, row, str(units), ha="center", va="center", fontsize="small",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85})  # fmt: skip
    keys: list[dict[str, Any]] = [
        {"facecolor": COLOURS[i % len(COLOURS)], "hatch": HATCHES[i % len(HATCHES)], "label": kind}
        for i, kind in enumerate(kinds)
    ]
    ax.legend(handles=[Patch(alpha=0.35, ec="black", **key) for key in keys], loc="lower left", ncols=len(kinds),
              bbox_to_anchor=(0, 1), borderaxespad=0.2, fontsize="small")  # fmt: skip
    deepest = max(len(net) for net in nets.values())
    ax.set_yticks(range(len(nets)), list(nets))
    ax.set_xticks([place + 0.5 for place in range(deepest)], [str(place + 1) for place in range(deepest)])
    ax.set(xlabel="hidden layer (number in a box: its units)", xlim=(0, deepest), ylim=(len(nets) - 0.5, -0.5))
    ax.grid(visible=False)
    return ax
