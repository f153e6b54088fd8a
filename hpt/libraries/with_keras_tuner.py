"""KerasTuner: a tuner whose ``run_trial`` is ours, and its three ways to propose.

KerasTuner's *oracle* proposes and remembers, its *tuner* runs what is proposed. A tuner that overrides ``run_trial``
can tune anything, as its documentation says; here the networks are trained by ``hpt``. The oracles are those of
``RandomSearch``, ``Hyperband`` and ``BayesianOptimization``, and the space is asked for name by name: ``hp.Float(…)``,
``hp.conditional_scope(…)``. See O'Malley et al., *KerasTuner* (2019).
"""

from __future__ import annotations

import itertools
import math
import warnings
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any

import keras_tuner
from sklearn.exceptions import ConvergenceWarning

from hpt.domains import Choice, Domain, Int, whole
from hpt.errors import InvalidInput
from hpt.libraries.objective import Objective, Ongoing
from hpt.seeds import derive
from hpt.space import Configuration, Space
from hpt.tasks import Task


def random(objective: Objective, trials: int, seed: int) -> keras_tuner.Tuner:
    """Draw every configuration by itself, every network trained in full.

    Args:
        objective: the task.
        trials: how many. KerasTuner draws no configuration twice, and ends early where it finds no new one.
        seed: of the draws.

    Returns:
        The tuner. A network that diverged or failed has the status ``"FAILED"`` there. Its files are deleted.
    """
    oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=trials, **_options(objective, trials, seed))
    return _searched(objective, oracle, InFull)


def bayes(objective: Objective, trials: int, seed: int, *, startup: int | None = None) -> keras_tuner.Tuner:
    """Let a Gaussian process propose by its lower confidence bound, every network trained in full.

    Args:
        objective: the task.
        trials: how many, as in `random`.
        seed: of the proposals.
        startup: trials that are drawn at random before it learns, default KerasTuner's: three a hyperparameter.

    Returns:
        The tuner. It learns nothing from a network that diverged or failed.
    """
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        max_trials=trials,
        num_initial_points=None if startup is None else whole("startup", startup, 1),
        **_options(objective, trials, seed),
    )
    return _searched(objective, oracle, InFull)


def hyperband(objective: Objective, trials: int, seed: int, *, factor: int = 3) -> keras_tuner.Tuner:
    """Start many networks, promote the best in brackets; KerasTuner's sizes, which are not quite the paper's.

    A promoted network goes on from its own weights and its optimizer's memory. (Trained by KerasTuner itself, it goes
    on from the weights of its best epoch, with a fresh optimizer.) Every network that diverges or fails costs its
    bracket a promotion in each round, so where one network alone should reach the last rung, none does.

    Args:
        objective: the task; its epochs are those of the last rung.
        trials: how many networks start. Brackets begin as long as they fit in whole; KerasTuner alone would count
            ``hyperband_iterations``, runs through all brackets.
        seed: of the draws.
        factor: about every so many-th network is promoted, for so many times the epochs.

    Returns:
        The tuner. It has a trial for every promotion; the objective has one for every network.

    Raises:
        InvalidInput: if the first bracket does not fit, or the space searches ``epochs``.
    """
    if "epochs" in objective.task.space:
        raise InvalidInput(
            "Hyperband decides how long to train, and so would 'epochs' in this task's space: leave it out"
        )
    epochs = objective.epochs(objective.task.space)
    oracle = WholeBrackets(
        trials,
        max_epochs=epochs,
        factor=whole("factor", factor, 2),
        hyperband_iterations=None,
        **_options(objective, trials, seed),
    )
    tuner = _searched(objective, oracle, Promoting)
    for going in {going.trial.number: going for going in tuner.going.values()}.values():
        objective.end(going, stopped=going.trial.reached < epochs)
    return tuner


def hypermodel(task: Task) -> keras_tuner.HyperModel:
    """Return a task as KerasTuner's users write it, to be trained by KerasTuner and ``model.fit``.

    Args:
        task: the problem.

    >>> tuner = keras_tuner.RandomSearch(hypermodel(task), "val_loss", max_trials=20)  # doctest: +SKIP
    >>> tuner.search(x, y, epochs=30, validation_data=(x_validation, y_validation))  # doctest: +SKIP
    """

    class HyperModel(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: keras_tuner.HyperParameters) -> Any:
            return task.build(task.configuration(suggested(hp, task.space)), task.shape)

        def fit(self, hp: keras_tuner.HyperParameters, model: Any, *args: Any, **kwargs: Any) -> Any:
            batch_size = task.configuration(suggested(hp, task.space))["batch_size"]
            return model.fit(*args, **{"batch_size": batch_size, **kwargs})

    return HyperModel()


def suggested(hp: keras_tuner.HyperParameters, space: Space) -> Configuration:
    """Ask KerasTuner for every hyperparameter of a space; what it has not seen before is thereby declared.

    A scope has one parent, so what depends on several parents is always asked for, and left out where it is not used.

    Args:
        hp: of a trial, or empty ones.
        space: domains by name. Choices are asked for by their labels.

    Returns:
        A configuration of the space.
    """
    configuration: Configuration = {}
    for name, domain in space.items():
        with ExitStack() as scopes:
            _enter(scopes, hp, space, name)
            value = _value(hp, name, domain)
        if space.active(name, configuration):
            configuration[name] = domain.value(value) if isinstance(domain, Choice) else value
    return configuration


