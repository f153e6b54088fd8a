"""scikit-learn's searches over a task: what they try, what they are told, and what ends up in the study."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.base import BaseEstimator, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, ParameterSampler, cross_val_score
from sklearn.preprocessing import FunctionTransformer

import hpt
from hpt import libraries
from hpt.data import Dataset, by_time, holdout, kfold
from hpt.domains import same
from hpt.libraries import with_sklearn
from hpt.libraries.estimator import Network, folds, quiet
from hpt.libraries.objective import Objective
from hpt.training import Progress

from doubles import Pretend, _PretendRun

SEARCHES = ["sklearn_grid", "sklearn_random", "sklearn_halving"]
SPACE = hpt.Space({"a": hpt.Float(0, 1), "b": hpt.Float(1e-3, 1, log=True)})
BAD = Progress("diverged", "the loss became nan", stopped=True)


class Exact(Pretend):
    """A trainer whose networks answer so that their mean absolute error is what the function says."""

    def start(self, task, members):
        return _ExactRun(self, task, list(members))


class _ExactRun(_PretendRun):
    def outputs(self, position, x):
        return x + self.progress[position].metrics["mae"]


def toy(space=SPACE, k=1, epochs=9):
    """A task that asks for its input back."""
    x = np.linspace(-1, 1, 50)[:, None]
    data = Dataset("toy", x, x[:, 0])
    split = holdout(data) if k == 1 else kfold(data, k)
    own = {"scaler": FunctionTransformer, "scale_target": False}
    return hpt.Task("toy", split, hpt.networks.mlp, space, ("mae",), epochs, **own)


def searched(function, task, score, trials=9, seed=0, **options):
    objective = Objective(task, "toy", seed, Exact(score))
    search = getattr(with_sklearn, function)(objective, trials, seed, **options)
    return search, objective.study()


def error(member):
    return member.configuration["a"] + member.configuration["b"]


# --- the study is what the search saw ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "k"),
    [
        ("wine", 2),
        ("diabetes", 1),
        ("digits_autoencoder", 1),
        ("co2", 2),
        pytest.param("digits_cnn", 1, marks=pytest.mark.slow),
    ],
)
def test_scikit_learn_computes_the_score_of_the_study(name, k):
    task = hpt.task(name, epochs=1, folds=k)
    objective = Objective(task, name)
    search = with_sklearn.random(objective, 2, 0)
    study = objective.study()
    assert study.trials["status"].tolist() == ["complete"] * 2
    own = task.objective.sign * search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(own, study.trials["score"], rtol=1e-4)
    assert len({round(score, 9) for score in study.trials["score"]}) == 2
    assert study.best_trial == search.best_index_


@pytest.mark.parametrize("name", hpt.tasks.TASKS)
def test_every_ready_task_can_be_searched(name):
    task = hpt.task(name)
    objective = Objective(task, name, trainer=Pretend(lambda m: 0.5))
    search = with_sklearn.random(objective, 2, 0)
    arrays = task.arrays(0)
    constant = arrays.restore(np.full((len(arrays.x_validation), task.shape.outputs), 0.5))
    wanted = task.objective.score(arrays.restore(arrays.y_validation), constant)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], task.objective.sign * wanted, rtol=1e-4)


def test_a_table_with_holes_can_be_searched():
    frame = pd.DataFrame({"x": [1.0, np.nan, 3, 4, 5] * 8, "kind": ["a", "b", None, "a", "b"] * 8, "y": range(40)})
    task = hpt.Task.from_frame(frame, "y", problem="regression", epochs=2)
    objective = Objective(task, "table")
    search = with_sklearn.random(objective, 1, 0)
    assert -search.best_score_ == pytest.approx(objective.study().best_score, rel=1e-4)


def test_two_folds_are_one_trial_and_its_score_is_their_mean():
    search, study = searched("random", toy(k=2), lambda m: error(m) + m.fold, trials=3)
    one, two = (-search.cv_results_[f"split{i}_test_score"] for i in (0, 1))
    np.testing.assert_allclose(two - one, 1, rtol=1e-5)
    np.testing.assert_allclose((one + two) / 2, study.trials["score"], rtol=1e-5)
    assert study.trials["epochs"].tolist() == [18] * 3


def test_folds_that_are_cut_at_the_same_dates_are_told_apart():
    task = hpt.task("co2", epochs=1).resplit(2)[0]
    assert np.array_equal(task.split.folds[0].train, task.split.folds[1].train)
    study = libraries.tune(task, "sklearn_random", trials=2, trainer=Pretend(lambda m: m.fold))
    assert study.trials["score"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("library", SEARCHES)
def test_the_same_seed_gives_the_same_study(wine, library):
    small = wine.with_space(hpt.Space({"learning_rate": wine.space["learning_rate"], "units": hpt.Int(4, 8, log=True)}))
    a, b = (libraries.tune(small, library, trials=9, seed=3).trials.drop(columns="seconds") for _ in range(2))
    assert a.equals(b)
    if library != "sklearn_grid":
        assert not a.equals(libraries.tune(small, library, trials=9, seed=4).trials.drop(columns="seconds"))


def test_only_some_folds_of_a_task_are_used():
    task = toy(k=3)
    objective = Objective(task, "toy", trainer=Exact(lambda m: error(m) + m.fold), folds=[2])
    search = with_sklearn.random(objective, 2, 0)
    assert search.n_splits_ == 1
    np.testing.assert_allclose(-search.cv_results_["mean_test_score"], objective.study().trials["score"], rtol=1e-5)
    assert (objective.study().trials["score"] > 2).all()


def test_a_search_is_given_the_folds_and_never_a_test_row():
    for split in (kfold(hpt.data.load("wine"), 3), by_time(hpt.data.load("co2"), folds=2, validation=0.1)):
        objective = Objective(replace(hpt.task("wine"), split=split), "x", folds=[0, 1], trainer=Pretend(error))
        X, y, rows, cv = folds(objective)
        assert not set(rows) & set(split.test._rows)
        assert np.array_equal(X, split.dataset.x[rows]) and np.array_equal(y, split.dataset.y[rows])
        for fold, (train, validation) in zip(split.folds, cv, strict=False):
            assert np.array_equal(rows[train], fold.train) and np.array_equal(rows[validation], fold.validation)


# --- what is tried --------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [2, {"learning_rate": 3, "momentum": 2}])
def test_grid_search_tries_the_grid_of_the_space(points):
    space = hpt.search_space("learning_rate", "optimizer", "momentum", "batch_size", batch_size=hpt.Choice(16, 64))
    study = libraries.tune(toy(space), "sklearn_grid", trials=100, points=points, trainer=Exact(lambda m: 0.5))
    assert list(study.configurations) == space.grid(points)


def test_a_grid_that_is_longer_than_the_budget_is_refused():
    with pytest.raises(hpt.InvalidInput, match="all 9 combinations of this grid, got trials=8: say trials=9, or fewer"):
        searched("grid", toy(), error, trials=8)


def test_random_search_draws_as_scikit_learn_does():
    search, study = searched("random", toy(), error, trials=7, seed=5)
    drawn = list(ParameterSampler(with_sklearn.distributions(SPACE), 7, random_state=5))
    assert list(study.configurations) == drawn == list(search.cv_results_["params"])


def test_random_search_draws_every_domain_as_the_space_does():
    space = hpt.Space(
        {
            "rate": hpt.Float(1e-4, 1e-1, log=True),
            "share": hpt.Float(-1, 2),
            "units": hpt.Int(2, 200, log=True),
            "layers": hpt.Int(1, 9),
            "wide": hpt.Int(10, 40, step=10),
            "kind": hpt.Choice("adam", "sgd"),
            "momentum": hpt.Float(0.5, 0.9).when(kind="sgd"),
        }
    )
    ours = [space.sample(np.random.default_rng(i)) for i in range(3000)]
    labels = list(ParameterSampler(with_sklearn.distributions(space), 3000, random_state=0))
    theirs = [space.from_labels(one) for one in labels]
    for name in space:
        a, b = (
            [one[name] == "sgd" if name == "kind" else one[name] for one in all_ if name in one]
            for all_ in (ours, theirs)
        )
        assert ks_2samp(a, b).pvalue > 0.001, name


def test_random_search_tries_nothing_twice_where_there_are_choices_only():
    task = toy(hpt.Space({"a": hpt.Choice(1, 2, 3), "b": hpt.Choice("x", "y").when(a=2)}))
    study = libraries.tune(task, "sklearn_random", trials=4, trainer=Exact(lambda m: 0.5))
    assert sorted(study.configurations, key=str) == task.space.grid()
    with pytest.warns(UserWarning, match="total space of parameters 4 is smaller than n_iter=5"):
        assert len(libraries.tune(task, "sklearn_random", trials=5, trainer=Exact(lambda m: 0.5)).trials) == 4


class Plain(BaseEstimator):
    """The toy's error, as an estimator of scikit-learn's that knows nothing of hpt."""

    def __init__(self, a=0, b=0, epochs=1):
        self.a, self.b, self.epochs = a, b, epochs

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return np.nan if self.a > 0.7 else -(self.a + self.b) / self.epochs


@pytest.mark.parametrize(("trials", "factor", "epochs"), [(9, 3, 9), (20, 3, 30), (7, 2, 5), (1, 3, 4), (40, 3, 3)])
def test_rungs_and_survivors_are_those_of_scikit_learn(trials, factor, epochs):
    def score(member, epoch):
        return BAD if member.configuration["a"] > 0.7 else error(member) / epoch

    search, study = searched("halving", toy(epochs=epochs), score, trials, factor=factor)
    settings = {"n_candidates": trials, "factor": factor, "resource": "epochs", "max_resources": epochs}
    plain = HalvingRandomSearchCV(
        Plain(), with_sklearn.distributions(SPACE), cv=2, refit=False, random_state=0, **settings
    )
    with quiet, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the train scores")
        plain.fit(np.zeros((8, 1)), np.zeros(8))
    assert list(search.cv_results_["params"]) == list(plain.cv_results_["params"])
    assert search.best_params_ == plain.best_params_
    tried = [{**one, "epochs": n} for one, n in zip(study.configurations, study.rungs["epoch"], strict=True)]
    assert tried == list(plain.cv_results_["params"])
    last = study.rungs["epoch"] == max(study.rungs["epoch"])
    failed = np.array([one["a"] > 0.7 for one in study.configurations])
    wanted = np.where(failed, "diverged", np.where(last, "complete", "pruned"))
    assert study.trials["status"].tolist() == wanted.tolist()


def test_halving_trains_the_survivors_anew_and_the_best_is_of_the_last_rung():
    search, study = searched("halving", toy(), lambda m, epoch: error(m) * epoch, trials=9)
    assert (search.n_candidates_, search.n_resources_) == ([9, 3, 1], [1, 3, 9])
    assert study.trials["epochs"].tolist() == [1] * 9 + [3] * 3 + [9]
    assert study.best_trial == 12 and study.trials["seed"].nunique() == 13


def test_halving_refuses_to_share_the_length_of_training_with_the_space():
    with pytest.raises(hpt.InvalidInput, match="halving decides how long to train"):
        searched("halving", toy(SPACE.replace(epochs=hpt.Int(1, 9))), error)


@pytest.mark.parametrize("library", ["sklearn_grid", "sklearn_random"])
def test_a_space_may_search_the_epochs(library):
    task = toy(hpt.Space({"a": hpt.Float(0, 1), "epochs": hpt.Int(2, 4)}))
    study = libraries.tune(task, library, trials=9, trainer=Exact(lambda m: 0.5))
    lengths = [one["epochs"] for one in study.configurations]
    assert study.curves.groupby("trial").size().tolist() == lengths
    assert set(lengths) == {2, 3, 4}


# --- conditions and choices -----------------------------------------------------------------------------------


NESTED = hpt.Space(
    {
        "optimizer": hpt.Choice("adam", "sgd", "rmsprop"),
        "momentum": hpt.Choice(0.0, 0.5).when(optimizer=("sgd", "rmsprop")),
        "nesterov": hpt.Choice(True, False).when(momentum=0.5),
        "rate": hpt.Float(0, 1).when(nesterov=True),
    }
)


@pytest.mark.parametrize("library", SEARCHES)
def test_conditions_hold_in_every_configuration(library):
    study = libraries.tune(toy(NESTED), library, trials=30, seed=1, trainer=Exact(lambda m: 0.5))
    for one in study.configurations:
        assert NESTED.validate(one) == one
    met = {tuple(one) for one in study.configurations}
    assert met == {tuple(list(NESTED)[:n]) for n in (1, 2, 3, 4)}


def test_a_condition_on_a_number_is_refused():
    space = hpt.Space({"layers": hpt.Int(1, 3), "units": hpt.Int(4, 8).when(layers=2)})
    with pytest.raises(hpt.InvalidInput, match="conditions on choices only, and layers is 1 to 3: use a Choice"):
        searched("random", toy(space), lambda m: 0.5)
    assert len(searched("grid", toy(space), lambda m: 0.5)[1].trials) == 5


@pytest.mark.parametrize("library", SEARCHES)
def test_a_choice_may_hold_anything(library):
    values = (64,), (128, 64), [1, 2], None, 1, 1.0, True, "1", np.mean, object()
    space = hpt.Space({"what": hpt.Choice(*values), "a": hpt.Float(0, 1)})
    study = libraries.tune(toy(space), library, trials=60, trainer=Exact(lambda m: 0.5))
    found = [one["what"] for one in study.configurations]
    assert all(any(same(value, one) for one in found) for value in values)
    assert all(any(same(value, one) for value in values) for one in found)


# --- networks that fail, and the estimator ---------------------------------------------------------------------


@pytest.mark.parametrize("function", ["grid", "random", "halving"])
@pytest.mark.parametrize("k", [1, 2])
def test_a_network_that_diverges_stops_no_search(function, k):
    def score(member):
        return BAD if member.configuration["a"] < 0.4 and member.fold == k - 1 else error(member)

    before = list(warnings.filters)
    search, study = searched(function, toy(k=k), score, trials=9)
    assert warnings.filters == before
    failed = study.trials["status"] == "diverged"
    assert 0 < failed.sum() < len(failed)
    assert np.array_equal(failed, np.isnan(search.cv_results_["mean_test_score"]))
    assert search.best_index_ == study.best_trial
    assert (search.cv_results_["rank_test_score"][failed] > search.cv_results_["rank_test_score"][~failed].max()).all()


@pytest.mark.parametrize("library", SEARCHES)
def test_a_search_whose_networks_all_fail_ends(library):
    study = libraries.tune(toy(), library, trials=9, trainer=Exact(lambda m: BAD))
    assert set(study.trials["status"]) == {"diverged"}


def test_a_builder_that_raises_is_a_failed_trial(wine):
    def build(configuration, shape):
        raise ValueError("no such layer")

    study = libraries.tune(replace(wine, build=build), "sklearn_random", trials=2)
    assert study.trials["reason"].tolist() == ["ValueError: no such layer"] * 2


def test_warnings_are_silenced_until_the_last_thread_has_left():
    message = "One or more of the test scores are non-finite: [nan]"
    with quiet:
        with quiet:
            warnings.warn(message, stacklevel=1)
        warnings.warn(message, stacklevel=1)
        with pytest.raises(UserWarning, match="something else"):
            warnings.warn("something else", stacklevel=1)
    with pytest.raises(UserWarning, match="non-finite"):
        warnings.warn(message, stacklevel=1)


def test_the_estimator_works_with_other_tools_of_scikit_learn(wine):
    objective = Objective(wine, "by hand")
    network = Network(objective).set_params(**wine.space.labels(wine.space.sample(np.random.default_rng(0))))
    X, y, rows, cv = folds(objective)
    scores = cross_val_score(network, X, y, cv=cv, params={"rows": rows})
    assert scores == pytest.approx([objective.search.rungs[0]["score"]], rel=1e-4)
    assert "learning_rate" in repr(network)


def test_a_copy_shares_the_search_and_not_the_parameters(wine):
    network = Network(Objective(wine, "by hand"))
    twin = clone(network).set_params(units=8)
    assert twin.shared is network.shared
    assert (network.get_params()["units"], twin.get_params()["units"]) == (None, 8)
    with pytest.raises(hpt.UnknownName, match="unknown hyperparameter 'unit': did you mean 'units'"):
        network.set_params(unit=8)


def test_rows_of_another_fold_are_refused(wine):
    network = Network(Objective(wine, "by hand"))
    X, y, rows, _ = folds(network.shared.objective)
    with pytest.raises(hpt.InvalidInput, match="expected the training rows of fold 0, got 142 others"):
        network.fit(X, y, rows)
