"""Abilities: what each library can and cannot do, tried out.

Every cell of the table is one function below. It drives the library by its own interface on a toy, a bowl in one or two
hyperparameters, and looks at what happened. Nothing is read from a manual: a library that learns something new turns
its cell round by itself.
"""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hpt.errors import unknown

ABILITIES = {
    "resume": "a search that was stopped goes on, and does not try again what it has tried",
    "seeds": "the same seed gives the same trials, for seed 0 as for seed 1, and another seed gives others",
    "failures": "one trial that raises does not end the search",
    "conditions": "a hyperparameter exists only where another one has a certain value",
    "multi-fidelity": "networks that do badly are stopped before the end",
    "distribution": "several processes work on one search",
}
"""What is tried, and when a library is able to do it."""

EPOCHS, TRIALS = 9, 9


@dataclass(frozen=True)
class Finding:
    """What one try has shown: whether the library can do it, and what was seen, one line."""

    able: bool
    seen: str


_TRIES: dict[tuple[str, str], Callable[[], Finding]] = {}


def abilities(libraries: Sequence[str] | None = None) -> pd.DataFrame:
    """Try what libraries can do.

    Args:
        libraries: names of the first column, default all; each takes seconds, Ray Tune about half a minute.

    Returns:
        One row a library and ability: ``library``, ``ability``, ``able``, ``seen``, one line, and ``seconds``.

    Raises:
        UnknownName: for a library that is not there.
        ImportError: where one is not installed.
    """
    known = list(dict.fromkeys(library for library, _ in _TRIES))
    for library in libraries or ():
        if library not in known:
            raise unknown("library", library, known)
    rows = []
    for (library, ability), attempt in _TRIES.items():
        if library in (libraries or known):
            began = time.perf_counter()
            found = attempt()
            rows.append((library, ability, found.able, found.seen, time.perf_counter() - began))
    return pd.DataFrame(rows, columns=["library", "ability", "able", "seen", "seconds"])


def _try(library: str, ability: str) -> Callable[[Callable[[], Finding]], Callable[[], Finding]]:
    """Enter a function in the table."""

    def enter(function: Callable[[], Finding]) -> Callable[[], Finding]:
        _TRIES[library, ability] = function
        return function

    return enter


def bowl(x: float, epoch: int = EPOCHS) -> float:
    """Return the toy's loss after some epochs: lowest at 0.3, falling with every epoch."""
    return (x - 0.3) ** 2 + 1 / epoch


def _seeds(draws: Callable[[int], list[Any]]) -> Finding:
    """Search twice with seed 0 and twice with seed 1, and compare what was tried."""
    zero, one = (draws(0), draws(0)), (draws(1), draws(1))
    able = zero[0] == zero[1] and one[0] == one[1] and zero[0] != one[0]
    same = [f"seed {seed}: {'the same' if a == b else 'other'} trials" for seed, (a, b) in ((0, zero), (1, one))]
    return Finding(able, "; ".join(same) + ("" if zero[0] != one[0] else "; both seeds give the same"))


def _spent(epochs: int, started: int, extra: str = "") -> Finding:
    """Compare the epochs that a search spent with those of full trainings."""
    return Finding(epochs < started * EPOCHS, f"{started} started, {epochs} of {started * EPOCHS} epochs spent{extra}")


def _failed(run: Callable[[], int]) -> Finding:
    """Run a search of which one trial raises; it returns how many others have a result."""
    try:
        done = run()
    except _Broken:
        return Finding(False, "what the objective raises ends the search")
    return Finding(done == TRIALS - 1, f"{done} of the {TRIALS - 1} other trials have a result")


def _conditional(seen: Sequence[tuple[str, bool]], how: str) -> Finding:
    """Look whether a child of the right side was there on the right side, and only there."""
    sides = {side for side, _ in seen}
    able = sides == set(_SIDES) and all(there == (side == "right") for side, there in seen)
    return Finding(able, how)


_SIDES = ("left", "right")


