"""The sampler of BOHB: random draws, and draws from a model of the good and the bad (Falkner, Klein, Hutter 2018).

Algorithm 2 of the paper. BOHB is this sampler under Hyperband's brackets. From the trials that were judged at the
largest budget (epoch) with enough of them, it fits a density l to the good and a density g to the bad, and of 64
points near the good ones it takes the one with the largest l/g. Numbers lie in the unit cube, on their own scales
(`Domain.share`); a choice is the index of its value.

Where the paper is silent, this follows the authors' program, HpBandSter 0.7.4. It departs from that in two ways:
its good and bad never overlap, so it waits for 2(d + 1) observations where the paper asks for d + 3, as here; and
its densities count the values of a choice that occur and put no bound on the bandwidth, so that they can be infinite
or negative, where these know all values and keep the bound of Aitchison and Aitken (1976).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hpt.domains import Choice
from hpt.errors import InvalidInput
from hpt.samplers.base import Observation, Proposer, at_least
from hpt.samplers.basic import Random
from hpt.seeds import stream
from hpt.space import Configuration, Space

if TYPE_CHECKING:
    from optuna import Study as Record


Array = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int_]


@dataclass(frozen=True)
class Bohb(Proposer):
    """Draw near what was good and far from what was bad, and every third time at random.

    Args:
        random_fraction: share of proposals that are random draws, default a third.
        good_fraction: share q of the observations that count as good, default 0.15.
        samples: points that are drawn from the good density to find the largest l/g, default 64.
        bandwidth_factor: how many times wider than the kernels those points are drawn, default 3.
        min_bandwidth: least bandwidth of a kernel, as a share of its scale, default 0.001.

    Raises:
        InvalidInput: for a setting that is out of its range.
    """

    random_fraction: float = 1 / 3
    good_fraction: float = 0.15
    samples: int = 64
    bandwidth_factor: float = 3.0
    min_bandwidth: float = 1e-3

    def __post_init__(self) -> None:
        ranges = (
            ("random_fraction", 0, 1),
            ("good_fraction", 0, 1),
            ("bandwidth_factor", 1e-3, 1e3),
            ("min_bandwidth", 1e-6, 1),
        )
        for name, low, high in ranges:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InvalidInput(f"BOHB needs {name} to be a number from {low} to {high}, got {value!r}")
        at_least("BOHB", self.samples, 1, "a number of samples")

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return how many trials come before the first model, later 1. A rung is asked for at once and shares a model.

        So did the parallel workers of the paper.
        """
        return 1 if space is None else max(1, len(space) + 3 - number)

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration:
        """Return random search's draw ``number``, or the likeliest to be good of those that the model offers."""
        rng = stream(seed, "bohb", number)
        at_random = rng.random() < self.random_fraction
        model = None if at_random else self.model(space, seen, rng)
        if model is None:
            return Random().propose(space, (), number, seed)
        points = model[0].sample(rng, self.samples, self.bandwidth_factor)
        return configuration(space, points[np.argmax(ratio(*model, points))])

    def model(
        self, space: Space, seen: Sequence[Observation], rng: np.random.Generator
    ) -> tuple[Density, Density] | None:
        """Return the densities of the good and of the bad, or None while no budget has enough observations."""
        budget = model_budget(space, seen)
        if budget is None:
            return None
        good, bad = (
            Density(impute(points(space, group), levels(space), rng), levels(space), self.min_bandwidth)
            for group in split(space, seen, budget, self.good_fraction)
        )
        return good, bad


def model_budget(space: Space, seen: Sequence[Observation]) -> int | None:
    """Return the largest budget with N_min + 2 = d + 3 observations (Algorithm 2, line 2), or None."""
    counts = Counter(epoch for one in seen for epoch in one.merits)
    return max((epoch for epoch, count in counts.items() if count >= len(space) + 3), default=None)


def split(
    space: Space, seen: Sequence[Observation], budget: int, good_fraction: float = 0.15
) -> tuple[list[Observation], list[Observation]]:
    """Return the good and the bad of a budget, each best first (equation 3).

    Both have at least N_min = d + 1 members, so they overlap as long as observations are few.
    """
    judged = sorted((one for one in seen if budget in one.merits), key=lambda one: -one.merits[budget])
    least = len(space) + 1
    good = max(least, int(good_fraction * len(judged)))
    bad = max(least, len(judged) - good)
    return judged[:good], judged[-bad:]


