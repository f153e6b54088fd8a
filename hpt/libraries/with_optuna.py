"""Optuna: define-by-run, samplers and pruners.

The space is whatever ``objective(trial)`` asks for, so conditions are plain ``if`` statements. A pruner looks at the
values that the objective reports on the way. See Akiba et al., *Optuna* (2019).
"""

from __future__ import annotations

from typing import Any

import optuna

from hpt.libraries.objective import Objective
from hpt.search import quiet_optuna


def tpe(objective: Objective, trials: int, seed: int, *, sampler: Any = None) -> None:
    """Let Optuna's TPE propose, every network trained in full.

    Args:
        objective: the task.
        trials: how many.
        seed: of the sampler.
        sampler: another sampler of Optuna's; then the seed is the sampler's own.
    """
    _optimize(objective, trials, sampler or optuna.samplers.TPESampler(seed=seed))


def median(objective: Objective, trials: int, seed: int) -> None:
    """Stop a network whose score falls below the median of the earlier ones at the same epoch."""
    _optimize(objective, trials, optuna.samplers.TPESampler(seed=seed), optuna.pruners.MedianPruner())


def hyperband(objective: Objective, trials: int, seed: int, *, eta: int = 3) -> None:
    """Deal the trials out to brackets that prune differently; this is Optuna's own variant, not the paper's."""
    longest = objective.epochs(objective.task.space)
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=longest, reduction_factor=eta)
    _optimize(objective, trials, optuna.samplers.TPESampler(seed=seed), pruner)


def suggested(objective: Objective, trial: optuna.Trial, *, prune: bool = False) -> float:
    """Be an Optuna objective: let the trial suggest a configuration, train it, return its loss.

    Args:
        objective: the task.
        trial: of Optuna's; its number decides the seeds of the networks.
        prune: report after a third of the epochs, a ninth, and so on, and stop where the study's pruner says so.

    Raises:
        TrialPruned: where the pruner stops it, and where a network diverged or failed: told NaN, TPE would go there.
    """
    configuration = objective.task.space.suggest(trial)
    last = objective.epochs(configuration)
    going = objective.begin(configuration, trial.number)
    for epoch in looks(last) if prune else [last]:
        loss = objective.advance(going, epoch)
        failed = loss == float("inf")
        if not failed:
            trial.report(loss, epoch)
        if failed or (prune and epoch < last and trial.should_prune()):
            objective.end(going, stopped=True)
            raise optuna.TrialPruned
    objective.end(going)
    return loss


def looks(last: int, eta: int = 3) -> list[int]:
    """Return the epochs at which a network is looked at: the last one, a third of it, a ninth, down to 1 or more.

    >>> looks(27), looks(30)
    ([1, 3, 9, 27], [1, 3, 10, 30])
    """
    epochs = [last]
    while epochs[0] >= eta:
        epochs.insert(0, epochs[0] // eta)
    return epochs


def _optimize(
    objective: Objective,
    trials: int,
    sampler: Any,
    pruner: optuna.pruners.BasePruner | None = None,
) -> None:
    with quiet_optuna():
        study = optuna.create_study(
            study_name=objective.task.name,  # HyperbandPruner deals out brackets by the name; the default is random
            sampler=sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
            direction="minimize",
        )
        study.optimize(lambda trial: suggested(objective, trial, prune=pruner is not None), n_trials=trials)