def _workers(pids: Sequence[int], what: str) -> Finding:
    """Look at which processes ran the trials."""
    count = len(set(pids))
    return Finding(count > 1, f"{what}: {len(pids)} trials by {count} process{'es' * (count > 1)}")


class _Broken(Exception):
    """What the toy raises when it is asked to."""


class _Once:
    """Raises at one call of many, the third."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: float) -> float:
        self.calls += 1
        if self.calls == 3:
            raise _Broken
        return bowl(x)


# --- scikit-learn: an estimator, and searches over its parameters


class Bowl(BaseEstimator):  # type: ignore[misc]
    """The toy as an estimator; it counts its fits, and can raise at the third."""

    calls = 0

    def __init__(
        self, x: float = 0.0, side: str = "left", depth: float = 0.0, epochs: int = EPOCHS, broken: bool = False
    ) -> None:
        self.x, self.side, self.depth, self.epochs, self.broken = x, side, depth, epochs, broken

    def fit(self, X: Any, y: Any) -> Bowl:
        """Count."""
        Bowl.calls += 1
        if self.broken and Bowl.calls == 3:
            raise _Broken
        return self

    def score(self, X: Any, y: Any) -> float:
        """Return minus the loss: greater is better."""
        return -bowl(self.x, self.epochs)


class Told(Bowl):
    """The toy that takes a while, and whose score tells which process it ran in."""

    def score(self, X: Any, y: Any) -> float:
        """Return minus the number of the process."""
        time.sleep(0.2)
        return -float(os.getpid())


_ROWS = np.zeros((4, 1)), np.zeros(4)
_CUT = [(np.array([0, 1]), np.array([2, 3]))]


def _random_search(seed: int = 0, estimator: Any = None, space: Any = None, **options: Any) -> Any:
    from scipy.stats import uniform
    from sklearn.model_selection import RandomizedSearchCV

    Bowl.calls = 0
    chosen = {"x": uniform()} if space is None else space
    given = {"n_iter": TRIALS, "cv": _CUT, "random_state": seed, "refit": False, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the trial that raises
        return RandomizedSearchCV(estimator or Bowl(), chosen, **given).fit(*_ROWS)


@_try("scikit-learn", "resume")
def _sklearn_resume() -> Finding:
    search = _random_search()
    search.fit(*_ROWS)
    return Finding(Bowl.calls == TRIALS, f"a second fit() begins anew: {Bowl.calls} trials in all, of {TRIALS}")


@_try("scikit-learn", "seeds")
def _sklearn_seeds() -> Finding:
    return _seeds(lambda seed: list(_random_search(seed).cv_results_["params"]))


@_try("scikit-learn", "failures")
def _sklearn_failures() -> Finding:
    return _failed(lambda: int(np.isfinite(_random_search(0, Bowl(broken=True)).cv_results_["mean_test_score"]).sum()))


@_try("scikit-learn", "conditions")
def _sklearn_conditions() -> Finding:
    space = [{"side": ["left"], "x": [0.1, 0.2]}, {"side": ["right"], "x": [0.1, 0.2], "depth": [1.0, 2.0, 3.0]}]
    params = _random_search(space=space, n_iter=8).cv_results_["params"]
    return _conditional([(one["side"], "depth" in one) for one in params], "a list of spaces, one a case")


@_try("scikit-learn", "multi-fidelity")
def _sklearn_fidelity() -> Finding:
    from scipy.stats import uniform
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV

    epochs = {"resource": "epochs", "min_resources": 1, "max_resources": EPOCHS, "factor": 3}
    search = HalvingRandomSearchCV(
        Bowl(), {"x": uniform()}, n_candidates=TRIALS, cv=_CUT, random_state=0, refit=False, **epochs
    ).fit(*_ROWS)
    return _spent(int(np.sum(search.cv_results_["n_resources"])), TRIALS, "; survivors are trained anew")


@_try("scikit-learn", "distribution")
def _sklearn_distribution() -> Finding:
    pids = -_random_search(estimator=Told(), n_jobs=2).cv_results_["mean_test_score"]
    return _workers(pids.astype(int).tolist(), "n_jobs=2, on one machine")


# --- Optuna: define by run


def _optuna(seed: int = 0, objective: Any = None, catch: Any = (), n_trials: int = TRIALS, **options: Any) -> Any:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), **options)
        run = objective or (lambda trial: bowl(trial.suggest_float("x", 0, 1)))
        study.optimize(run, n_trials=n_trials, catch=catch)
    finally:
        optuna.logging.set_verbosity(before)
    return study


def _journal(folder: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(Path(folder) / "journal.log")))


@_try("Optuna", "resume")
def _optuna_resume() -> Finding:
    with TemporaryDirectory() as folder:
        for _ in range(2):
            study = _optuna(storage=_journal(folder), study_name="toy", load_if_exists=True)
        draws = [trial.params["x"] for trial in study.trials]
    again = len(draws) - len(set(draws))
    return Finding(
        len(draws) == 2 * TRIALS,
        f"{TRIALS} trials and {TRIALS} more in one journal file; with the sampler's seed given again, {again} draws "
        "came twice",
    )


@_try("Optuna", "seeds")
def _optuna_seeds() -> Finding:
    return _seeds(lambda seed: [trial.params for trial in _optuna(seed).trials])


@_try("Optuna", "failures")
def _optuna_failures() -> Finding:
    once = _Once()
    return _failed(
        lambda: sum(
            trial.value is not None
            for trial in _optuna(objective=lambda trial: once(trial.suggest_float("x", 0, 1)), catch=_Broken).trials
        )
    )


@_try("Optuna", "conditions")
def _optuna_conditions() -> Finding:
    def objective(trial: Any) -> float:
        if trial.suggest_categorical("side", ["left", "right"]) == "right":
            trial.suggest_float("depth", 0, 1)
        return bowl(trial.suggest_float("x", 0, 1))

    params = [trial.params for trial in _optuna(objective=objective).trials]
    return _conditional([(one["side"], "depth" in one) for one in params], "an if in the objective")


@_try("Optuna", "multi-fidelity")
def _optuna_fidelity() -> Finding:
    import optuna

    spent = []

    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        for epoch in range(1, EPOCHS + 1):
            spent.append(epoch)
            trial.report(bowl(x, epoch), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return bowl(x)

    _optuna(objective=objective, pruner=optuna.pruners.SuccessiveHalvingPruner())
    return _spent(len(spent), TRIALS, "; it stops networks, none goes on later")


_OPTUNA_WORKER = """
import os, time, optuna
from hpt.libraries.abilities import _journal, bowl
optuna.logging.set_verbosity(optuna.logging.ERROR)
def objective(trial):
    trial.set_user_attr("pid", os.getpid())
    time.sleep(0.1)
    return bowl(trial.suggest_float("x", 0, 1))
