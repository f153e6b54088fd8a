"""Strategies: the table of what `hpt.tune` can run.

A strategy is two choices: what to try next (a sampler) and how long to train it. Every strategy here trains
each configuration in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpt.errors import InvalidInput, unknown
from hpt.samplers import Grid, Listed, Random, Sampler, Tpe


@dataclass(frozen=True)
class Strategy:
    """A name for tables and figures, and the sampler behind it."""

    name: str
    sampler: Sampler


def manual(configurations: Sequence[Mapping[str, Any]]) -> Strategy:
    """Try the configurations that a person wrote down, in order."""
    return Strategy("manual", Listed(configurations))


def grid(points: int | Mapping[str, int] = 3) -> Strategy:
    """Try every combination; each continuous hyperparameter gets ``points`` values."""
    return Strategy("grid", Grid(points))


def random() -> Strategy:
    """Draw every configuration on its own."""
    return Strategy("random", Random())


def tpe(startup: int = 10) -> Strategy:
    """Learn from the trials so far which to try next, after ``startup`` random ones."""
    return Strategy("tpe", Tpe(startup))


STRATEGIES = {"manual": manual, "grid": grid, "random": random, "tpe": tpe}
"""Every strategy by name."""


def resolve(name: str | Strategy) -> Strategy:
    """Return a strategy by its name, with its usual settings; a `Strategy` is handed through.

    Raises:
        UnknownName: for a name that is not there; the message names the near ones.
        InvalidInput: for ``"manual"``, which needs its list.
    """
    if isinstance(name, Strategy):
        return name
    if name not in STRATEGIES:
        raise unknown("strategy", name, STRATEGIES)
    if name == "manual":
        raise InvalidInput("manual search needs its list: hpt.tune(task, hpt.strategies.manual([{...}, {...}]))")
    return STRATEGIES[name]()  # type: ignore[no-any-return, operator]
