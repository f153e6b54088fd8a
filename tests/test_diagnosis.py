"""Diagnosis on searches whose truth is known: scores are written by hand, so that nothing has to be trained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpt
from hpt import Choice, Float, Int, Space
from hpt.diagnosis import best_range, boundary, failures, insensitivity
from hpt.study import Study

SPACE = Space(
    {
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "units": Int(4, 64),
        "optimizer": Choice("adam", "sgd"),
        "momentum": Float(0.0, 0.99).when(optimizer="sgd"),
    }
)


def search(score, trials: int = 60, seed: int = 0, lost: int = 0) -> Study:
    """A random search whose score is a function of the configuration and a generator of noise."""
    rng = np.random.default_rng(seed)
    chosen = tuple(SPACE.sample(rng) for _ in range(trials))
    frame = pd.DataFrame({"number": range(trials), "score": [score(one, rng) for one in chosen]})
    frame["status"], frame["reason"] = "complete", ""
    frame.loc[frame.index[:lost], ["status", "reason"]] = "diverged", "loss is NaN"
    frame.loc[frame.index[:lost], "score"] = np.nan
    empty = pd.DataFrame()
    return Study("made", "random", seed, "accuracy", True, frame, empty, empty, chosen, False, None)


def noise(one, rng):
    return rng.normal()


def smaller_is_better(one, rng):
    return -np.log10(one["learning_rate"]) + 0.1 * rng.normal()


def test_an_optimum_at_the_edge_says_which_way_to_go():
    found = boundary(search(smaller_is_better), SPACE).set_index("hyperparameter")
    assert found.loc["learning_rate", "edge"] == "low"
    assert found.loc["learning_rate", "advice"] == "try smaller values"
    assert found.loc["learning_rate", "there"] == found.loc["learning_rate", "best"] == 12
    assert "optimizer" not in found.index
    up = boundary(search(lambda one, rng: one["units"]), SPACE).set_index("hyperparameter")
    assert up.loc["units", "edge"] == "high"


def test_an_optimum_in_the_middle_has_no_edge():
    found = boundary(search(lambda one, rng: -abs(np.log10(one["learning_rate"]) + 2.5)), SPACE)
    assert found.set_index("hyperparameter").loc["learning_rate", "edge"] == ""


def test_without_an_effect_edges_are_found_as_rarely_as_they_should_be():
    """100 searches of noise, three numeric hyperparameters: a hypergeometric test is conservative, so at most 5 %."""
    hits = np.mean([boundary(search(noise, seed=seed), SPACE)["edge"] != "" for seed in range(100)])
    assert hits < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_the_test_of_an_edge_is_scipys_fisher_test():
    from scipy.stats import fisher_exact

    study = search(smaller_is_better, trials=40)
    row = boundary(study, SPACE).set_index("hyperparameter").loc["learning_rate"]
    order = study.trials["score"].rank(ascending=False)
    best = (order <= 8).to_numpy()
    there = np.array([SPACE["learning_rate"].share(one["learning_rate"]) <= 0.2 for one in study.configurations])
    table = [[(best & there).sum(), (best & ~there).sum()], [(~best & there).sum(), (~best & ~there).sum()]]
    assert row["p"] == pytest.approx(2 * fisher_exact(table, "greater").pvalue)
    assert row["expected"] == pytest.approx(8 * there.sum() / 40)


def test_of_two_whole_numbers_each_is_an_edge():
    space = Space({"layers": Int(1, 2)})
    chosen = tuple({"layers": 1 + i % 2} for i in range(40))
    scores = [one["layers"] + i / 1000 for i, one in enumerate(chosen)]
    frame = pd.DataFrame({"number": range(40), "score": scores, "status": "complete", "reason": ""})
    study = Study("made", "random", 0, "accuracy", True, frame, frame, frame, chosen, False, None)
    [(_, row)] = boundary(study, space).iterrows()
    assert (row["edge"], row["there"], row["expected"]) == ("high", 8, 4)


def test_what_matters_is_found_and_what_does_not_is_not():
    found = insensitivity(search(smaller_is_better), SPACE).set_index("hyperparameter")
    assert found.loc["learning_rate", "matters"]
    assert not found.loc["units", "matters"]
    hits = np.mean([insensitivity(search(noise, seed=seed), SPACE)["matters"].any() for seed in range(100)])
    assert hits < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)  # all four together: Holm


def test_the_test_of_insensitivity_is_scipys_kruskal_test_with_lost_trials_last():
    from scipy.stats import kruskal

    alone = Space({"optimizer": SPACE["optimizer"]})
    study = search(noise, lost=15)
    merits = study.trials["score"].fillna(-np.inf)
    sgd = np.array([one["optimizer"] == "sgd" for one in study.configurations])
    [p] = insensitivity(study, alone)["p"]
    assert p == pytest.approx(kruskal(merits[sgd], merits[~sgd]).pvalue)
    down = Study(**{**vars(study), "greater_is_better": False})
    [p] = insensitivity(down, alone)["p"]
    assert p == pytest.approx(kruskal(*(-study.trials["score"].fillna(np.inf)[part] for part in (sgd, ~sgd))).pvalue)


def test_p_values_are_corrected_as_statsmodels_corrects_them():
    from statsmodels.stats.multitest import multipletests

    study = search(noise, seed=3)
    alone = [insensitivity(study, Space({name: SPACE[name]}))["p"].item() for name in list(SPACE)[:3]]
    together = insensitivity(study, Space({name: SPACE[name] for name in list(SPACE)[:3]}))["p"]
    assert together.tolist() == pytest.approx(multipletests(alone, method="holm")[1])


def test_what_makes_networks_diverge_matters():
    """A third of the trials, all at high learning rates, is lost; among the others it makes no difference."""
    study = search(noise)
    high = np.array([one["learning_rate"] > 1e-2 for one in study.configurations])
    study.trials.loc[high, ["status", "score"]] = ["diverged", np.nan]
    found = insensitivity(study, SPACE).set_index("hyperparameter")
    assert found.loc["learning_rate", "matters"] and not found.loc["units", "matters"]


def test_a_hump_matters_too():
    found = insensitivity(search(lambda one, rng: -abs(one["units"] - 34)), SPACE).set_index("hyperparameter")
    assert found.loc["units", "matters"]


def test_the_best_fifth_lies_where_it_was_put():
    study = search(smaller_is_better)
    found = best_range(study, SPACE).set_index("hyperparameter")
    rates = sorted(one["learning_rate"] for one in study.configurations)
    assert found.loc["learning_rate", "low"] == rates[0]
    assert found.loc["learning_rate", "high"] < np.median(rates)
    assert found.loc["learning_rate", "trials"] == 12
    assert found.loc["momentum", "trials"] < 12  # only SGD has one
    assert set(found.loc["optimizer", "best"].replace(",", "").split()) >= {"adam", "sgd"}


def test_where_small_is_good_the_best_are_the_smallest():
    study = search(lambda one, rng: one["units"])
    down = Study(**{**vars(study), "greater_is_better": False})
    assert best_range(down, SPACE).set_index("hyperparameter").loc["units", "low"] <= 6


def test_failures_are_counted_with_their_reasons():
    study = search(noise, trials=40, lost=10)
    study.trials.loc[:4, "reason"] = [f"loss is NaN in epoch {epoch}" for epoch in range(1, 6)]
    found = failures(study)
    assert found["trials"].tolist() == [30, 10]
    assert found["share"].tolist() == [0.75, 0.25]
    assert found["status"].tolist() == ["complete", "diverged"]
    assert found["reason"].tolist() == ["", "loss is NaN"]  # whichever the epoch


def test_a_search_that_is_too_short_is_refused():
    with pytest.raises(hpt.InvalidInput, match="at least 20 complete trials, got 15 of 40"):
        boundary(search(noise, trials=40, lost=25), SPACE)
    with pytest.raises(hpt.InvalidInput, match="share"):
        best_range(search(noise), SPACE, share=0.7)


def test_diagnose_puts_it_into_one_table(wine):
    study = hpt.tune(wine.with_space(learning_rate=Float(1e-5, 1e-1, log=True)), "random", trials=20, seed=0)
    frame = hpt.diagnose(wine.with_space(learning_rate=Float(1e-5, 1e-1, log=True)), study)
    assert frame["hyperparameter"].tolist() == list(wine.space)
    assert frame.columns.tolist() == ["hyperparameter", "searched", "best", "matters", "edge", "advice"]
    with pytest.raises(hpt.InvalidInput, match="belong together"):
        hpt.diagnose(hpt.task("digits"), study)


def test_a_rate_test_sees_the_loss_fall_and_explode():
    found = hpt.rate_test(hpt.task("breast_cancer"), {"optimizer": "sgd"}, seed=1)
    steps = found.steps
    assert steps["learning_rate"].iloc[0] == pytest.approx(1e-6)
    assert (np.diff(np.log(steps["learning_rate"])) > 0).all()
    assert 1e-3 < found.halfway < found.lowest < 10
    assert steps["smooth"].min() < 0.7 * steps["loss"].iloc[:10].mean()
    again = hpt.rate_test(hpt.task("breast_cancer"), {"optimizer": "sgd"}, seed=1)
    assert again.steps.equals(steps)
    with pytest.raises(hpt.InvalidInput, match="grow"):
        hpt.rate_test(hpt.task("wine"), low=1.0, high=0.1)


def test_half_way_is_where_the_loss_crosses_the_middle(wine):
    found = hpt.rate_test(wine, seed=2)
    smooth, rates = found.steps["smooth"], found.steps["learning_rate"]
    middle = (smooth[:9].mean() + smooth.min()) / 2
    between = smooth[(rates > found.halfway) & (rates <= found.lowest)]
    assert smooth[rates == found.halfway].item() >= middle > between.max()
    assert smooth[rates == found.lowest].item() == smooth.min()


def test_a_rate_test_takes_the_place_of_a_schedule(wine):
    import keras

    assert hpt.rate_test(wine, {"warmup": 10}).steps.equals(hpt.rate_test(wine).steps)

    def scheduled(shape=None):
        model = keras.Sequential([keras.Input(shape.inputs), keras.layers.Dense(3, activation="softmax")])
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        model.compile(keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy")
        return model

    own = hpt.Task.from_keras(scheduled, wine.split, Space({"batch_size": Int(16, 64)}))
    with pytest.raises(hpt.InvalidInput, match="is a schedule"):
        hpt.rate_test(own)


def test_the_loss_of_a_step_is_that_of_its_batch_alone():
    """At a rate of nearly nothing the network stays as it is: losses of batches scatter around the loss of all rows."""
    task = hpt.task("breast_cancer")
    found = hpt.rate_test(task, {"optimizer": "sgd"}, low=1e-12, high=1e-11, steps=60)
    model, arrays = hpt.training.building.built(task, hpt.training.Member({"optimizer": "sgd"}, 0, 0)), task.arrays()
    whole = float(model.evaluate(arrays.x_train, arrays.y_train, verbose=0, return_dict=True)["loss"])
    losses = found.steps["loss"]
    assert losses.mean() == pytest.approx(whole, abs=4 * losses.std() / np.sqrt(60))
    assert losses.autocorr() < 0.5  # a running mean would have nearly 1


def test_a_loss_that_never_falls_is_no_answer(wine):
    with pytest.raises(hpt.InvalidInput, match="never fell"):
        hpt.rate_test(wine, {"optimizer": "sgd"}, low=1e4, high=1e6)