optuna.load_study(study_name="toy", storage=_journal({folder!r})).optimize(objective, n_trials=5)
"""


@_try("Optuna", "distribution")
def _optuna_distribution() -> Finding:
    with TemporaryDirectory() as folder:
        study = _optuna(study_name="toy", storage=_journal(folder), n_trials=0)
        command = [sys.executable, "-c", _OPTUNA_WORKER.format(folder=folder)]
        workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
        for worker in workers:
            worker.wait()
        pids = [trial.user_attrs["pid"] for trial in study.trials]
    return _workers(pids, "one journal file, any machine that reaches the storage")


# --- scikit-optimize: a Gaussian process over a box


def _skopt(seed: int = 0, function: Any = None, **options: Any) -> Any:
    from skopt import gp_minimize

    given = {"n_calls": TRIALS, "n_initial_points": 5, "random_state": seed, **options}
    return gp_minimize(function or (lambda point: bowl(point[0])), [(0.0, 1.0)], **given)


@_try("scikit-optimize", "resume")
def _skopt_resume() -> Finding:
    import skopt

    calls = []

    def function(point: Any) -> float:
        calls.append(point)
        return bowl(point[0])

    with TemporaryDirectory() as folder:
        file = Path(folder) / "result.pkl"
        _skopt(function=function, callback=[skopt.callbacks.CheckpointSaver(file, store_objective=False)])
        before = skopt.load(file)
        known = {"x0": before.x_iters, "y0": before.func_vals}
        after = _skopt(function=function, n_calls=1, n_initial_points=0, **known)
    able = len(calls) == TRIALS + 1 and after.x_iters[:TRIALS] == before.x_iters
    return Finding(able, f"its results are saved, and given back as x0 and y0: {len(calls)} calls in all")


@_try("scikit-optimize", "seeds")
def _skopt_seeds() -> Finding:
    return _seeds(lambda seed: list(_skopt(seed).x_iters))


@_try("scikit-optimize", "failures")
def _skopt_failures() -> Finding:
    once = _Once()
    return _failed(lambda: len(_skopt(function=lambda point: once(point[0])).func_vals))


@_try("scikit-optimize", "conditions")
def _skopt_conditions() -> Finding:
    from skopt import gp_minimize

    points = gp_minimize(
        lambda point: bowl(point[0]),
        [(0.0, 1.0), ["left", "right"], (0.0, 1.0)],
        n_calls=TRIALS,
        n_initial_points=TRIALS,
        random_state=0,
    ).x_iters
    return _conditional([(point[1], len(point) == 3) for point in points], "a point has every coordinate, used or not")


@_try("scikit-optimize", "multi-fidelity")
def _skopt_fidelity() -> Finding:
    spent: list[int] = []

    def function(point: Any) -> float:  # nobody asks before it returns
        spent.extend(range(EPOCHS))
        return bowl(point[0])

    _skopt(function=function)
    return _spent(len(spent), TRIALS)


@_try("scikit-optimize", "distribution")
def _skopt_distribution() -> Finding:
    from skopt import BayesSearchCV

    options = {"n_iter": TRIALS, "n_points": 3, "n_jobs": 2, "cv": _CUT, "random_state": 0, "refit": False}
    search = BayesSearchCV(Told(), {"x": (0.0, 1.0)}, **options).fit(*_ROWS)
    pids = (-np.array(search.cv_results_["mean_test_score"])).astype(int).tolist()
    return _workers(pids, "BayesSearchCV with n_jobs=2, on one machine")


# --- Hyperopt: expressions


def _hyperopt(seed: int = 0, function: Any = None, space: Any = None, **options: Any) -> Any:
    import hyperopt

    trials = hyperopt.Trials()
    given = {"max_evals": TRIALS, "trials": trials, "show_progressbar": False, "verbose": False, **options}
    hyperopt.fmin(
        function or bowl,
        hyperopt.hp.uniform("x", 0, 1) if space is None else space,
        algo=hyperopt.tpe.suggest,
        rstate=np.random.default_rng(seed),
        return_argmin=False,
        **given,
    )
    return trials


@_try("Hyperopt", "resume")
def _hyperopt_resume() -> Finding:
    calls = []

    def function(x: float) -> float:
        calls.append(x)
        return bowl(x)

    with TemporaryDirectory() as folder:
        file = str(Path(folder) / "trials.pkl")
        for evaluations in (4, TRIALS):
            _hyperopt(function=function, max_evals=evaluations, trials=None, trials_save_file=file)
    again = len(calls) - len(set(calls))
    seen = f"a pickle of its trials: {len(calls)} calls in all; with the seed given again, {again} draws came twice"
    return Finding(len(calls) == TRIALS, seen)


@_try("Hyperopt", "seeds")
def _hyperopt_seeds() -> Finding:
    return _seeds(lambda seed: list(_hyperopt(seed).vals["x"]))


@_try("Hyperopt", "failures")
def _hyperopt_failures() -> Finding:
    from hyperopt import STATUS_FAIL, STATUS_OK

    once = _Once()

    def function(x: float) -> dict[str, Any]:
        try:
            return {"status": STATUS_OK, "loss": once(x)}
        except _Broken:
            return {"status": STATUS_FAIL}

    return _failed(lambda: sum(loss is not None for loss in _hyperopt(function=function).losses()))


@_try("Hyperopt", "conditions")
def _hyperopt_conditions() -> Finding:
    from hyperopt import hp

    left, right = {"side": "left"}, {"side": "right", "depth": hp.uniform("depth", 0, 1)}
    seen = []

    def function(point: Any) -> float:
        seen.append((point["side"], "depth" in point))
        return bowl(0)

    _hyperopt(function=function, space=hp.choice("side", [left, right]))
    return _conditional(seen, "hp.choice between nested spaces")


@_try("Hyperopt", "multi-fidelity")
def _hyperopt_fidelity() -> Finding:
    spent: list[int] = []

    def function(x: float) -> float:  # nobody asks before it returns
        spent.extend(range(EPOCHS))
        return bowl(x)

    _hyperopt(function=function)
    return _spent(len(spent), TRIALS)


@_try("Hyperopt", "distribution")
def _hyperopt_distribution() -> Finding:
    try:
        from hyperopt.mongoexp import MongoTrials

        MongoTrials("mongo://localhost:1/toy/jobs", exp_key="toy")
    except Exception as error:
        return Finding(False, f"needs a MongoDB or a Spark server; without one it says: {error}".splitlines()[0])
    return Finding(True, "MongoTrials found a server")


# --- Ray Tune: trials in worker processes; random draws, or Optuna's TPE


def _ray_space(trial: Any) -> None:
    if trial.suggest_categorical("side", ["left", "right"]) == "right":
        trial.suggest_float("depth", 0, 1)
    trial.suggest_float("x", 0, 1)


def _ray_searcher(seed: int = 0) -> Any:
    from ray.tune.search.optuna import OptunaSearch

    return OptunaSearch(_ray_space, metric="loss", mode="min", seed=seed)


def _ray_draws(seed: int) -> list[Any]:
    with _hushed():
        searcher = _ray_searcher(seed)
        return [searcher.suggest(str(number)) for number in range(TRIALS)]


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep Ray Tune and Optuna from telling of what is meant to happen, and what they warn of in each other."""
    from hpt.libraries.with_ray import quiet, signals

    before = logging.root.manager.disable
    with quiet(), signals(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)


