"""Pictures of samplers: where points lie, how good the best of n draws is, and what a model believes.

What Optuna's TPE believes is not in Optuna's public interface. `parzen` reads it from the sampler's own methods, as
they are in Optuna 4 and 5, and refuses loudly where they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.errors import InvalidInput
from hpt.plots.basic import COLOURS, MARKERS, STYLES, numeric, plain_log, title
from hpt.samplers import GaussianProcess, Observation, Tpe
from hpt.samplers.gaussian_process import expected_improvement
from hpt.space import Configuration, Space
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, np.dtype[Any]]


def projections(
    searches: Mapping[str, Sequence[Configuration]], responses: Mapping[str, pd.DataFrame], space: Space, label: str
) -> Figure:
    """Draw where searches put their trials, and what each axis shows of a response that was measured.

    Above a square stands the median score along its horizontal axis, to its right the one along its vertical axis,
    both on the same log scale. The marks on the curves are the values that the search tried.

    Args:
        searches: configurations by the name of the search.
        responses: two sweeps from `hpt.sweep` by the name of their hyperparameter, the horizontal one first.
        space: that is searched; its domains give the axes their scales.
        label: of the score.
    """
    import matplotlib.pyplot as plt

    x, y = responses
    along = {name: frame.groupby(name)["score"].median() for name, frame in responses.items()}
    shares = {name: [numeric(space, name).share(value) for value in own.index] for name, own in along.items()}
    lowest, highest = (float(end(pd.concat(along.values()))) for end in (np.min, np.max))
    fig = plt.figure(figsize=(9.0, 4.0))
    outer = fig.add_gridspec(1, len(searches))
    first: Any = None
    for i, (search, configurations) in enumerate(searches.items()):
        inner = outer[i].subgridspec(2, 2, width_ratios=(3, 1.1), height_ratios=(1.1, 3))
        ax = fig.add_subplot(inner[1, 0], sharex=first, sharey=first)
        above, right = fig.add_subplot(inner[0, 0], sharex=ax), fig.add_subplot(inner[1, 1], sharey=ax)
        first = first or ax
        mark: dict[str, Any] = {"marker": MARKERS[i % len(MARKERS)], "color": COLOURS[i % len(COLOURS)], "ls": "none"}
        ax.plot([one[x] for one in configurations], [one[y] for one in configurations], ms=5, **mark)
        for side, name, turn in ((above, x, 1), (right, y, -1)):
            tried = [one[name] for one in configurations]
            heights = np.interp([numeric(space, name).share(value) for value in tried], shares[name], along[name])
            side.plot(*(along[name].index, along[name])[::turn], color="#444444", ls="-", lw=1.5)
            side.plot(*(tried, heights)[::turn], ms=5, **mark)
            side.grid(visible=False)
        limits = (lowest / 1.5, highest * 1.5)
        above.set(yscale="log", ylim=limits)
        right.set(xscale="log", xlim=limits)
        plain_log(above.yaxis, decades=True)
        above.yaxis.set_tick_params(which="major", labelsize="small")
        plain_log(right.xaxis, decades=True)
        right.xaxis.set_tick_params(which="major", labelsize="small")
        above.tick_params(labelbottom=False)
        right.tick_params(labelleft=False)
        right.set_xlabel(label, fontsize="small")
        for name, scale in ((x, ax.set_xscale), (y, ax.set_yscale)):
            scale("log" if getattr(space[name], "log", False) else "linear")
        ax.set(xlabel=f"{title(x)}\n({search})")
        if i == 0:
            ax.set_ylabel(title(y))
            above.set_ylabel(label, fontsize="small")
        ax.grid(visible=False)
    return fig


def cells(points: Mapping[str, Array], across: int) -> Figure:
    """Draw points of the unit square, a panel a set, in cells; an empty cell is hatched.

    Args:
        points: arrays of shape (n, 2) by name.
        across: cells along an axis.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    size = (2.9 * len(points), 3.4)
    fig, panels = plt.subplots(1, len(points), sharex=True, sharey=True, squeeze=False, figsize=size)
    lines = np.arange(across + 1) / across
    for i, (ax, (name, own)) in enumerate(zip(panels[0], points.items(), strict=True)):
        taken = {tuple(cell) for cell in np.minimum((own * across).astype(int), across - 1).tolist()}
        for cell in np.ndindex(across, across):
            if cell not in taken:
                corner = (cell[0] / across, cell[1] / across)
                ax.add_patch(
                    Rectangle(corner, 1 / across, 1 / across, fc="#eeeeee", ec="#999999", hatch="///", lw=0, zorder=0)
                )
        ax.plot(own[:, 0], own[:, 1], MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)], ls="none", ms=6)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=lines, yticks=lines)
        ax.set_xticklabels([f"{line:g}" if j % 2 == 0 else "" for j, line in enumerate(lines)])
        ax.set_yticklabels([f"{line:g}" if j % 2 == 0 else "" for j, line in enumerate(lines)])
        ax.set_xlabel(f"share of the first axis\n({name}: {across**2 - len(taken)} cells empty)")
    panels[0, 0].set_ylabel("share of the second axis")
    return fig


