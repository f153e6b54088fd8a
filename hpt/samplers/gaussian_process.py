"""Bayesian optimization with a Gaussian process and expected improvement.

The loop of Jones, Schonlau and Welch (1998), for hyperparameters as in Snoek, Larochelle and Adams (2012): fit a
Gaussian process to the trials so far, ask it for mean and deviation at many candidates, and try the one that
promises the largest improvement. The regression is scikit-learn's `GaussianProcessRegressor`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.domains import Choice, Domain
from hpt.samplers.base import Observation, Proposer, at_least
from hpt.samplers.basic import Random
from hpt.seeds import stream
from hpt.space import Configuration, Space

if TYPE_CHECKING:
    from optuna import Study as Record


Array = np.ndarray[Any, np.dtype[np.float64]]

LEADERS = 5
"""Half of the candidates lie around this many of the best observations."""


@dataclass(frozen=True)
class GaussianProcess(Proposer):
    """Try next what promises the largest improvement, says a Gaussian process fitted to the trials so far.

    A trial that diverged counts as bad as the worst that did not. One that still runs counts as what the model
    predicts for it, so a batch spreads: the *kriging believer* of Ginsbourger, Le Riche and Carraro (2010). The
    time of a fit grows with the cube of the number of trials: it is made for a few hundred at most.

    Args:
        startup: how many trials are drawn at random before the first fit.
        candidates: how many configurations are compared at each proposal, half of them drawn from the whole space
            and half around the best trials so far.

    Raises:
        InvalidInput: for a ``startup`` below 1 or ``candidates`` below 2.

    >>> from hpt import Float
    >>> space = Space({"x": Float(0, 1)})
    >>> seen = [Observation(n, {"x": x}, {1: -(x - 0.3) ** 2}) for n, x in enumerate([0.0, 0.2, 0.5, 0.8, 1.0])]
    >>> round(GaussianProcess(startup=5).propose(space, seen, 5, seed=0)["x"], 1)
    0.3
    """

    startup: int = 10
    candidates: int = 512

    def __post_init__(self) -> None:
        at_least("Bayesian optimization", self.startup, 1, "a number of random trials to start from")
        at_least("Bayesian optimization", self.candidates, 2, "a number of candidates")

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return what is left of the random trials; after them every trial waits for the one before."""
        return max(1, self.startup - number)

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration:
        """Return random draw ``number`` at the start or with nothing to learn from, else the best candidate."""
        surrogate = None if number < self.startup else self.fit(space, seen)
        if surrogate is None:
            return Random().propose(space, (), number, seed)
        rng = stream(seed, "gp", number)
        judged, merits = _judged(seen)
        leaders = [judged[i] for i in np.argsort(-merits, kind="stable")[:LEADERS]]
        near = self.candidates // 2
        pool = [space.sample(rng) for _ in range(self.candidates - near)]
        pool += [_moved(space, leaders[i % len(leaders)], rng) for i in range(near)]
        # What was asked for before is not worth a second training, unless nothing else is left.
        known = {row.tobytes() for row in encode(space, [one.configuration for one in seen])}
        rows = encode(space, pool)
        new = [i for i, row in enumerate(rows) if row.tobytes() not in known] or list(range(len(pool)))
        improvement = expected_improvement(*surrogate.at(rows[new]), surrogate.best)
        return pool[new[int(np.argmax(improvement))]]

    @staticmethod
    def fit(space: Space, seen: Sequence[Observation]) -> Surrogate | None:
        """Return the model of what was seen; None if fewer than two merits are finite or all of them are equal."""
        judged, merits = _judged(seen)
        if len(judged) < 2 or merits.min() == merits.max():
            return None
        # By hand and not with normalize_y, so that what is believed below does not change the scale.
        center, scale = float(merits.mean()), float(merits.std())
        X, y = encode(space, judged), (merits - center) / scale
        process = _fitted(X, y)
        pending = [one.configuration for one in seen if one.merit is None]
        if pending:  # the prediction is told as a result, the kernel stays: no mean moves, the deviation shrinks
            more = encode(space, pending)
            X, y = np.vstack([X, more]), np.append(y, process.predict(more))
            process = type(process)(process.kernel_, optimizer=None).fit(X, y)
        return Surrogate(space, process, center, scale)


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process fitted to the merits of trials.

    Attributes:
        space: of the configurations.
        process: scikit-learn's fitted ``GaussianProcessRegressor``, on encoded configurations and scaled merits.
        center: the merit that ``process`` knows as 0, in the unit of the metric.
        scale: the difference of merits that it knows as 1.
    """

    space: Space
    process: Any
    center: float
    scale: float

    def predict(self, configurations: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
        """Return mean and standard deviation of the merit at n configurations, each of shape (n,).

        The deviation is that of the function beneath the noise: what is not known, without what chance adds.
        """
        return self.at(encode(self.space, configurations))

    @property
    def best(self) -> float:
        """The largest mean at a configuration that was tried: the best merit, freed from the luck in it."""
        return float(self.at(self.process.X_train_)[0].max())

    def at(self, rows: Array) -> tuple[Array, Array]:
        """Return the same for configurations that are encoded already, ``(n, columns)``."""
        with warnings.catch_warnings(), _threads().limit(limits=1, user_api="blas"):
            warnings.filterwarnings("ignore", message="Predicted variances smaller than 0")
            mean, deviation = self.process.predict(rows, return_std=True)
        noise = self.process.kernel_.k2.noise_level
        return self.center + self.scale * mean, self.scale * np.sqrt(np.maximum(deviation**2 - noise, 0.0))


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Return by how much a normally distributed merit is expected to exceed the best one, counting only excess.

    Jones, Schonlau and Welch (1998), eq. 15, with the sign turned: there a cost falls, here a merit rises.

    Args:
        mean: of the merit, any shape.
        deviation: its standard deviation, the same shape; 0 where it is known.
        best: the merit to exceed.

    >>> expected_improvement(np.array([0.0, 2.0]), np.array([1.0, 0.0]), 0.0).round(4).tolist()
    [0.3989, 2.0]
    """
    from scipy.special import ndtr

    gain = np.asarray(mean, dtype=float) - best
    z = np.divide(gain, deviation, out=np.zeros_like(gain), where=np.asarray(deviation) > 0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    # Eq. 15: E[I] = (μ - best) Φ(z) + σ φ(z), z = (μ - best) / σ; what is known (σ = 0) improves by what it is above.
    return np.where(np.asarray(deviation) > 0, gain * ndtr(z) + deviation * density, np.maximum(gain, 0.0))


def encode(space: Space, configurations: Sequence[Mapping[str, Any]]) -> Array:
    """Return configurations as the rows of a matrix: what the Gaussian process measures distances between.

    A number becomes one column, how far along its scale it lies (0 to 1); a choice of k values becomes k columns,
    1 for the one it is and 0 for the others. What a condition leaves out is 0.5, or 0 in all k columns.

    >>> from hpt import Float
    >>> space = Space({"rate": Float(0.1, 10, log=True), "kind": Choice("a", "b", "c")})
    >>> encode(space, [{"rate": 1, "kind": "b"}]).round(6).tolist()
    [[0.5, 0.0, 1.0, 0.0]]
    """

    def columns(name: str, domain: Domain, configuration: Mapping[str, Any]) -> list[float]:
        if not isinstance(domain, Choice):
            return [domain.share(configuration[name]) if name in configuration else 0.5]
        label = domain.label(configuration[name]) if name in configuration else None
        return [float(label == own) for own in domain.labels]

    return np.array([[x for n, d in space.items() for x in columns(n, d, one)] for one in configurations])


def _judged(seen: Sequence[Observation]) -> tuple[list[Configuration], Array]:
    """What was judged, and how good it was, failures as bad as the worst success; nothing where all failed."""
    judged = [one for one in seen if one.merit is not None]
    merits = np.array([one.merit for one in judged], dtype=float)
    finite = merits[np.isfinite(merits)]
    if len(finite) < 2:
        return [], finite[:0]
    return [one.configuration for one in judged], np.where(np.isfinite(merits), merits, finite.min())


def _moved(space: Space, configuration: Mapping[str, Any], rng: np.random.Generator) -> Configuration:
    """A small move: numbers by a normal step along their scales, one choice in five drawn anew."""
    width = 10 ** rng.uniform(-2.5, -0.5)  # of 0.3 to 30 percent of the scale: near steps refine, far ones look around
    shares = []
    for name, domain in space.items():
        fresh, step = rng.random(), rng.normal(0, width)
        if name not in configuration or (isinstance(domain, Choice) and rng.random() < 0.2):
            shares.append(fresh)
        else:
            here = domain.share(configuration[name])
            shares.append(here if isinstance(domain, Choice) else min(max(here + step, 0.0), 1.0))
    return space.at(shares)


def _fitted(X: Array, y: Array) -> Any:
    """Scikit-learn's regression with the kernel of Snoek et al. (2012): Matérn 5/2, a length scale an axis, noise."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    wave = Matern(np.full(X.shape[1], 0.5), (0.05, 20.0), nu=2.5)
    kernel = ConstantKernel(1.0, (0.05, 20.0)) * wave + WhiteKernel(1e-2, (1e-6, 1.0))
    with warnings.catch_warnings(), _threads().limit(limits=1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: an axis without effect
        return GaussianProcessRegressor(kernel, optimizer=_climb).fit(X, y)


@lru_cache(maxsize=1)
def _threads() -> Any:
    """What limits the algebra to one thread.

    On matrices so small, two only wait for each other, and where the machine is busy a fit takes ten times as long.
    """
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def _climb(cost: Any, start: Array, bounds: Array) -> tuple[Array, float]:
    """The likelihood's maximum, near enough: thirty steps of L-BFGS-B, where scikit-learn takes up to 15,000."""
    from scipy.optimize import minimize

    found = minimize(cost, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": 30})
    return found.x, found.fun