def _ray_toy(folder: str) -> Callable[[dict[str, Any]], None]:
    """Return the toy as Ray runs it.

    All trials leave a mark; the first waits a while for a second worker; one raises, whoever first finds that it must.
    """

    def toy(config: dict[str, Any]) -> None:
        from ray import tune

        runs, began = Path(folder) / "runs", time.monotonic()
        descriptor, _ = mkstemp(prefix=f"{os.getpid()}-", dir=runs)
        os.close(descriptor)
        while len(list(runs.iterdir())) < 2 and time.monotonic() - began < 30:
            time.sleep(0.05)
        try:
            (Path(folder) / "whole").rename(Path(folder) / "broken")
            raise _Broken
        except FileNotFoundError:
            for epoch in range(1, EPOCHS + 1):
                tune.report({"loss": bowl(config["x"], epoch)})

    return toy


def _ray_run(folder: str, **how: Any) -> Any:
    from ray import tune

    from hpt.training.ray import connect

    connect(workers=2)
    (Path(folder) / "runs").mkdir()
    plan = tune.TuneConfig(
        metric="loss", mode="min", num_samples=TRIALS, reuse_actors=True, max_concurrent_trials=2, **how
    )
    there = tune.RunConfig(name="toy", storage_path=folder, verbose=0)
    with _hushed():
        return tune.Tuner(
            _ray_toy(folder), param_space={"x": tune.uniform(0, 1)}, tune_config=plan, run_config=there
        ).fit()


