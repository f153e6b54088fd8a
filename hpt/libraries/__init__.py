"""Libraries: the same task and space, searched by the tuners that people use.

Each module hands a task to one library through the library's own interface, as its users write it. The networks are
trained by ``hpt``, trial by trial, so what differs between two libraries is what they propose and what they do besides.
All return the same `hpt.Study`, ready for `hpt.report` and the plots. A library that is not installed is an optional
extra of this package: ``pip install 'hpt[hyperopt]'``, or ``'hpt[libraries]'`` for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from hpt.comparison import Comparison, Watch, comparison_of
from hpt.domains import whole
from hpt.errors import InvalidInput, missing, unknown
from hpt.libraries.objective import Objective
from hpt.libraries.together import Together
from hpt.search import longest
from hpt.seeds import derive
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
        apart: whether it trains in processes of its own, so that `compare` cannot train its networks with others.
    """

    home: str
    shown: str
    package: str
    needs: str
    extra: str = ""
    apart: bool = False

    def drive(self, objective: Objective, trials: int, seed: int, **options: Any) -> None:
        """Let the library search.

        Raises:
            MissingExtra: where the library is not installed.
        """
        try:
            import_module(self.needs)
        except ImportError as error:
            raise missing(self.shown, self.package, self.extra) from error
        module, function = self.home.split(".")
        getattr(import_module(f"hpt.libraries.{module}"), function)(objective, trials, seed, **options)


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
    "ray_asha": Library("with_ray.asha", "Ray Tune Optuna, ASHA", "ray[tune]", "ray.tune", "ray", apart=True),
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
        A `Study`, as `hpt.tune` gives it; after Ctrl-C it holds what was finished until then.

    Raises:
        UnknownName: for a library that is not there.
        InvalidInput: for a task with costs, or a space that the library cannot express.
        MissingExtra: where the library is not installed; the message says how to install it.
    """
    row = _row(task, library)
    objective = Objective(task, library, seed, trainer)
    try:
        row.drive(objective, whole("trials", trials, 1), seed, **options)
    except KeyboardInterrupt:
        objective.search.interrupt("interrupted by Ctrl-C")
    return objective.study()


def compare(
    task: Task,
    libraries: Sequence[str],
    *,
    trials: int | Mapping[str, int] = 20,
    repeats: int = 20,
    seed: int = 0,
    trainer: Trainer | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Let libraries search the same task, many times, with the same seeds and splits as `hpt.compare`.

    Each repeat is the library's own loop, in a thread of its own; the networks that all repeats of a library wait for
    are trained as one heap, which makes the repeats affordable. See `hpt.libraries.together`.

    Args:
        task: what to tune; its data are split anew for every repeat.
        libraries: names from `LIBRARIES`.
        trials: configurations of each search, or a number by name.
        repeats: how many times each library searches.
        seed: of all splits and searches.
        trainer: trains the networks, default `hpt.training.stack.Stack`.
        options: of the functions that the rows name, by the library's name.

    Returns:
        A `hpt.Comparison`; ``asking`` holds the processor time that a library took for itself, a trial.

    Raises:
        UnknownName: for a library that is not there.
        InvalidInput: for a library that trains in processes of its own.
        MissingExtra: where a library is not installed.
    """
    from hpt.training.stack import Stack

    whole("repeats", repeats, 1)
    repeated, tests = task.resplit(repeats, seed)
    watches = [Watch(repeated, repeat, test) for repeat, test in enumerate(tests)]
    searches, budgets = {}, {}
    for name in libraries:
        row = _row(task, name)
        if row.apart:
            raise InvalidInput(f"{name} trains in processes of its own, so it cannot share stacks: use tune")
        own = whole("trials", trials[name] if isinstance(trials, Mapping) else trials, 1)
        together = Together(trainer or Stack())
        objectives = [
            Objective(
                repeated,
                name,
                derive(seed, "repeat", repeat),
                together,
                folds=[repeat],
                watch=watches[repeat],
            )
            for repeat in range(repeats)
        ]
        given = (options or {}).get(name, {})
        together.run([partial(row.drive, one, own, one.search.seed, **given) for one in objectives])
        for repeat, objective in enumerate(objectives):
            objective.search.asking = together.outside[repeat]
            searches[name, repeat] = objective.search
        budgets[name] = own * longest(task, task.space)
    return comparison_of(task, budgets, searches)


def _row(task: Task, library: str) -> Library:
    if not isinstance(task, Task):
        raise InvalidInput(f"a library needs a Task, such as hpt.task('breast_cancer'), got {task!r}")
    if library not in LIBRARIES:
        raise unknown("library", library, LIBRARIES)
    if task.costs:
        raise InvalidInput(f"{library} is handed one objective, and {task.name!r} has costs beside it: leave them out")
    return LIBRARIES[library]