@dataclass(frozen=True)
class Parzen:
    """TPE's two densities for the next trial.

    Attributes:
        good: numbers of the trials that the sampler calls good.
        others: numbers of all others.
        good_density: of the good ones: takes values of the hyperparameter by name, each of shape (n,), returns (n,).
        other_density: of the others.
    """

    good: tuple[int, ...]
    others: tuple[int, ...]
    good_density: Callable[[Mapping[str, Array]], Array]
    other_density: Callable[[Mapping[str, Array]], Array]


def parzen(study: Study, space: Space, trials: int | None = None) -> Parzen:
    """Return what `Tpe` believes after so many trials of a study, from Optuna's own sampler.

    Densities are per unit of the hyperparameter, on a log scale per unit of its natural logarithm.

    Args:
        study: from `hpt.tune`; every configuration must hold every name of the space.
        space: that it searched.
        trials: how many of them the sampler knows, default all.

    Raises:
        InvalidInput: for a space with a condition, or if this version of Optuna has no such methods (they are not
            public), or they do not answer as they did.
    """
    import optuna

    if any(domain.condition for domain in space.values()):
        raise InvalidInput("parzen draws spaces without conditions: TPE keeps one pair of densities a group")
    sampler, known = Tpe.sampler(0), study.record.get_trials(deepcopy=False)[:trials]
    try:
        from optuna.samplers._tpe.sampler import _split_trials, default_gamma

        pair = _split_trials(study.record, known, default_gamma(len(known)))
        good, others = (
            sampler._build_parzen_estimator(study.record, space.distributions(), part, handle_below=i == 0)
            for i, part in enumerate(pair)
        )
        probe = good.log_pdf({name: np.array([domain.at(0.5)]) for name, domain in space.items()})
        whole = np.shape(probe) == (1,) and sum(map(len, pair)) == len(known)
    except (ImportError, AttributeError, TypeError) as error:
        raise InvalidInput(f"TPE of Optuna {optuna.__version__} can't be looked into, unlike 5.0: {error}") from error
    if not whole:
        raise InvalidInput(f"TPE of Optuna {optuna.__version__} answers otherwise than that of 5.0")
    return Parzen(
        good=tuple(trial.number for trial in pair[0]),
        others=tuple(trial.number for trial in pair[1]),
        good_density=lambda values: np.exp(good.log_pdf(dict(values))),
        other_density=lambda values: np.exp(others.log_pdf(dict(values))),
    )