@lru_cache(maxsize=1)
def _ray_history() -> tuple[int, list[int], int, int]:
    """Run a search of which one trial raises, then restore it.

    Returns:
        How many trials had a result before, the process of each, how many have one after, and all runs.
    """
    from ray import tune

    with TemporaryDirectory() as folder:
        (Path(folder) / "whole").touch()
        first = _ray_run(folder)
        pids = [int(mark.name.split("-")[0]) for mark in (Path(folder) / "runs").iterdir()]
        with _hushed():
            restored = tune.Tuner.restore(str(Path(folder) / "toy"), _ray_toy(folder), restart_errored=True).fit()
        runs = len(list((Path(folder) / "runs").iterdir()))
    return len(first) - first.num_errors, pids, len(restored) - restored.num_errors, runs


@_try("Ray Tune", "resume")
def _ray_resume() -> Finding:
    _, _, done, runs = _ray_history()
    return Finding(
        done == TRIALS and runs == TRIALS + 1, f"Tuner.restore ran the failed trial again: {runs} runs in all"
    )


@_try("Ray Tune", "seeds")
def _ray_seeds() -> Finding:
    return _seeds(_ray_draws)


@_try("Ray Tune", "failures")
def _ray_failures() -> Finding:
    return _failed(lambda: _ray_history()[0])


