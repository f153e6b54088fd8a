"""Ray Tune: a searcher, a scheduler, and trials in processes of their own.

Optuna's TPE proposes, by Ray's own bridge to it, and ASHA stops: a network that has reached a rung goes on only if it
is among the best third of those that came there before it. It never waits for others, which is what keeps many
machines busy. See Li et al., *A System for Massively Parallel Hyperparameter Tuning* (2020).
"""

from __future__ import annotations

import logging
import math
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from hpt.libraries.objective import Objective
from hpt.space import Space
from hpt.tasks import Task
from hpt.training import failure
from hpt.training.ray import connect
from hpt.training.stack import Stack

WORST = 1e9
"""The loss of a network that diverged or failed: ASHA would let NaN go on, and infinity spoils its percentiles."""


def asha(objective: Objective, trials: int, seed: int, *, workers: int = 1) -> None:
    """Let Optuna's TPE propose and ASHA stop, in worker processes.

    Args:
        objective: the task. Its trainer is not used: each worker trains with a `Stack` of one thread.
        trials: how many are begun.
        seed: of the sampler.
        workers: how many networks train at the same time. With more than one, who is proposed and who is stopped
            depends on who comes first, so a run cannot be repeated.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when what was finished until then is on record.
    """
    connect(workers)
    task, longest = objective.task, objective.epochs(objective.task.space)
    scheduler = ASHAScheduler(metric="loss", mode="min", max_t=longest, grace_period=1, reduction_factor=3)
    unsaved = tune.CheckpointConfig(checkpoint_at_end=False)
    with tempfile.TemporaryDirectory() as folder, quiet(), signals():
        tuner = tune.Tuner(
            tune.with_parameters(Network, task=task, seed=objective.search.seed, folds=objective.folds),
            tune_config=tune.TuneConfig(
                num_samples=trials,
                max_concurrent_trials=workers,
                reuse_actors=True,  # else every trial starts a process, and TensorFlow in it
                search_alg=OptunaSearch(partial(_propose, task.space), metric="loss", mode="min", seed=seed),
                scheduler=scheduler,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, checkpoint_config=unsaved),
        )
        grid = tuner.fit()
    results = {
        result.config["number"]: result
        for result in map(grid.__getitem__, range(len(grid)))
        if result.config and _ended(result)
    }
    for _, result in sorted(results.items()):
        configuration, told = configured(task, result.config or {}), result.metrics or {}
        if result.error is None and "progress" in told:
            epoch = told["training_iteration"]
            objective.add(configuration, told["progress"], epoch, stopped=not told["over"])
        else:  # its worker died
            bad = failure(result.error or RuntimeError("Ray Tune ended before it did"))
            objective.add(configuration, [bad] * len(objective.folds), objective.epochs(configuration))
    if len(results) < trials:  # Ray Tune heard Ctrl-C, and came back as if nothing had been
        raise KeyboardInterrupt


def _ended(result: tune.Result) -> bool:
    """Whether a trial came to its end: Ctrl-C leaves trials that were cut off, or that never began."""
    return result.error is not None or bool((result.metrics or {}).get("done"))


QUIET = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
"""Variables that keep Ray Tune from writing logs of every trial, and from printing tables where it is to be silent."""


@contextmanager
def quiet() -> Iterator[None]:
    """Let Ray Tune run without logs and tables, and Optuna without saying that it starts."""
    loggers = [logging.getLogger(name) for name in ("ray.tune", "optuna")]
    levels, variables = [logger.level for logger in loggers], {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET)
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name in QUIET:
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if value is not None})


@contextmanager
def signals() -> Iterator[None]:
    """Take Ray Tune's handlers of signals away after it: it leaves them, and the next Ctrl-C would be lost in them."""
    heard = [signal.SIGINT, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
    before = {number: signal.getsignal(number) for number in heard}
    try:
        yield
    finally:
        if current_thread() is main_thread():  # elsewhere Ray Tune sets none
            for number, handler in before.items():
                if handler is not None:  # else it is not Python's
                    signal.signal(number, handler)


def _propose(space: Space, trial: Any) -> dict[str, int]:
    """Be a space as OptunaSearch takes it: it keeps what is suggested, labels for choices, and the trial's number."""
    space.suggest(trial)
    return {"number": trial.number}


def configured(task: Task, config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that Ray's config of a trial stands for."""
    return task.space.from_labels({name: config[name] for name in task.space if name in config})


class Network(tune.Trainable):
    """One trial in a worker: a step is an epoch of its networks, one a fold."""

    def setup(  # type: ignore[override]  # Ray hands on what `tune.with_parameters` was given
        self, config: dict[str, Any], task: Task, seed: int, folds: Sequence[int]
    ) -> None:
        """Begin the first trial of this worker."""
        self.objective = Objective(task, "ray_asha", seed, Stack(threads=1), folds=folds)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial in the same process, where TensorFlow is ready and the rows are there."""
        configuration = configured(self.objective.task, new_config)
        self.last = self.objective.epochs(configuration)
        self.going = self.objective.begin(configuration, new_config["number"])
        return True

    def step(self) -> dict[str, Any]:
        """Train one more epoch; return the loss, and all progress so far, because any step may be the last."""
        epoch = self.iteration + 1
        loss = self.objective.advance(self.going, epoch)
        progress = self.going.run.progress
        over = math.isinf(loss) or epoch >= self.last or all(fold.stopped for fold in progress)
        return {"loss": WORST if math.isinf(loss) else loss, "done": over, "over": over, "progress": progress}
