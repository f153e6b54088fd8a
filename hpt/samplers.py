"""Samplers: what to try next.

A sampler is asked for the next trial of a record (an Optuna study) and answers with one, its hyperparameters
chosen, or with ``None`` when it has nothing left to offer. Trial number ``n`` of seed ``s`` depends on
``(s, n)`` and on the results told so far, never on a generator that was passed around.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hpt.errors import InvalidInput
from hpt.seeds import derive, stream
from hpt.space import Space

if TYPE_CHECKING:
    from optuna import Study as Record
    from optuna.trial import Trial


class Sampler(Protocol):
    """Chooses configurations. ``ends`` says whether it runs out of them by itself."""

    ends: ClassVar[bool]

    def ahead(self, number: int) -> int:
        """Return how many trials, from ``number`` on, can be asked for before any of them has a result."""

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return the next trial with its hyperparameters set, or None when there is nothing left to try."""


def _fixed(record: Record, space: Space, configuration: Mapping[str, Any]) -> Trial:
    """Put a configuration that is already chosen on the record, as a trial that runs."""
    record.enqueue_trial(space.labels(configuration))
    trial = record.ask()
    space.suggest(trial)
    return trial


@dataclass(frozen=True)
class Listed:
    """Try the configurations of a list, in its order. What a person does by hand.

    Args:
        configurations: at least one; each must lie in the space.
    """

    ends: ClassVar[bool] = True
    configurations: tuple[Mapping[str, Any], ...]

    def __init__(self, configurations: Sequence[Mapping[str, Any]]) -> None:
        if isinstance(configurations, Mapping) or not configurations:
            raise InvalidInput(f"manual search needs a list of configurations, at least one, got {configurations!r}")
        object.__setattr__(self, "configurations", tuple(dict(c) for c in configurations))

    def ahead(self, number: int) -> int:
        """Return a large number: no trial waits for another."""
        return sys.maxsize

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return configuration ``number`` of the list."""
        if number >= len(self.configurations):
            return None
        return _fixed(record, space, space.validate(self.configurations[number]))


@dataclass(frozen=True)
class Grid:
    """Try every combination of the values on a grid, in order.

    Args:
        points: how many values each continuous hyperparameter gets; a dict gives a number for each name.
    """

    ends: ClassVar[bool] = True
    points: int | Mapping[str, int] = 3

    def ahead(self, number: int) -> int:
        """Return a large number: no trial waits for another."""
        return sys.maxsize

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return combination ``number``."""
        combinations = self.combinations(space)
        return _fixed(record, space, combinations[number]) if number < len(combinations) else None

    def combinations(self, space: Space) -> list[dict[str, Any]]:
        """Return every configuration of the grid, in the order in which they are tried."""
        return _combinations(space, self.points if isinstance(self.points, int) else tuple(self.points.items()))


@lru_cache(maxsize=4)
def _combinations(space: Space, points: int | tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    """The grid of a space, listed once and not at every ask."""
    return space.grid(points if isinstance(points, int) else dict(points))


@dataclass(frozen=True)
class Random:
    """Draw every configuration on its own, uniformly on each hyperparameter's scale (Bergstra, Bengio 2012)."""

    ends: ClassVar[bool] = False

    def ahead(self, number: int) -> int:
        """Return a large number: no trial waits for another."""
        return sys.maxsize

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return draw ``number``."""
        return _fixed(record, space, space.sample(stream(seed, "draw", number)))


@dataclass(frozen=True)
class Tpe:
    """The tree-structured Parzen estimator (Bergstra et al. 2011), Optuna's multivariate form of it.

    It fits one density to the good trials and one to the others, and tries next where their ratio is high.

    Args:
        startup: how many trials are drawn at random before the first fit.
    """

    ends: ClassVar[bool] = False
    startup: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.startup, bool) or not isinstance(self.startup, int) or self.startup < 1:
            raise InvalidInput(f"TPE needs a whole number of random trials to start from, got {self.startup!r}")

    def ahead(self, number: int) -> int:
        """Return what is left of the random trials; after them every trial waits for the one before."""
        return max(1, self.startup - number)

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return a random draw for the first ``startup`` trials, then what the two densities suggest."""
        if number < self.startup:
            return Random().ask(record, space, number, seed)
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # group: one joint model a branch of the conditions
            record.sampler = TPESampler(n_startup_trials=0, group=True, seed=derive(seed, "tpe", number))
        trial = record.ask()
        space.suggest(trial)
        return trial