@_try("Ray Tune", "conditions")
def _ray_conditions() -> Finding:
    seen = [(one["side"], "depth" in one) for one in _ray_draws(0)]
    return _conditional(seen, "Optuna's if, in the searcher")


@_try("Ray Tune", "multi-fidelity")
def _ray_fidelity() -> Finding:
    from ray.tune.schedulers import ASHAScheduler

    with TemporaryDirectory() as folder:
        results = _ray_run(folder, scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=1, reduction_factor=3))
        return _spent(sum(one.metrics["training_iteration"] for one in results), TRIALS, "; none goes on later")


@_try("Ray Tune", "distribution")
def _ray_distribution() -> Finding:
    return _workers(_ray_history()[1], "workers of a cluster, here two on one machine")


# --- KerasTuner: an oracle, and a tuner whose run_trial may be anything


def _keras_tuner(folder: str, toy: Any, seed: int = 1, kind: str = "RandomSearch", **options: Any) -> Any:
    import keras_tuner

    class Toy(getattr(keras_tuner, kind)):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
            found: float = toy(trial.hyperparameters)
            return found

    given = {"max_trials": TRIALS} if kind == "RandomSearch" else {"max_epochs": EPOCHS, "factor": 3}
    goal = keras_tuner.Objective("loss", "min")
    space = keras_tuner.HyperParameters()
    if kind == "Hyperband":  # it draws before the first trial has asked
        space.Float("x", 0, 1)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # it announces every trial, and what one raises
        tuner = Toy(
            objective=goal, hyperparameters=space, seed=seed, directory=folder, project_name="toy", **given, **options
        )
        tuner.search(verbose=0)
    return tuner


def _keras_tuner_params(tuner: Any) -> list[dict[str, Any]]:
    trials = tuner.oracle.trials
    return [trials[name].hyperparameters.values for name in tuner.oracle.start_order]  # noqa: PD011


@_try("KerasTuner", "resume")
def _keras_tuner_resume() -> Finding:
    calls = []

    def toy(hp: Any) -> float:
        calls.append(hp.Float("x", 0, 1))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return bowl(calls[-1])

    with TemporaryDirectory() as folder:
        with suppress(KeyboardInterrupt):
            _keras_tuner(folder, toy)
        tuner = _keras_tuner(folder, toy)
        done = len(tuner.oracle.trials)
    able = done == TRIALS and len(calls) == TRIALS + 1
    return Finding(
        able, f"its folder, with overwrite=False: {len(calls)} calls for {done} trials, the fourth was cut off"
    )


