"""Samplers that do not look back: a list, a grid, independent draws, a Sobol sequence.

No trial waits for another one's result, so all of them can be asked for ahead and trained together.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from hpt.errors import InvalidInput
from hpt.samplers.base import Observation, Proposer, fixed
from hpt.seeds import derive, stream
from hpt.space import Configuration, Space

if TYPE_CHECKING:
    from optuna import Study as Record
    from optuna.trial import Trial


class _Blind(Proposer):
    """A proposer that needs no observations, and so reads none."""

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return a large number: no trial waits for another."""
        return sys.maxsize

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return trial ``number`` with its hyperparameters set, or None when there is nothing left to try."""
        configuration = self.propose(space, (), number, seed)
        return None if configuration is None else fixed(record, space, configuration)


@dataclass(frozen=True)
class Listed(_Blind):
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

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration | None:
        """Return configuration ``number`` of the list."""
        return space.validate(self.configurations[number]) if number < len(self.configurations) else None


@dataclass(frozen=True)
class Grid(_Blind):
    """Try every combination of the values on a grid, in order.

    Args:
        points: how many values each continuous hyperparameter gets; a dict gives a number for each name.
    """

    ends: ClassVar[bool] = True
    points: int | Mapping[str, int] = 3

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration | None:
        """Return combination ``number``."""
        combinations = self.combinations(space)
        return combinations[number] if number < len(combinations) else None

    def combinations(self, space: Space) -> list[Configuration]:
        """Return every configuration of the grid, in the order in which they are tried."""
        return _combinations(space, self.points if isinstance(self.points, int) else tuple(self.points.items()))


@lru_cache(maxsize=4)
def _combinations(space: Space, points: int | tuple[tuple[str, int], ...]) -> list[Configuration]:
    """The grid of a space, listed once and not at every ask."""
    return space.grid(points if isinstance(points, int) else dict(points))


@dataclass(frozen=True)
class Random(_Blind):
    """Draw every configuration on its own, uniformly on each hyperparameter's scale (Bergstra, Bengio 2012)."""

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration:
        """Return draw ``number``."""
        return space.sample(stream(seed, "draw", number))


@dataclass(frozen=True)
class Sobol(_Blind):
    """Spread configurations evenly: a scrambled Sobol sequence (Sobol 1967, Owen 1998), SciPy's.

    Every axis of the space is one axis of the sequence. Its first 2, 4, 8, … points are spread as evenly as that
    many points can be, in every projection on one axis and in most on two.
    """

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration:
        """Return point ``number`` of the sequence."""
        return space.at(_sobol(len(space), seed, 1 << max(6, number.bit_length()))[number])


@lru_cache(maxsize=64)
def _sobol(axes: int, seed: int, points: int) -> list[list[float]]:
    """The first points of a sequence; a longer one begins with the shorter one."""
    from scipy.stats import qmc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        engine = qmc.Sobol(axes, scramble=True, rng=derive(seed, "sobol"))
    rows: list[list[float]] = engine.random(points).tolist()
    return rows
