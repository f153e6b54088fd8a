"""Engines on Ray's workers: hpt's stacks, and trials of Ray Tune that train with ``model.fit``.

Both get as many workers as the machine has cores, and both pay within the clock for the start of Ray, of its workers,
and of TensorFlow in each. A second, warm call finds them there; trials of Ray Tune are run once.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import psutil
import tensorflow as tf
from ray import tune

from benchmarks.with_hpt import train
from benchmarks.workloads import Job, Result, figures
from hpt.libraries.with_ray import quiet
from hpt.training.ray import RayStack, connect


def ray_stack(job: Job) -> dict[str, Any]:
    """Train all configurations in stacks, a stack a worker."""
    before = processor_time()
    done = train(RayStack(), job)
    return {**done, "cpu_seconds": processor_time() - before}


def ray_tune(job: Job) -> dict[str, Any]:
    """Let Ray Tune run the same configurations, one trial each, on workers that are used again."""
    before = processor_time()
    connect()
    task = job.task()
    configurations = job.configurations(task.space)
    with tempfile.TemporaryDirectory() as folder, quiet():
        grid = tune.Tuner(
            tune.with_parameters(trial, job=job),
            param_space={"number": tune.grid_search(list(range(job.size)))},
            tune_config=tune.TuneConfig(metric="score", mode="max", reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    broken = [one for one in grid if one.error is not None]
    if broken:
        raise RuntimeError(f"{len(broken)} trials failed, the first with {broken[0].error}")
    scores = {one.config["number"]: one.metrics["score"] for one in grid if one.config and one.metrics}
    results = [Result(one, job.epochs, scores[number]) for number, one in enumerate(configurations)]
    return {**figures(task, results), "cpu_seconds": processor_time() - before}


def trial(config: dict[str, Any], job: Job) -> None:
    """Train one configuration in full, in a worker, and report its score."""
    from benchmarks.with_keras import data, fit

    tf.config.threading.set_intra_op_parallelism_threads(1)  # a worker a core
    task, arrays = data(job.workload)
    configuration, seed = job.configurations(task.space)[config["number"]], job.seeds()[config["number"]]
    tune.report({"score": fit(task, arrays, configuration, job.epochs, seed).score})


def processor_time() -> float:
    """Return the seconds that this process and all below it, Ray's among them, have used so far."""
    own = psutil.Process(os.getpid())
    total = time.process_time()
    for process in own.children(recursive=True):
        try:
            total += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total
