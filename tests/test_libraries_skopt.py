"""scikit-optimize's searches over a task: what they try, what they are told, and what ends up in the study."""

from dataclasses import replace

import numpy as np
import pytest
from skopt import gp_minimize
from skopt.space import Integer, Real, Space

import hpt
from hpt import libraries
from hpt.libraries import with_skopt
from hpt.libraries.objective import Objective
from hpt.training import Progress

from doubles import Pretend

SEARCHES = ["skopt_gp", "skopt_bayes"]
BAD = Progress("diverged", "the loss became nan", stopped=True)
PLANE = hpt.Space({"a": hpt.Float(0, 1), "b": hpt.Float(0, 1)})


def bowl(member):
    """Best, and 0, at (0.3, 0.6)."""
    return (member.configuration["a"] - 0.3) ** 2 + (member.configuration["b"] - 0.6) ** 2


@pytest.fixture
def toy(wine):
    """A task whose networks are only pretended, judged by a loss."""
    return replace(wine.with_space(PLANE), metrics=("log_loss",))


def test_gp_minimize_proposes_what_it_proposes_without_hpt(toy):
    space = hpt.Space({"a": hpt.Float(1e-3, 1, log=True), "b": hpt.Int(1, 64, log=True), "c": hpt.Int(0, 9)})
    study = libraries.tune(
        toy.with_space(space), "skopt_gp", trials=4, seed=2, trainer=Pretend(lambda m: _loss(m.configuration.values()))
    )
    plain = gp_minimize(
        _loss,
        [Real(1e-3, 1, "log-uniform"), Integer(1, 64, "log-uniform"), Integer(0, 9)],
        n_calls=4,
        n_initial_points=2,
        random_state=2,
    )
    assert [list(one.values()) for one in study.configurations] == plain.x_iters
    assert study.trials["score"].tolist() == plain.func_vals.tolist()


def _loss(point):
    a, b, c = point
    return float(abs(np.log10(a) + 2) + np.log2(b) + (c - 4) ** 2)


@pytest.mark.slow
def test_the_gaussian_process_beats_random_draws(toy):
    best = {
        name: [libraries.tune(toy, name, trials=14, seed=s, trainer=Pretend(bowl)).best_score for s in (0, 1)]
        for name in ("skopt_gp", "sklearn_random")
    }
    assert max(best["skopt_gp"]) < min(best["sklearn_random"])


@pytest.mark.parametrize(("trials", "initial"), [(1, 1), (3, 1), (12, 6), (20, 10), (100, 10)])
def test_the_first_trials_are_drawn_at_random(toy, monkeypatch, trials, initial):
    seen = {}
    monkeypatch.setattr(with_skopt, "gp_minimize", lambda *_, **settings: seen.update(settings))
    with_skopt.gp(Objective(toy, "toy"), trials, 0)
    assert (seen["n_calls"], seen["n_initial_points"]) == (trials, initial)


def test_bayes_search_is_told_the_scores_of_the_study(wine):
    task = replace(hpt.task("wine", epochs=2, folds=2, metrics=("log_loss",)), space=wine.space)
    objective = Objective(task, "wine")
    search = with_skopt.bayes(objective, 3, 0)
    study = objective.study()
    assert study.trials["status"].tolist() == ["complete"] * 3
    np.testing.assert_allclose(-search.cv_results_["mean_test_score"], study.trials["score"], rtol=1e-4)
    np.testing.assert_allclose(search.optimizer_results_[0].func_vals, study.trials["score"], rtol=1e-4)
    assert search.best_index_ == study.best_trial
    assert study.trials["score"].nunique() == 3


@pytest.mark.parametrize("library", SEARCHES)
def test_the_same_seed_gives_the_same_study(wine, library):
    small = wine.with_space(hpt.Space({"learning_rate": wine.space["learning_rate"], "units": hpt.Int(4, 8)}))
    a, b, c = (libraries.tune(small, library, trials=2, seed=s).trials.drop(columns="seconds") for s in (3, 3, 4))
    assert a.equals(b)
    assert not a.equals(c)


