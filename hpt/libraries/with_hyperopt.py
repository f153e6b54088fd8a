"""Hyperopt: a space that is written as an expression, and TPE.

The expression is a program that draws a configuration. What depends on a choice stands inside the option of
``hp.choice`` that it belongs to, so it is drawn only there, and TPE learns about it only from trials that had it. See
Bergstra, Yamins and Cox, *Making a Science of Model Search* (2013).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp

from hpt.domains import Choice, Domain, Int, whole
from hpt.libraries.objective import Objective
from hpt.seeds import stream
from hpt.space import Configuration, Space


def tpe(objective: Objective, trials: int, seed: int, *, startup: int | None = None) -> hyperopt.Trials:
    """Let Hyperopt's TPE propose, every network trained in full.

    Args:
        objective: the task.
        trials: how many.
        seed: of the proposals.
        startup: trials that are drawn at random before TPE learns, default Hyperopt's 20.

    Returns:
        Hyperopt's own record. A network that diverged or failed has the status ``"fail"`` there.
    """
    space, suggest = objective.task.space, hyperopt.tpe.suggest
    if startup is not None:
        suggest = partial(suggest, n_startup_jobs=whole("startup", startup, 1))

    def result(point: Mapping[str, Any]) -> dict[str, Any]:
        loss = objective(configuration(space, point))
        return {"status": hyperopt.STATUS_OK, "loss": loss} if math.isfinite(loss) else {"status": hyperopt.STATUS_FAIL}

    record = hyperopt.Trials()
    with suppress(hyperopt.exceptions.AllTrialsFailed):  # raised at the end, where fmin looks for the best
        hyperopt.fmin(
            result,
            expression(space),
            algo=suggest,
            max_evals=trials,
            trials=record,
            rstate=np.random.default_rng(seed),
            verbose=False,
        )
    return record


def expression(space: Space) -> dict[str, Any]:
    """Return a space as Hyperopt's users write it.

    A hyperparameter that depends on one choice stands in the options that let it in, one node in all of them. One
    that depends on a number, or on several parents, cannot be written so: it is always drawn, and `configuration`
    leaves it out where its condition fails. Choices are drawn by their labels.

    Args:
        space: domains by name.

    Returns:
        Nodes by name; what is drawn from a choice is a dict of its label and what stands beside it.
    """
    nodes: dict[str, Any] = {}
    for name, domain in reversed(list(space.items())):  # children before their parents
        if isinstance(domain, Choice):
            inside = [child for child in space if _parent(space, child) == name]
            options = [
                {name: label, **{child: nodes[child] for child in inside if space.active(child, {name: value})}}
                for label, value in zip(domain.labels, domain.values, strict=True)
            ]
            nodes[name] = hp.choice(name, options)
        else:
            nodes[name] = _number(name, domain)
    return {name: nodes[name] for name in space if _parent(space, name) is None}


def configuration(space: Space, point: Mapping[str, Any]) -> Configuration:
    """Return what was drawn from `expression` as a configuration of the space."""
    values: Configuration = {}
    for name, value in _flat(point).items():
        domain = space[name]
        if isinstance(domain, Choice):
            values[name] = domain.value(value)
        else:  # exp(log(high)) may lie a rounding error above high
            values[name] = min(max(value, domain.low), domain.high)
    return space.completed(values, stream(0))  # everything is there, so nothing is drawn


def _parent(space: Space, name: str) -> str | None:
    """The choice in whose options a hyperparameter stands."""
    parents = [parent for parent, _ in space[name].condition]
    return parents[0] if len(parents) == 1 and isinstance(space[parents[0]], Choice) else None


def _number(name: str, domain: Domain) -> Any:
    assert not isinstance(domain, Choice)
    if not isinstance(domain, Int):
        if domain.log:
            return hp.loguniform(name, math.log(domain.low), math.log(domain.high))
        return hp.uniform(name, domain.low, domain.high)
    # Hyperopt draws a real number and rounds it, to a multiple of the step counted from 0. So steps are drawn by their
    # place, and the ends lie half a step outside: else the first and the last value would come half as often.
    if domain.log:
        ends = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return hyperopt.pyll.scope.int(hp.qloguniform(name, *ends, 1))
    return domain.low + domain.step * hp.uniformint(name, -0.5, domain.size() - 0.5)


def _flat(point: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in point.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return flat