def tpe(study: Study, space: Space, name: str, trials: int | None = None) -> Figure:
    """Draw TPE at work on one numeric hyperparameter: the trials, the two densities, and their ratio.

    Densities are drawn per decade where the scale is logarithmic. The dashed line is the value that was tried next.

    Args:
        study: from `hpt.tune` with a space of one name.
        space: that it searched.
        name: of the hyperparameter.
        trials: how many of them the sampler knows, default all.
    """
    import matplotlib.pyplot as plt

    domain, model = numeric(space, name), parzen(study, space, trials)
    x = np.array([domain.at(share) for share in np.linspace(0, 1, 400)], dtype=float)
    unit, along = (np.log(10), np.log(x)) if domain.log else (1.0, x)
    l, g = (density({name: x}) for density in (model.good_density, model.other_density))  # noqa: E741
    if not all(0.98 < float(np.trapezoid(one, along)) < 1.02 for one in (l, g)):
        raise InvalidInput("TPE's densities do not add up to 1: this Optuna counts them in another unit than 5.0")
    l, g = l * unit, g * unit  # noqa: E741
    fig, (top, middle, bottom) = plt.subplots(3, 1, sharex=True, figsize=(6.4, 6.0))
    for label, numbers, i, drawn in (("good: l", model.good, 0, l), ("others: g", model.others, 1, g)):
        rows = study.trials.loc[list(numbers)]
        top.plot(rows[name], rows["score"].astype(float), MARKERS[i], color=COLOURS[i], ls="none", ms=6, zorder=4 - i)
        middle.plot(x, drawn, color=COLOURS[i], ls=STYLES[i], lw=2, marker=MARKERS[i], markevery=40, label=label)
    bottom.plot(x, l / g, color=COLOURS[2], ls="-", lw=2)
    following = len(model.good) + len(model.others)
    if following < len(study.trials):
        for ax in (top, middle, bottom):
            ax.axvline(study.trials[name].iloc[following], color="black", ls="--", lw=1.2)
    top.set_ylabel(title(study.objective))
    scores = study.trials["score"].astype(float)
    if scores.min() > 0 and scores.max() > 10 * scores.min():
        top.set_yscale("log")
        plain_log(top.yaxis, decades=True)
        top.yaxis.set_tick_params(which="major", labelsize="small")
    middle.set_ylabel("density per decade" if domain.log else "density")
    bottom.set(ylabel="ratio l / g", xlabel=title(name), xscale="log" if domain.log else "linear")
    for ax in (middle, bottom):
        ax.set_ylim(0, None)
    handles, labels = middle.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2, fontsize="small")
    return fig


def surrogates(
    seen: Sequence[Observation], space: Space, name: str, after: Sequence[int], label: str, sign: float = -1.0
) -> Figure:
    """Draw a Gaussian process, a column a step: mean and band above, the expected improvement below.

    The columns share the axis of the score; each has an axis of its own for the expected improvement.

    Args:
        seen: the observations of a study, all of them judged.
        space: of one numeric hyperparameter.
        name: of the hyperparameter.
        after: how many observations the model of each column knows.
        label: of the score.
        sign: a score is ``sign`` times a merit.
    """
    import matplotlib.pyplot as plt

    domain = numeric(space, name)
    x = [domain.at(share) for share in np.linspace(0, 1, 300)]
    fig, panels = plt.subplots(2, len(after), sharex=True, squeeze=False, figsize=(8.8, 4.6), height_ratios=(2, 1))
    for (top, bottom), count in zip(panels.T, after, strict=True):
        top.sharey(panels[0, 0])
        model = GaussianProcess.fit(space, seen[:count])
        if model is None:
            raise InvalidInput(f"{count} observations are too few for a Gaussian process, or all are equal")
        mean, deviation = model.predict([{name: value} for value in x])
        top.fill_between(x, *(sign * mean + side * 1.96 * deviation for side in (-1, 1)), color=COLOURS[0], alpha=0.15,
                         lw=0, label="95 % band")  # fmt: skip
        top.plot(x, sign * mean, color=COLOURS[0], ls="-", label="mean")
        told = [(one.configuration[name], sign * one.merit) for one in seen[:count] if one.merit is not None]
        top.plot(*zip(*told, strict=True), "o", color="black", ms=5, ls="none", label="trials")
        improvement = expected_improvement(mean, deviation, model.best)
        bottom.plot(x, improvement, color=COLOURS[2], ls="-.")
        bottom.fill_between(x, 0, improvement, color=COLOURS[2], alpha=0.2, lw=0)
        bottom.set_ylim(0, None)
        bottom.locator_params(axis="y", nbins=3)
        if count < len(seen):
            following = seen[count].configuration[name]
            for ax in (top, bottom):
                ax.axvline(following, color=COLOURS[1], ls="--", lw=1.5, label="tried next")
        bottom.set(xlabel=f"{title(name)}\n(after {count} trials)", xscale="log" if domain.log else "linear")
    panels[0, 0].set_ylabel(label)
    panels[1, 0].set_ylabel("expected\nimprovement")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=4, fontsize="small")
    return fig