MIXED = hpt.Space(
    {
        "optimizer": hpt.Choice("adam", "sgd"),
        "momentum": hpt.Float(0.5, 0.9).when(optimizer="sgd"),
        "fixed": hpt.Choice((64, 32)),
        "one": hpt.Int(7, 7).when(fixed=((64, 32),)),
        "wide": hpt.Int(10, 40, step=10),
        "what": hpt.Choice((64,), None, 1, True, "1", np.mean),
    }
)


@pytest.mark.parametrize("library", SEARCHES)
def test_what_a_condition_leaves_out_is_dropped_and_choices_keep_their_values(toy, library):
    study = libraries.tune(toy.with_space(MIXED), library, trials=4, trainer=Pretend(lambda m: 0.5), seed=1)
    for one in study.configurations:
        assert MIXED.validate(one) == one
        assert ("momentum" in one) == (one["optimizer"] == "sgd")
        assert (one["fixed"], one["one"]) == ((64, 32), 7)
    assert {one["optimizer"] for one in study.configurations} == {"adam", "sgd"}


def test_every_value_of_a_domain_can_be_proposed():
    points = Space(list(with_skopt.dimensions(MIXED).values())).rvs(200, random_state=0)
    drawn = [
        with_skopt.configuration(MIXED, dict(zip(with_skopt.dimensions(MIXED), one, strict=True))) for one in points
    ]
    assert {one["wide"] for one in drawn} == {10, 20, 30, 40}
    assert {MIXED["what"].label(one["what"]) for one in drawn} == set(MIXED["what"].labels)
    assert {one["momentum"] > 0.7 for one in drawn if "momentum" in one} == {True, False}


@pytest.mark.parametrize("library", SEARCHES)
def test_a_search_goes_on_where_nothing_new_is_left(toy, library):
    space = hpt.Space({"a": hpt.Choice("x", "y"), "b": hpt.Choice(1, 2)})
    study = libraries.tune(toy.with_space(space), library, trials=6, trainer=Pretend(lambda m: m.configuration["b"]))
    assert study.trials["status"].tolist() == ["complete"] * 6


@pytest.mark.parametrize("library", SEARCHES)
def test_a_space_of_one_configuration_is_refused(toy, library):
    with pytest.raises(hpt.InvalidInput, match="nothing to search in a space of one configuration"):
        libraries.tune(toy.with_space(hpt.Space({"a": hpt.Choice(1)})), library, trials=2, trainer=Pretend(bowl))


@pytest.mark.parametrize("function", ["gp", "bayes"])
def test_a_network_that_diverges_stops_no_search_and_is_told_as_the_worst_so_far(toy, function):
    objective = Objective(toy, "toy", trainer=Pretend(lambda m: BAD if m.configuration["a"] < 0.6 else bowl(m)))
    result = getattr(with_skopt, function)(objective, 8, 0)  # 4 of them at random
    told = result.func_vals if function == "gp" else result.optimizer_results_[0].func_vals
    scores = objective.study().trials["score"].to_numpy()
    failed = np.flatnonzero(np.isnan(scores))
    assert len(failed) < len(scores) == 8
    assert failed[failed < 4].max() > 0  # after another one; what the model proposes depends on the processor
    before = [scores[:i][np.isfinite(scores[:i])] for i in failed]
    unknown = hpt.baseline(toy)[toy.objective.name].iloc[0]  # that of a constant
    assert told[failed].tolist() == [some.max() if len(some) else unknown for some in before]


@pytest.mark.parametrize("library", SEARCHES)
def test_a_search_whose_networks_all_fail_ends(toy, library):
    study = libraries.tune(toy, library, trials=2, trainer=Pretend(lambda m: BAD))
    assert study.trials["status"].tolist() == ["diverged"] * 2
