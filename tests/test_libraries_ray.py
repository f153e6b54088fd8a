"""Ray Tune searches a task: what it reports is what the networks do, and a seed repeats it."""

import os
import signal

import numpy as np
import pytest

import hpt
from hpt import libraries
from hpt.libraries import with_ray
from hpt.libraries.objective import Objective
from hpt.training.ray import connect

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray = connect(workers=2)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def wine():
    space = hpt.search_space("units", "learning_rate", "optimizer", "momentum", units=hpt.Int(4, 64, log=True))
    return hpt.task("wine", epochs=9, space=space)


@pytest.fixture(scope="module")
def study(wine):
    return libraries.tune(wine, "ray_asha", trials=4, seed=0)


def test_the_study_is_whole(wine, study):
    trials = study.trials
    assert trials["number"].tolist() == [0, 1, 2, 3]
    assert set(trials["status"]) <= {"complete", "pruned"}
    assert trials.loc[study.best_trial, "epochs"] == 9
    assert (trials.loc[trials["status"] == "complete", "epochs"] == 9).all()
    assert trials.loc[trials["status"] == "pruned", "epochs"].isin([1, 3]).all()
    for configuration in study.configurations:
        assert wine.space.validate(configuration) == configuration
    assert len(study.curves) == study.epochs


def test_a_network_is_stopped_where_it_is_not_among_the_best_third(study):
    """The rule by hand, for networks one after another: a rung's cutoff comes from those that reached it before."""
    for epoch in (1, 3):
        scores = study.curves.query("epoch == @epoch")[["trial", "score"]].to_numpy()
        for i, (trial, score) in enumerate(scores):
            if i:
                goes_on = score >= np.percentile(scores[:i, 1], 100 * (1 - 1 / 3))
                assert goes_on == (study.trials.loc[trial, "epochs"] > epoch)


def test_networks_score_as_hpt_trains_them_here(wine, study):
    here = Objective(wine, "by hand", seed=0)
    for configuration, epochs in zip(study.configurations, study.trials["epochs"], strict=True):
        going = here.begin(configuration)
        here.advance(going, epochs)
        here.end(going)
    own = here.study()
    assert study.trials["seed"].tolist() == own.trials["seed"].tolist()
    assert study.trials["score"].to_numpy() == pytest.approx(own.trials["score"].to_numpy())
    assert study.curves["val_loss"].to_numpy() == pytest.approx(own.curves["val_loss"].to_numpy(), rel=1e-4)


def test_a_seed_repeats_the_search_and_another_does_not(wine, study):
    again, other = (libraries.tune(wine, "ray_asha", trials=4, seed=seed) for seed in (0, 1))
    assert again.configurations == study.configurations
    assert again.trials.drop(columns="seconds").equals(study.trials.drop(columns="seconds"))
    assert other.configurations[0] != study.configurations[0]


def test_ctrl_c_ends_the_search_with_what_was_finished_and_the_next_one_is_heard(wine, study, monkeypatch):
    """A real signal, with the first epoch of the fourth trial: Ray Tune itself ends as if nothing had been."""

    def heard(self, controller, trial, result):
        if trial.config["number"] == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return told(self, controller, trial, result)

    told = with_ray.ASHAScheduler.on_trial_result
    monkeypatch.setattr(with_ray.ASHAScheduler, "on_trial_result", heard)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)]
    cut = libraries.tune(wine, "ray_asha", trials=8, seed=0)
    assert cut.interrupted
    assert 3 <= len(cut.trials) <= 4  # one more where its first epoch was its last
    assert set(cut.trials["status"]) <= {"complete", "pruned"}
    assert cut.configurations[:3] == study.configurations[:3]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)] == before


def test_what_diverges_is_recorded_as_such_and_the_search_goes_on():
    space = hpt.Space({"learning_rate": hpt.Choice(1e-2, 1e30), "optimizer": hpt.Choice("sgd")})
    study = libraries.tune(hpt.task("diabetes", epochs=3, space=space), "ray_asha", trials=6, seed=0)
    wild = study.trials["learning_rate"] == 1e30
    assert 0 < wild.sum() < 6
    assert set(study.trials.loc[wild, "status"]) == {"diverged"}
    assert study.trials.loc[wild, "reason"].str.contains("in epoch 1").all()
    assert study.best["learning_rate"] == 1e-2
