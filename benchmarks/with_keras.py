"""Engines of people who write Keras: ``model.fit`` in a loop, the same in two processes, and under Optuna."""

from __future__ import annotations

import multiprocessing
import time
from functools import cache
from multiprocessing.synchronize import Barrier
from typing import Any

import keras
import optuna
import tensorflow as tf

from benchmarks.workloads import Job, Result, figures, workload
from hpt import Task, networks
from hpt.data import Arrays
from hpt.networks import HEADS


def keras_fit(job: Job) -> dict[str, Any]:
    """Train one configuration after another with ``model.fit``."""
    task = job.task()
    arrays = task.arrays()
    pairs = zip(job.configurations(task.space), job.seeds(), strict=True)
    return figures(task, [fit(task, arrays, one, job.epochs, seed) for one, seed in pairs])


def compiled(task: Task, configuration: dict[str, Any]) -> Any:
    """Build and compile a network that reports its accuracy, in a fresh Keras session."""
    keras.backend.clear_session()
    model = task.build(configuration, task.shape)
    model.compile(networks.optimizer(configuration), loss=HEADS[task.dataset.problem][1], metrics=["accuracy"])
    return model


def fit(task: Task, arrays: Arrays, configuration: dict[str, Any], epochs: int, seed: int) -> Result:
    """Train one network as the tutorials do, looking at the validation rows after every epoch."""
    keras.utils.set_random_seed(seed)
    model = compiled(task, configuration)
    history = model.fit(
        arrays.x_train,
        arrays.y_train,
        batch_size=configuration["batch_size"],
        epochs=epochs,
        validation_data=(arrays.x_validation, arrays.y_validation),
        verbose=0,
    )
    return Result(configuration, epochs, history.history["val_accuracy"][-1])


def optuna_keras(job: Job) -> dict[str, Any]:
    """Let Optuna ask for the same configurations, one trial each."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = job.task()
    arrays, seeds, results = task.arrays(), job.seeds(), []

    def objective(trial: optuna.Trial) -> float:
        results.append(fit(task, arrays, task.space.suggest(trial), job.epochs, seeds[trial.number]))
        return results[-1].score

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=job.seed))
    for configuration in job.configurations(task.space):
        study.enqueue_trial(task.space.labels(configuration))
    study.optimize(objective, n_trials=job.size)
    return figures(task, results)


# --- two processes, so that a machine with two cores is used as well as the stacked trainer uses it ---------


def keras_fit_2_processes(job: Job) -> dict[str, Any]:
    """Train with ``model.fit`` in two processes; each takes the next configuration when it is free.

    The clocks are its own: they start when both processes have imported Keras. The processor's time is what the
    two spent in training.
    """
    task = job.task()
    pairs = zip(job.configurations(task.space), job.seeds(), strict=True)
    spawn = multiprocessing.get_context("spawn")
    both_ready = spawn.Barrier(3)
    began = time.perf_counter()
    with spawn.Pool(2, _ready, (both_ready,)) as pool:
        both_ready.wait(timeout=120)
        ready = time.perf_counter()
        done = pool.starmap(_fit_here, [(job, one, seed) for one, seed in pairs], chunksize=1)
        wall = time.perf_counter() - ready
    clocks = {"import_seconds": ready - began, "wall_seconds": wall, "cpu_seconds": sum(cpu for _, cpu in done)}
    return {**figures(task, [result for result, _ in done]), **clocks}


def _ready(both_ready: Barrier) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)  # two processes, two cores
    both_ready.wait()


def _fit_here(job: Job, configuration: dict[str, Any], seed: int) -> tuple[Result, float]:
    began = time.process_time()
    task, arrays = data(job.workload)
    return fit(task, arrays, configuration, job.epochs, seed), time.process_time() - began


@cache
def data(name: str) -> tuple[Task, Arrays]:
    """Return a workload's task and its rows, made once a process."""
    task = workload(name)
    return task, task.arrays()