def _enter(scopes: ExitStack, hp: keras_tuner.HyperParameters, space: Space, name: str) -> None:
    """Open the scope of a hyperparameter: its parent's value, inside the scope of its parent."""
    if len(space[name].condition) == 1:
        ((parent, values),) = space[name].condition
        _enter(scopes, hp, space, parent)
        scopes.enter_context(hp.conditional_scope(parent, [_kept(space[parent], value) for value in values]))


def _value(hp: keras_tuner.HyperParameters, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return hp.Choice(name, list(domain.labels))
    sampling = "log" if domain.log else "linear"
    if isinstance(domain, Int):
        value = hp.Int(name, domain.low, domain.high, None if domain.log else domain.step, sampling)
    else:
        value = hp.Float(name, domain.low, domain.high, sampling=sampling)
    # What is not used is None. At the very end of a log scale KerasTuner may come out above it: an Int by 1, a Float
    # by a rounding error.
    return None if value is None else min(max(value, domain.low), domain.high)


def _kept(domain: Domain, value: Any) -> Any:
    """A value as KerasTuner holds it."""
    if isinstance(domain, Choice):
        return domain.label(value)
    return int(value) if isinstance(domain, Int) else float(value)


class InFull(keras_tuner.Tuner):  # type: ignore[misc]
    """Lets the objective train what is proposed, to its end."""

    def run_trial(self, trial: Any, objective: Objective, **_: Any) -> float:
        """Return the loss of a trial, NaN where the network diverged or failed: KerasTuner marks it as failed."""
        try:
            loss = self.trained(trial, objective)
        except Exception as error:  # any other than a FatalError would be one more failed trial
            raise keras_tuner.errors.FatalError(str(error)) from error
        return loss if math.isfinite(loss) else math.nan

    def trained(self, trial: Any, objective: Objective) -> float:
        """Train; return the loss."""
        return objective(suggested(trial.hyperparameters, objective.task.space))


class Promoting(InFull):
    """Trains as far as Hyperband says, and goes on with what it promotes.

    Attributes:
        going: the networks by KerasTuner's trials; a promotion is a trial of the same network.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.going: dict[str, Ongoing] = {}

    def trained(self, trial: Any, objective: Objective) -> float:
        """Train; return the loss."""
        hp = trial.hyperparameters
        if "tuner/trial_id" in hp:
            going = self.going[hp["tuner/trial_id"]]
        else:
            going = objective.begin(suggested(hp, objective.task.space))
        self.going[trial.trial_id] = going
        return objective.advance(going, hp["tuner/epochs"])


class WholeBrackets(keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    """KerasTuner's Hyperband, ended where the next bracket would start more networks than are left.

    Args:
        trials: how many networks may start.
        options: of ``HyperbandOracle``.

    Raises:
        InvalidInput: if the first bracket starts more.
    """

    def __init__(self, trials: int, **options: Any) -> None:
        super().__init__(**options)
        self.left = 0
        order = range(self._get_num_brackets() - 1, -1, -1)  # the one that promotes most comes first
        for size in (self._get_size(bracket, 0) for bracket in itertools.cycle(order)):
            if self.left + size > trials:
                break
            self.left += size
        if not self.left:
            raise InvalidInput(
                f"KerasTuner's Hyperband starts {size} networks in its first bracket, for {self.max_epochs} epochs and "
                f"factor {self.factor}, got trials={trials}: ask for more trials, or train for fewer epochs"
            )

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return what to train next."""
        found: dict[str, Any] = super().populate_space(trial_id)
        if "tuner/trial_id" not in found.get("values", {}):
            if not self.left:
                return {"status": "STOPPED"}
            self.left -= 1
        return found


def _options(objective: Objective, trials: int, seed: int) -> dict[str, Any]:
    """What all oracles are told."""
    hp = keras_tuner.HyperParameters()
    suggested(hp, objective.task.space)
    return {
        "objective": keras_tuner.Objective("loss", "min"),
        "hyperparameters": hp,
        # `Oracle.__init__` has `seed or random.randint(1, 10000)`, so 0 would be another seed in every run. And it
        # draws hyperparameter i with seed + i: neighbouring seeds would share most of their numbers.
        "seed": derive(seed, "keras_tuner") + 1,
        "max_consecutive_failed_trials": trials + 1,  # a search does not end because networks diverge
    }


def _searched(objective: Objective, oracle: keras_tuner.Oracle, kind: type[InFull]) -> Any:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)  # its best loss of a network that diverged
        warnings.simplefilter("ignore", ConvergenceWarning)  # its process is fitted from 21 starts; the best one counts
        tuner = kind(oracle=oracle, directory=folder, overwrite=True)
        try:
            tuner.search(objective, verbose=0)
        except keras_tuner.errors.FatalError as error:
            raise (error.__cause__ or error) from None
    return tuner