class Density:
    """A kernel density estimate: the mean of one kernel a point, a product over the hyperparameters.

    Args:
        points: shape ``(n, d)``, numbers as shares of their scale, choices as indices.
        levels: shape ``(d,)``, how many values a choice has; 0 for a number.
        min_bandwidth: least bandwidth, default 0.001.

    Attributes:
        bandwidths: shape ``(d,)``, by the normal reference rule: 1.06 σ n^(−1/(4+d)), σ the standard deviation.
            That of a choice of c values is at most (c − 1)/c, where all its values become equally likely.
    """

    def __init__(self, points: Array, levels: Levels, min_bandwidth: float = 1e-3) -> None:
        n, d = points.shape
        bound = np.where(levels == 0, np.inf, 1 - 1 / np.maximum(levels, 1))
        self.points, self.levels = points, levels
        self.bandwidths: Array = np.clip(1.06 * points.std(axis=0) * n ** (-1 / (4 + d)), min_bandwidth, bound)

    def pdf(self, at: Array) -> Array:
        """Return the density, shape ``(m,)``, at ``m`` points, shape ``(m, d)``."""
        numbers, choices = self.levels == 0, self.levels > 0
        centres, h = self.points, self.bandwidths
        z = (at[:, None, numbers] - centres[:, numbers]) / h[numbers]
        gauss = np.exp(-0.5 * z**2) / (math.sqrt(2 * math.pi) * h[numbers])
        others = np.maximum(self.levels[choices] - 1, 1)
        same = at[:, None, choices] == centres[:, choices]
        aitchison_aitken = np.where(same, 1 - h[choices], h[choices] / others)
        result: Array = (gauss.prod(axis=-1) * aitchison_aitken.prod(axis=-1)).mean(axis=-1)
        return result

    def sample(self, rng: np.random.Generator, count: int, factor: float) -> Array:
        """Draw points around those that it is made of, shape ``(count, d)``.

        A number comes from a normal distribution, ``factor`` times as wide as its kernel and cut off at 0 and 1;
        a choice is drawn anew with probability h.
        """
        from scipy.special import ndtr, ndtri

        drawn = self.points[rng.integers(len(self.points), size=count)]
        for i, (h, level) in enumerate(zip(self.bandwidths, self.levels, strict=True)):
            centre, u = drawn[:, i], rng.random(count)
            if level:
                drawn[:, i] = np.where(u < 1 - h, centre, rng.integers(level, size=count))
            else:  # the inverse of the cut-off normal's distribution function
                low, high = ndtr(-centre / (factor * h)), ndtr((1 - centre) / (factor * h))
                drawn[:, i] = np.clip(centre + factor * h * ndtri(low + u * (high - low)), 0, 1)
        return drawn


def ratio(good: Density, bad: Density, points: Array) -> Array:
    """Return l/g, shape ``(m,)``, which grows with the expected improvement (Bergstra et al. 2011)."""
    result: Array = np.maximum(good.pdf(points), 1e-32) / np.maximum(bad.pdf(points), 1e-32)
    return result


def levels(space: Space) -> Levels:
    """Return how many values each choice has, 0 for a number; shape ``(d,)``."""
    return np.array([domain.size() if isinstance(domain, Choice) else 0 for domain in space.values()])


def points(space: Space, seen: Sequence[Observation]) -> Array:
    """Return configurations as points, shape ``(n, d)``, NaN for a hyperparameter that is not in use."""
    shares = [
        [
            domain.share(one.configuration[name]) if name in one.configuration else np.nan
            for name, domain in space.items()
        ]
        for one in seen
    ]
    return np.where(levels(space), np.floor(np.array(shares) * levels(space)), shares)


def configuration(space: Space, point: Array) -> Configuration:
    """Return the configuration at a point, without what its conditions leave out."""
    count = levels(space)
    shares: list[float] = np.where(count, (point + 0.5) / np.maximum(count, 1), point).tolist()
    return space.at(shares)


def impute(points: Array, levels: Levels, rng: np.random.Generator) -> Array:
    """Fill what is NaN from another point that has it, drawn at random; if none has, uniformly (HpBandSter)."""
    full = points.copy()
    for row in full:
        while (missing := np.flatnonzero(np.isnan(row))).size:
            first = missing[0]
            donors = np.flatnonzero(~np.isnan(points[:, first]))
            if donors.size:  # gives all that it has, so that what belongs together stays together
                row[missing] = points[rng.choice(donors), missing]
            else:
                row[first] = rng.integers(levels[first]) if levels[first] else rng.random()
    return full
