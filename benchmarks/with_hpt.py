"""Engines of hpt itself: the stacked trainer, which trains all networks at once, and the Keras loop.

Both stand behind one seam, `hpt.training.Trainer`, so what follows does not know which of them it is using.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import tensorflow as tf  # noqa: F401, here and not later: its import is timed apart

from benchmarks.paths import Path
from benchmarks.workloads import Job, Result, figures
from hpt import strategies
from hpt.search import Search
from hpt.training import Member, Trainer


def stack(job: Job) -> dict[str, Any]:
    """Train all configurations at once."""
    return train(_stack(), job)


def keras_loop(job: Job) -> dict[str, Any]:
    """Train one configuration after another, by the leanest loop that we know over plain Keras."""
    return train(_keras_loop(), job)


def hyperband_stack(job: Job) -> dict[str, Any]:
    """Run a whole Hyperband, each rung trained at once."""
    return _hyperband(_stack(), job)


def hyperband_keras_loop(job: Job) -> dict[str, Any]:
    """Run the same Hyperband, one network after another."""
    return _hyperband(_keras_loop(), job)


def _stack() -> Trainer:
    from hpt.training.stack import Stack

    return Stack()


def _keras_loop() -> Trainer:
    from hpt.training.keras_loop import KerasLoop

    return KerasLoop()


def train(trainer: Trainer, job: Job) -> dict[str, Any]:
    """Train a job's configurations with a trainer of hpt."""
    task = job.task()
    configurations = job.configurations(task.space)
    members = [Member(one, seed) for one, seed in zip(configurations, job.seeds(), strict=True)]
    progress = trainer.start(task, members).advance(job.epochs)
    broken = [one.reason for one in progress if one.status == "failed"]
    if broken:
        raise RuntimeError(f"{len(broken)} trainings failed, the first with {broken[0]}")
    scores = [one.curve[-1]["score"] if one.status == "complete" else math.nan for one in progress]
    results = [Result(c, p.epochs, s) for c, p, s in zip(configurations, progress, scores, strict=True)]
    return figures(task, results)


def _hyperband(trainer: Trainer, job: Job) -> dict[str, Any]:
    task = replace(job.task(), epochs=job.epochs)
    search, path, before = Search(task, strategies.hyperband(), trainer, job.seed), Path(), 0
    for waiting in search.rounds():  # a rung is judged when the search goes on after it
        if search.spent:
            path.add(search.spent - before, search.best)
            before = search.spent
        trainer.advance(waiting)
    path.add(search.spent - before, search.best)
    return {"trainings": len(search.rungs), **path.figures()}
