"""Diagnosis: what to look at when nothing helps.

A search has run, and its best network is no better than before. Before another search, ask its trials four things:

- How many failed? Where a third of the networks diverge, the space is wrong, not the seed: `failures`.
- Did the best lie at an edge? Then the space ends where it gets good, and the edge says which side to widen:
  `boundary`.
- Did a hyperparameter matter at all? One that changes nothing costs trials and gives nothing: `insensitivity`.
- Where did the best fifth lie? That is the space for the next search: `best_range`.

`diagnose` asks all four. And before the first search, a minute tells which learning rates are worth trying:
`rate_test`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.domains import Choice, Domain, whole
from hpt.errors import InvalidInput
from hpt.networks import DEFAULTS
from hpt.seeds import stream
from hpt.space import Space
from hpt.study import Study
from hpt.tasks import Task
from hpt.training import Member
from hpt.training.building import built

LEAST = 20
"""Complete trials that a diagnosis needs: a fifth of them are four."""
SHARE = 0.2
"""Of the complete trials, the best ones; and of a scale, what counts as its edge."""
LEVEL = 0.05
"""A p value below it counts as a finding."""
PARTS = 4
"""Into so many parts of equal size the trials are cut along a numeric hyperparameter, to see whether they differ."""


def failures(study: Study) -> pd.DataFrame:
    """Return how the trials of a search ended, the reasons of those that were lost, and how many there were.

    Returns:
        One row a status and reason, without the epoch in which it happened: ``status``, ``reason``, ``trials``,
        ``share`` of all trials. The most frequent comes first.
    """
    reasons = study.trials["reason"].fillna("").str.replace(r" in epoch \d+$", "", regex=True)
    counts = study.trials.assign(reason=reasons).groupby(["status", "reason"]).size()
    frame = counts.sort_values(ascending=False).rename("trials").reset_index()
    return frame.assign(share=frame["trials"] / len(study.trials))


def best_range(study: Study, space: Space, share: float = SHARE) -> pd.DataFrame:
    """Return where the best trials of a search lie.

    The range from the lowest to the highest of them is a space for the next search. The best trials are few, so it is
    a rough one: another search of as many trials would give other ends.

    Args:
        study: from `hpt.tune`, with at least `LEAST` complete trials.
        space: that was searched.
        share: of the complete trials that counts as the best.

    Returns:
        One row a hyperparameter: ``hyperparameter``; ``searched``, its domain; ``best``, the range of the best trials,
        or the values that they have, the most frequent first; ``low`` and ``high`` of the range (missing for choices);
        ``trials``, how many of the best have it.

    Raises:
        InvalidInput: for too few complete trials, or a share that is none.
    """
    done, best = _best(study, share)
    rows = []
    for name, domain in space.items():
        values = _values(study, done[best], name)
        if isinstance(domain, Choice):
            counts = pd.Series([domain.label(value) for value in values], dtype=object).value_counts()
            text, low, high = ", ".join(f"{label} ({count})" for label, count in counts.items()), np.nan, np.nan
        else:
            low, high = (min(values), max(values)) if values else (np.nan, np.nan)
            text = f"{_short(low)} to {_short(high)}" if values else ""
        rows.append((name, str(domain), text, low, high, len(values)))
    return pd.DataFrame(rows, columns=["hyperparameter", "searched", "best", "low", "high", "trials"])


def boundary(study: Study, space: Space, share: float = SHARE) -> pd.DataFrame:
    """Say for each numeric hyperparameter whether the best trials crowd at an edge of the space.

    An edge is the outer fifth of the scale on which the hyperparameter was searched. Had the score nothing to do with
    it, the best trials would be a random draw from all complete ones, and their number at an edge would follow the
    hypergeometric distribution. ``p`` is the probability of as many or more, doubled, because there are two edges. It
    is not corrected for the number of hyperparameters: a false alarm costs a wider space, an edge that is missed costs
    the search. So among five that do nothing, up to one search in five finds an edge.

    Args:
        study: from `hpt.tune`, with at least `LEAST` complete trials, best of random search, which looks everywhere.
        space: that was searched.
        share: of the complete trials that counts as the best, and of the scale that counts as an edge.

    Returns:
        One row a numeric hyperparameter: ``hyperparameter``, ``searched``, ``edge`` (``"low"``, ``"high"``, or empty
        unless p is below 0.05), ``there``, how many of the ``best`` trials lie at the edge with the smaller p,
        ``expected``, how many chance would put there, ``p``, and ``advice``. An edge that cannot be crossed, such as a
        dropout of 0, needs no widening: that is for the reader to see.

    Raises:
        InvalidInput: for too few complete trials, or a share that is none.
    """
    from scipy import stats

    done, best = _best(study, share)
    rows = []
    for name, domain in space.items():
        shares = _shares(study, done, name, domain)
        known = ~np.isnan(shares)
        if isinstance(domain, Choice) or not known.any():
            continue
        chosen, found = int((best & known).sum()), []
        for side, at in _edges(shares, domain, share):
            there, everywhere = int((at & best).sum()), int(at.sum())
            p = float(stats.hypergeom.sf(there - 1, known.sum(), everywhere, chosen))
            found.append((min(1.0, 2 * p), side, there, chosen * everywhere / known.sum()))
        p, side, there, expected = min(found)
        rows.append((name, str(domain), side, there, chosen, expected, p))
    frame = pd.DataFrame(rows, columns=["hyperparameter", "searched", "edge", "there", "best", "expected", "p"])
    frame["edge"] = frame["edge"].where(frame["p"] < LEVEL, "")
    advice = {"low": "try smaller values", "high": "try larger values", "": "leave it"}
    return frame.assign(advice=frame["edge"].map(advice))


def insensitivity(study: Study, space: Space) -> pd.DataFrame:
    """Ask for each hyperparameter whether the scores differ along it at all.

    The trials are cut into four parts of equal size along a numeric hyperparameter, or by value, and Kruskal and
    Wallis's rank test asks whether the parts differ. A trial that diverged or failed ranks last: what makes networks
    diverge matters. The p values are corrected for their number (Holm). A large one does not prove that a
    hyperparameter does nothing: it says that these trials do not show it.

    Args:
        study: from `hpt.tune`, with at least `LEAST` complete trials.
        space: that was searched.

    Returns:
        One row a hyperparameter that took several values: ``hyperparameter``, ``searched``, ``groups``, ``p``
        (corrected) and ``matters``, whether it is below 0.05.

    Raises:
        InvalidInput: for too few complete trials.
    """
    from scipy import stats

    _best(study, SHARE)
    ended = study.trials[study.trials["status"].isin(["complete", "diverged", "failed"])]
    merits = ended["score"].where(ended["status"] == "complete") * (1 if study.greater_is_better else -1)
    ranks = merits.rank(na_option="top").to_numpy()
    rows = []
    for name, domain in space.items():
        shares = _shares(study, ended, name, domain)
        groups = [ranks[part] for part in _parts(shares, isinstance(domain, Choice))]
        if len(groups) > 1:
            p = 1.0 if len(np.unique(np.concatenate(groups))) == 1 else float(stats.kruskal(*groups).pvalue)
            rows.append((name, str(domain), len(groups), p))
    frame = pd.DataFrame(rows, columns=["hyperparameter", "searched", "groups", "p"])
    ordered = frame["p"].sort_values()
    frame["p"] = (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
    return frame.assign(matters=frame["p"] < LEVEL)


def diagnose(task: Task, study: Study) -> pd.DataFrame:
    """Ask a search all that it can tell about its space.

    Args:
        task: whose space was searched.
        study: from `hpt.tune`, with at least `LEAST` complete trials.

    Returns:
        One row a hyperparameter: ``hyperparameter``, ``searched``, ``best`` (`best_range`), ``matters``
        (`insensitivity`; missing where it took one value), ``edge`` and ``advice`` (`boundary`; missing for choices).

    Raises:
        InvalidInput: for a study of another task, or too few complete trials.
    """
    if study.task != task.name:
        raise InvalidInput(f"this study tuned {study.task!r}, and the task is {task.name!r}: they belong together")
    frame = best_range(study, task.space)[["hyperparameter", "searched", "best"]]
    for other, columns in (
        (insensitivity(study, task.space), ["matters"]),
        (boundary(study, task.space), ["edge", "advice"]),
    ):
        frame = frame.merge(other[["hyperparameter", *columns]], how="left", on="hyperparameter")
    return frame


@dataclass(frozen=True, repr=False)
class RateTest:
    """What a learning rate range test saw.

    Attributes:
        steps: one row an update: ``learning_rate``, ``loss`` of its batch, and ``smooth``, a running mean of it.
        halfway: the learning rate at which the smooth loss was half-way from where it began to its lowest.
        lowest: the learning rate at which it was lowest; above it the steps are too long.
    """

    steps: pd.DataFrame
    halfway: float
    lowest: float

    def __repr__(self) -> str:
        return f"RateTest: {len(self.steps)} updates; half-way at {self.halfway:.2g}, lowest at {self.lowest:.2g}"


def rate_test(
    task: Task,
    configuration: Mapping[str, Any] | None = None,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    seed: int = 0,
    fold: int = 0,
) -> RateTest:
    """Train one network while its learning rate grows from batch to batch, and see where the loss falls.

    This is the learning rate range test (Smith 2017). It costs as many updates as a few epochs, and it speaks of the
    first updates only: a rate that is right at the start may be too large later. Where the loss falls fastest is often
    recommended; losses of single batches are too noisy for that. In eight tests of one network each on diabetes, the
    steepest place moved by a factor of over 100, the place half-way down by a factor of about 10.

    Args:
        task: the problem.
        configuration: hyperparameters; the task's defaults fill the rest.
        low: the first learning rate.
        high: the last one. The test ends early when the loss is no number, or ten times the first one.
        steps: how many updates.
        seed: of the network's first weights and of the batches.
        fold: whose training rows.

    Raises:
        InvalidInput: for rates that do not grow, fewer than 20 steps, or a model with a schedule of its own.
    """
    if not 0 < low < high:
        raise InvalidInput(f"the learning rate must grow from above 0, got {low} to {high}")
    steps = whole("steps", steps, 20)
    full = {**DEFAULTS, **task.configuration(configuration or {})}
    arrays = task.arrays(fold)
    chosen = {**(configuration or {}), **({"warmup": 0} if full["warmup"] else {})}  # the test has its own schedule
    model = built(task, Member(chosen, seed, fold))
    rng, size = stream(seed, "rate test"), min(full["batch_size"], len(arrays.x_train))
    rates = np.geomspace(low, high, steps)
    losses: list[float] = []
    for rate in rates:
        rows = rng.choice(len(arrays.x_train), size, replace=False)
        try:
            model.optimizer.learning_rate = float(rate)
        except TypeError:
            raise InvalidInput("the model's learning rate is a schedule: build it with a number instead") from None
        losses.append(float(model.train_on_batch(arrays.x_train[rows], arrays.y_train[rows], return_dict=True)["loss"]))
        model.reset_metrics()  # Keras's loss is a running mean
        if not np.isfinite(losses[-1]) or losses[-1] > losses[0] + 9 * abs(losses[0]):
            break
    frame = pd.DataFrame({"learning_rate": rates[: len(losses)], "loss": losses})
    frame["smooth"] = frame["loss"].replace([np.inf, -np.inf], np.nan).rolling(9, center=True, min_periods=1).mean()
    smooth = frame["smooth"].to_numpy()
    lowest = int(np.nanargmin(smooth)) if np.isfinite(smooth[0]) else 0
    above = np.flatnonzero(smooth[: lowest + 1] >= (np.nanmean(smooth[:9]) + smooth[lowest]) / 2)
    if not lowest or not len(above):
        raise InvalidInput(f"the loss never fell from {losses[0]:.3g}: begin with a learning rate below low={low:g}")
    halfway = int(above[-1])
    return RateTest(frame, float(rates[halfway]), float(rates[lowest]))


def _edges(shares: Array, domain: Any, share: float) -> list[tuple[str, Array]]:
    """Which trials lie in the outer parts of a scale; of few whole numbers, at the first and at the last one."""
    low, high = domain.share(domain.low), domain.share(domain.high)
    return [("low", (shares <= share) | (shares == low)), ("high", (shares >= 1 - share) | (shares == high))]


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.3g}"


def _best(study: Study, share: float) -> tuple[pd.DataFrame, Array]:
    """The complete trials, and which of them are the best."""
    if not 0 < share < 0.5:
        raise InvalidInput(f"share is the part of the trials that counts as the best, between 0 and 0.5, got {share!r}")
    done = study.trials[study.trials["status"] == "complete"]
    if len(done) < LEAST:
        raise InvalidInput(
            f"a diagnosis needs at least {LEAST} complete trials, got {len(done)} of {len(study.trials)}: search "
            "longer, or see hpt.diagnosis.failures(study) for what happened to the others"
        )
    order = done["score"].rank(method="first", ascending=not study.greater_is_better)
    return done, (order <= max(1, round(share * len(done)))).to_numpy()


def _values(study: Study, trials: pd.DataFrame, name: str) -> list[Any]:
    """The values of a hyperparameter in these trials, where they have it."""
    chosen = (study.configurations[number] for number in trials["number"])
    return [one[name] for one in chosen if name in one]


def _shares(study: Study, trials: pd.DataFrame, name: str, domain: Domain) -> Array:
    """How far along its scale the hyperparameter lies in each trial; NaN where a trial lacks it."""
    chosen = (study.configurations[number] for number in trials["number"])
    return np.array([domain.share(one[name]) if name in one else np.nan for one in chosen])


def _parts(shares: Array, choice: bool) -> list[Array]:
    """Cut trials along a hyperparameter: masks of parts with equal values (a choice), or of equal size."""
    known = shares[~np.isnan(shares)]
    if choice or len(np.unique(known)) <= PARTS:
        return [shares == value for value in np.unique(known)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, PARTS + 1)))
    place = np.clip(np.searchsorted(edges, shares, side="right") - 1, 0, len(edges) - 2)
    return [(place == part) & ~np.isnan(shares) for part in range(len(edges) - 1)]