@_try("KerasTuner", "seeds")
def _keras_tuner_seeds() -> Finding:
    def draws(seed: int) -> list[Any]:
        with TemporaryDirectory() as folder:
            return _keras_tuner_params(_keras_tuner(folder, lambda hp: bowl(hp.Float("x", 0, 1)), seed))

    return _seeds(draws)


@_try("KerasTuner", "failures")
def _keras_tuner_failures() -> Finding:
    from keras_tuner.errors import FailedTrialError

    once = _Once()

    def toy(hp: Any) -> float:
        try:
            return once(hp.Float("x", 0, 1))
        except _Broken as error:
            raise FailedTrialError from error

    def run() -> int:
        with TemporaryDirectory() as folder:
            trials = _keras_tuner(folder, toy).oracle.trials.values()
        return sum(trial.score is not None for trial in trials)

    return _failed(run)


@_try("KerasTuner", "conditions")
def _keras_tuner_conditions() -> Finding:
    def toy(hp: Any) -> float:
        side = hp.Choice("side", ["left", "right"])
        with hp.conditional_scope("side", ["right"]):
            if side == "right":
                hp.Float("depth", 0, 1)
        return bowl(hp.Float("x", 0, 1))

    with TemporaryDirectory() as folder:
        params = _keras_tuner_params(_keras_tuner(folder, toy))
    return _conditional([(one["side"], "depth" in one) for one in params], "hp.conditional_scope")


@_try("KerasTuner", "multi-fidelity")
def _keras_tuner_fidelity() -> Finding:
    with TemporaryDirectory() as folder:
        tuner = _keras_tuner(folder, lambda hp: bowl(hp.Float("x", 0, 1), hp["tuner/epochs"]), kind="Hyperband")
        params = _keras_tuner_params(tuner)
    started = sum("tuner/trial_id" not in one for one in params)
    epochs = sum(one["tuner/epochs"] - one["tuner/initial_epoch"] for one in params)
    return _spent(
        epochs, started, "; survivors go on from the weights of their best epoch, their optimizer begins anew"
    )


@_try("KerasTuner", "distribution")
def _keras_tuner_distribution() -> Finding:
    """Two clients ask one oracle over the network, as its workers and its chief do in processes of their own."""
    import grpc
    import keras_tuner
    from keras_tuner.src import protos
    from keras_tuner.src.distribute import oracle_chief, oracle_client

    def oracle() -> Any:
        space = keras_tuner.HyperParameters()
        space.Float("x", 0, 1)
        goal = keras_tuner.Objective("loss", "min")
        return keras_tuner.oracles.RandomSearchOracle(goal, max_trials=TRIALS, hyperparameters=space, seed=1)

    server = grpc.server(ThreadPoolExecutor(1))
    with TemporaryDirectory() as folder:
        chief = oracle()
        chief.verbose = 0
        chief._set_project_dir(folder, "toy")
        protos.get_service_grpc().add_OracleServicer_to_server(oracle_chief.OracleServicer(chief), server)
        address = {
            "KERASTUNER_ORACLE_IP": "127.0.0.1",
            "KERASTUNER_ORACLE_PORT": str(server.add_insecure_port("127.0.0.1:0")),
        }
        server.start()
        ran = []
        try:
            clients = []
            for worker in ("tuner0", "tuner1"):
                with patch.dict(os.environ, {**address, "KERASTUNER_TUNER_ID": worker}):
                    clients.append(oracle_client.OracleClient(oracle()))
            for client in itertools.cycle(clients):
                trial = client.create_trial(client.tuner_id)
                if trial.status == "STOPPED":
                    break
                client.update_trial(trial.trial_id, {"loss": bowl(trial.hyperparameters.get("x"))})
                client.end_trial(keras_tuner.engine.trial.Trial(trial.hyperparameters, trial.trial_id, "COMPLETED"))
                ran.append(client.tuner_id)
        finally:
            server.stop(None)
    seen = f"a chief that workers ask over the network: {len(ran)} trials by {len(set(ran))} workers"
    return Finding(len(set(ran)) > 1 and len(ran) == TRIALS, seen)
