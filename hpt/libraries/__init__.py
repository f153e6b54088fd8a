"""Libraries: the same task and space, searched by the tuners that people use.

Each module hands a task to one library through the library's own interface, as its users write it. The networks are
trained by `hpt`, trial by trial, so what differs between two libraries is what they propose and what they do besides.
All return the same `hpt.Study`, ready for `hpt.report` and the plots. A library that is not installed is an optional
extra of this package: ``pip install 'hpt[hyperopt]'``, or ``'hpt[libraries]'`` for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from hpt.domains import whole
from hpt.errors import InvalidInput, missing, unknown
from hpt.libraries.objective import Objective
from hpt.study import Study
from hpt.tasks import Task
from hpt.training import Trainer


@dataclass(frozen=True)
class Library:
    """One way to search with a library.

    Attributes:
        home: module of this package and function in it.
        shown: the library and its function, as people call it.
        package: the library's name on the package index.
        needs: module that must be importable.
        extra: of ``hpt``, which installs it; empty where ``hpt`` needs the library itself.
    """

    home: str
    shown: str
    package: str
    needs: str
    extra: str = ""


LIBRARIES = {
    "sklearn_grid": Library("with_sklearn.grid", "scikit-learn GridSearchCV", "scikit-learn", "sklearn"),
    "sklearn_random": Library("with_sklearn.random", "scikit-learn RandomizedSearchCV", "scikit-learn", "sklearn"),
    "sklearn_halving": Library("with_sklearn.halving", "scikit-learn HalvingRandomSearchCV", "scikit-learn", "sklearn"),
    "optuna": Library("with_optuna.tpe", "Optuna TPE", "optuna", "optuna"),
    "optuna_median": Library("with_optuna.median", "Optuna TPE, MedianPruner", "optuna", "optuna"),
    "optuna_hyperband": Library("with_optuna.hyperband", "Optuna TPE, HyperbandPruner", "optuna", "optuna"),
    "skopt_gp": Library("with_skopt.gp", "scikit-optimize gp_minimize", "scikit-optimize", "skopt", "skopt"),
    "skopt_bayes": Library("with_skopt.bayes", "scikit-optimize BayesSearchCV", "scikit-optimize", "skopt", "skopt"),
    "hyperopt": Library("with_hyperopt.tpe", "Hyperopt tpe.suggest", "hyperopt", "hyperopt", "hyperopt"),
    "ray_asha": Library("with_ray.asha", "Ray Tune Optuna, ASHA", "ray[tune]", "ray.tune", "ray"),
    "keras_tuner_random": Library(
        "with_keras_tuner.random", "KerasTuner RandomSearch", "keras-tuner", "keras_tuner", "keras-tuner"
    ),
    "keras_tuner_hyperband": Library(
        "with_keras_tuner.hyperband", "KerasTuner Hyperband", "keras-tuner", "keras_tuner", "keras-tuner"
    ),
    "keras_tuner_bayes": Library(
        "with_keras_tuner.bayes", "KerasTuner BayesianOptimization", "keras-tuner", "keras_tuner", "keras-tuner"
    ),
}
"""Every way to search, by name."""


def tune(
    task: Task, library: str, *, trials: int = 20, seed: int = 0, trainer: Trainer | None = None, **options: Any
) -> Study:
    """Search the task's space with a library.

    Args:
        task: what to tune.
        library: one of `LIBRARIES`.
        trials: configurations that the library tries. Where it stops networks early, it is those that it begins.
        seed: of everything random, the library's own draws and the networks; 0 is a seed like any other.
        trainer: trains the networks, default `hpt.training.stack.Stack`; one network at a time, because that is how
            these libraries ask.
        options: of the function that the library's row names, such as ``points=4`` for ``sklearn_grid``.

    Returns:
        A `Study`, as `hpt.tune` gives it.

    Raises:
        UnknownName: for a library that is not there.
        InvalidInput: for a task with costs, or a space that the library cannot express.
        MissingExtra: where the library is not installed; the message says how to install it.
    """
    if not isinstance(task, Task):
        raise InvalidInput(f"a library needs a Task, such as hpt.task('breast_cancer'), got {task!r}")
    if library not in LIBRARIES:
        raise unknown("library", library, LIBRARIES)
    if task.costs:
        raise InvalidInput(f"{library} is handed one objective, and {task.name!r} has costs beside it: leave them out")
    row = LIBRARIES[library]
    try:
        import_module(row.needs)
    except ImportError as error:
        raise missing(library, row.package, row.extra) from error
    module, function = row.home.split(".")
    objective = Objective(task, library, seed, trainer)
    getattr(import_module(f"hpt.libraries.{module}"), function)(objective, whole("trials", trials, 1), seed, **options)
    return objective.study()
