"""Our samplers, put into an Optuna study, pass the suites that Optuna's own samplers pass.

`Listed` and `Grid` are not here: they end by themselves and list the space before the first trial, when Optuna
does not know it, so the adapter refuses them. `Tpe`, `CmaEs` and `Nsga2` are Optuna's samplers to begin with.
"""

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

import hpt
from hpt.samplers import AgeingEvolution, Bohb, GaussianProcess, Grid, Listed, Proposer, Random, Sobol, Tpe
from hpt.samplers.adapter import as_optuna

# Those that draw at random at first leave that early here, so that the suites meet what comes after.
OURS = [
    Random(),
    Sobol(),
    GaussianProcess(startup=2, candidates=32),
    AgeingEvolution(population=2),
    Bohb(random_fraction=0.0),
]


@pytest.fixture(autouse=True)
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


class TestOurs(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture(params=OURS, ids=lambda sampler: type(sampler).__name__)
    def sampler(self, request):
        return lambda: as_optuna(request.param, seed=0)


class Spy(Proposer):
    """Proposes the first value of everything, and remembers what it was shown."""

    def propose(self, space, seen, number, seed):
        self.space, self.seen, self.number, self.seed = space, list(seen), number, seed
        return space.at([0.0] * len(space))


def mixed(trial):
    trial.suggest_float("step", 1.0, 2.0, step=0.25)
    trial.suggest_float("rate", 1.0, 10.0, log=True)
    trial.suggest_int("units", 2, 8, step=3)
    trial.suggest_categorical("kind", [None, True, 1.5, "x"])
    trial.suggest_categorical("only", ["fixed"])
    return float(trial.number)


@pytest.mark.parametrize(("direction", "sign"), [("minimize", -1), ("maximize", 1)])
def test_a_sampler_sees_the_studys_trials_as_a_space_and_merits(direction, sign):
    spy = Spy()
    study = optuna.create_study(direction=direction, sampler=as_optuna(spy, seed=7))
    study.enqueue_trial({"step": 1.75, "rate": 2.0, "units": 5, "kind": 1.5})
    study.optimize(mixed, n_trials=3)
    assert study.trials[2].params == {"step": 1.0, "rate": 1.0, "units": 2, "kind": None, "only": "fixed"}
    assert (spy.number, spy.seed, sorted(spy.space)) == (2, 7, ["kind", "rate", "step", "units"])
    assert spy.space["units"] == hpt.Int(2, 8, step=3) and spy.space["rate"] == hpt.Float(1.0, 10.0, log=True)
    assert spy.seen[0].configuration == {"step": 3, "rate": 2.0, "units": 5, "kind": 2}
    assert [one.merit for one in spy.seen] == [0.0, sign * 1.0]


def test_a_pruned_trial_is_seen_by_epoch_and_a_failed_one_is_not():
    spy, outcomes = Spy(), iter(["value", "pruned", "nothing", "failed", "value"])

    def objective(trial):
        trial.suggest_float("x", 0, 1)
        match next(outcomes):
            case "pruned":
                trial.report(0.5, step=1)
                trial.report(0.25, step=3)
                raise optuna.TrialPruned
            case "nothing":
                raise optuna.TrialPruned
            case "failed":
                return float("nan")
        return 1.0

    optuna.create_study(sampler=as_optuna(spy)).optimize(objective, n_trials=5)
    assert [one.merits for one in spy.seen] == [{0: -1.0}, {1: -0.5, 3: -0.25}, {0: -float("inf")}]


@pytest.mark.parametrize("ours", OURS, ids=lambda sampler: type(sampler).__name__)
def test_a_study_that_is_resumed_goes_on_as_if_it_had_not_stopped(ours):
    def objective(trial):
        return trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_int("n", 1, 9)

    whole, halves = (optuna.create_study(sampler=as_optuna(ours, seed=3)) for _ in range(2))
    whole.optimize(objective, n_trials=12)
    halves.optimize(objective, n_trials=6)
    halves.sampler = as_optuna(ours, seed=3)
    halves.optimize(objective, n_trials=6)
    assert [trial.params for trial in whole.trials] == [trial.params for trial in halves.trials]
    assert [trial.params for trial in whole.trials[6:]] != [trial.params for trial in whole.trials[:6]]


@pytest.mark.parametrize("sampler", [Grid(), Listed([{"x": 1}])])
def test_a_sampler_that_ends_is_refused(sampler):
    with pytest.raises(hpt.InvalidInput, match="lists the whole space"):
        as_optuna(sampler)


def test_what_proposes_nothing_is_refused():
    with pytest.raises(hpt.InvalidInput, match="a sampler that proposes"):
        as_optuna(Tpe())
    with pytest.raises(hpt.InvalidInput, match="seed"):
        as_optuna(Random(), seed=-1)
