"""KerasTuner: the space, the seed, the three ways to propose, and who is promoted."""

import collections
import math
import random
import warnings

import keras_tuner
import numpy as np
import pytest

import hpt
from hpt import Choice, Float, Int, InvalidInput, Space
from hpt.libraries import tune
from hpt.libraries import with_keras_tuner as ours
from hpt.libraries.objective import Objective
from hpt.training import Progress
from hpt.training.stack import Stack

from doubles import Pretend

SPACE = Space(
    {
        "optimizer": Choice("adam", "sgd", "rmsprop"),
        "momentum": Float(0.1, 0.9).when(optimizer=("sgd", "rmsprop")),
        "nesterov": Choice(True, False).when(optimizer="sgd"),
        "decay": Float(1e-4, 1e-1, log=True).when(nesterov=True),
        "layers": Int(1, 3),
        "units_2": Int(4, 64, log=True).when(layers=(2, 3)),
        "both": Int(2, 11, step=3).when(optimizer="sgd", layers=2),
        "gap": Float(0.5, 3),
        "shape": Choice((8,), (16, 8), [4], None),
    }
)
SMALL = Space({"momentum": Float(0, 1), "shape": Choice((1,), (2, 3))})
WAYS = ["random", "hyperband", "bayes"]
OPTIONS = {"bayes": {"startup": 4}}  # one proposal of its Gaussian process takes seconds


def searched(way, space=SMALL, score=lambda m: m.configuration.get("momentum", 0.5), trials=5, seed=0, epochs=3):
    objective = Objective(hpt.task("wine", space=space, epochs=epochs), f"keras_tuner_{way}", seed, Pretend(score))
    tuner = getattr(ours, way)(objective, trials, seed, **OPTIONS.get(way, {}))
    return tuner, objective.study()


def rows(study):
    return study.trials.drop(columns="seconds")


def own(tuner):
    """KerasTuner's trials, in the order in which they began."""
    return [tuner.oracle.trials[number] for number in tuner.oracle.start_order]


@pytest.fixture(scope="module")
def found():
    """Return every way's search with the seed 0, each made once."""
    return {way: searched(way) for way in WAYS}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_gives_the_same_search_and_0_is_one(way, found):
    random.seed(2)
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    _, again = searched(way)
    assert random.getstate() == before[0] and (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    _, first = found[way]
    assert rows(first).equals(rows(again)) and len(first.configurations) == 5
    assert all(SMALL.validate(one) == one for one in first.configurations)
    _, other = searched(way, seed=1, trials=5 if way == "hyperband" else 3)
    assert first.configurations[:3] != other.configurations[:3]


def test_kerastuner_itself_takes_the_seed_0_for_none():
    """Where this fails, KerasTuner has mended it, and `_options` can hand over the seed as it is."""

    def draws(seed, state):
        random.seed(state)
        oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", seed=seed, hyperparameters=declared(SMALL))
        return [oracle.populate_space(str(i))["values"]["momentum"] for i in range(3)]

    assert draws(1, state=1) == draws(1, state=2)
    assert draws(0, state=1) != draws(0, state=2)


def test_neighbouring_seeds_share_their_numbers_in_kerastuner_but_not_here():
    def draws(seed):
        oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", seed=seed, hyperparameters=declared(SMALL))
        return {oracle.populate_space(str(i))["values"]["momentum"] for i in range(8)}

    assert draws(5) & draws(7)
    ours_by_seed = [{one["momentum"] for one in searched("random", seed=seed)[1].configurations} for seed in (5, 7)]
    assert not ours_by_seed[0] & ours_by_seed[1]


def declared(space):
    hp = keras_tuner.HyperParameters()
    ours.suggested(hp, space)
    return hp


def test_every_draw_is_a_configuration_and_every_kind_comes():
    hp = declared(SPACE)
    assert [one.name for one in hp.space] == list(SPACE)
    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", seed=1, hyperparameters=hp)
    kinds = set()
    for i in range(150):
        drawn = hp.copy()
        drawn.values = oracle.populate_space(str(i))["values"]
        chosen = ours.suggested(drawn, SPACE)
        assert SPACE.validate(chosen) == chosen
        assert set(drawn.values) - {"both"} == set(chosen) - {"both"}  # two parents: always drawn
        kinds.add(tuple(chosen))
    assert kinds == {tuple(one) for one in SPACE.grid(3)}


def test_a_condition_on_a_number_of_either_kind():
    space = Space({"a": Float(1, 3), "b": Int(1, 2), "x": Float(0, 1).when(a=(1.5, 2)), "y": Float(0, 1).when(b=2)})
    hp = declared(space)
    for a, b in [(1.5, 1), (2.0, 2), (1.0, 2), (1.7, 1)]:
        chosen = hp.copy()
        chosen.values = {"a": a, "b": b}
        chosen.ensure_active_values()
        assert set(ours.suggested(chosen, space)) == {"a", "b", *"x" * (a in (1.5, 2)), *"y" * (b == 2)}


def test_the_end_of_a_log_scale_is_inside_though_kerastuner_steps_over_it():
    space = Space({"units": Int(4, 64, log=True), "rate": Float(1e-4, 0.3, log=True)})
    hp = declared(space)
    hp.values = {one.name: one.prob_to_value(1.0) for one in hp.space}
    assert hp.values["units"] == 65  # a Gaussian process may ask for the very end
    assert ours.suggested(hp, space) == {"units": 64, "rate": pytest.approx(0.3)}
    assert space.validate(ours.suggested(hp, space))


@pytest.mark.parametrize("way", ["random", "hyperband"])
def test_a_conditional_space_is_searched(way):
    _, study = searched(way, SPACE, trials=12)
    assert all(SPACE.validate(one) == one for one in study.configurations)
    assert len({tuple(one) for one in study.configurations}) > 3
    assert any(type(one["shape"]) is tuple for one in study.configurations)


@pytest.mark.parametrize("way", ["random", "bayes"])
def test_kerastuners_record_holds_the_same_scores(way, found):
    tuner, study = found[way]
    assert [trial.score for trial in own(tuner)] == [-score for score in study.trials.score]
    assert [trial.hyperparameters["momentum"] for trial in own(tuner)] == list(study.trials.momentum)
    assert own(tuner).index(tuner.oracle.get_best_trials()[0]) == study.best_trial
    assert set(study.trials.epochs) == {3} and set(study.trials.status) == {"complete"}


def test_the_gaussian_process_learns(found):
    _, study = found["bayes"]
    values = list(study.trials.momentum)
    assert values[4] > max(values[:4])  # the score is the momentum
    with pytest.raises(InvalidInput, match="startup"):
        ours.bayes(Objective(hpt.task("wine"), "x"), 3, 0, startup=0)


@pytest.mark.parametrize("way", WAYS)
def test_networks_that_diverge_are_failures_and_the_search_goes_on(way):
    def score(member):
        value = member.configuration["momentum"]
        return Progress("diverged", "nan") if value > 0.2 else value

    tuner, study = searched(way, score=score, trials=14)
    bad = list(study.trials.status == "diverged")
    assert "dddd" in "".join("d" if one else "." for one in bad)  # more in a row than KerasTuner itself puts up with
    first = [trial for trial in own(tuner) if "tuner/trial_id" not in trial.hyperparameters.values]
    assert [trial.status == "FAILED" for trial in first] == bad and not all(bad)
    assert (study.trials.score.dropna() <= 0.2).all() and len(study.trials) == 14 - (way == "hyperband")


@pytest.mark.parametrize("way", WAYS)
def test_all_networks_may_diverge(way):
    _, study = searched(way, score=lambda m: Progress("diverged", "nan"), trials=8)
    assert set(study.trials.status) == {"diverged"} and len(study.trials) == 8


@pytest.mark.parametrize("way", WAYS)
def test_an_error_is_not_swallowed(way):
    class Broken(Pretend):
        def start(self, task, members):
            raise ZeroDivisionError("broken")

    with pytest.raises(ZeroDivisionError, match="broken"):
        tune(hpt.task("wine", epochs=3), f"keras_tuner_{way}", trials=5, trainer=Broken(lambda m: 1.0))


def test_a_small_space_ends_the_search():
    _, study = searched("random", Space({"momentum": Choice(0.1, 0.2, 0.3)}), trials=10)
    assert sorted(one["momentum"] for one in study.configurations) == [0.1, 0.2, 0.3]


# --- Hyperband


def brackets(epochs, factor=3):
    """What KerasTuner itself trains in one iteration: for every bracket the networks and epochs of its rounds."""
    oracle = keras_tuner.oracles.HyperbandOracle("val_loss", max_epochs=epochs, factor=factor)
    return [
        [(oracle._get_size(b, i), oracle._get_epochs(b, i)) for i in range(b + 1)]
        for b in reversed(range(oracle._get_num_brackets()))
    ]


@pytest.mark.parametrize(("epochs", "trials", "whole"), [(9, 17, 3), (9, 20, 3), (9, 26, 4), (9, 14, 2), (4, 10, 2)])
def test_hyperband_trains_kerastuners_brackets_whole(epochs, trials, whole):
    tuner, study = searched("hyperband", trials=trials, epochs=epochs)
    plan = (brackets(epochs) * 2)[:whole]
    assert len(study.trials) == sum(bracket[0][0] for bracket in plan) <= trials
    assert len(tuner.oracle.trials) == sum(size for bracket in plan for size, _ in bracket)
    trained = collections.Counter(study.rungs.epoch)
    planned = collections.Counter()
    for size, epoch in (rung for bracket in plan for rung in bracket):
        planned[epoch] += size
    assert trained == planned
    finished = sum(bracket[-1][0] for bracket in plan)
    assert dict(study.trials.status.value_counts()) == {"complete": finished, "pruned": len(study.trials) - finished}
    assert set(study.trials.epochs[study.trials.status == "complete"]) == {epochs}


def test_kerastuners_arithmetic_for_nine_epochs():
    assert brackets(9) == [[(9, 1), (3, 3), (1, 9)], [(5, 3), (2, 9)], [(3, 9)]]


def test_hyperband_promotes_the_best():
    _, study = searched("hyperband", trials=9, epochs=9)
    order = study.trials.sort_values("momentum", ascending=False)
    assert list(order.epochs) == [9, 3, 3, 1, 1, 1, 1, 1, 1]
    assert "stopped by keras_tuner_hyperband after epoch 1" in set(study.trials.reason)


def test_one_network_that_diverges_ends_kerastuners_bracket_early():
    """Where this fails, KerasTuner promotes others in its place: mend what `hyperband` says of it."""
    _, study = searched("hyperband", trials=9, epochs=9)
    worst = study.trials.momentum.min()

    def score(member):
        momentum = member.configuration["momentum"]
        return Progress("diverged", "nan") if momentum == worst else momentum

    _, study = searched("hyperband", score=score, trials=9, epochs=9)
    assert dict(study.trials.status.value_counts()) == {"pruned": 8, "diverged": 1}
    assert sorted(study.trials.epochs) == [0, 1, 1, 1, 1, 1, 1, 3, 3]


def test_hyperband_refuses_what_does_not_fit():
    with pytest.raises(InvalidInput, match="starts 9 networks in its first bracket, for 9 epochs"):
        searched("hyperband", trials=8, epochs=9)
    with pytest.raises(InvalidInput, match="leave it out"):
        searched("hyperband", Space({"momentum": Float(0, 1), "epochs": Int(1, 9)}))


def test_a_promoted_network_is_the_one_that_trains_without_a_break():
    task = hpt.task("wine", space=hpt.task("wine").space.replace(dropout=Float(0.1, 0.5)), epochs=9)
    study = tune(task, "keras_tuner_hyperband", trials=9, seed=0)
    chosen = [study.best_trial, *study.trials.number[study.trials.epochs == 3]]
    assert len(chosen) == 3
    for number in chosen:
        alone = Objective(task, "alone", 0, Stack())
        going = alone.begin(study.configurations[number], number)
        alone.advance(going, int(study.trials.epochs[number]))
        alone.end(going)
        assert alone.study().trials.score[0] == study.trials.score[number]
        columns = ["train_loss", "val_loss", "score"]
        curve = study.curves[study.curves.trial == number]
        assert (alone.study().curves[columns].to_numpy() == curve[columns].to_numpy()).all()


# --- by name, and KerasTuner's own way


@pytest.mark.parametrize("way", WAYS)
def test_by_name_and_quietly(way, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        study = tune(hpt.task("wine", epochs=3), f"keras_tuner_{way}", trials=5, trainer=Pretend(lambda m: math.nan))
    assert study.strategy == f"keras_tuner_{way}" and len(study.trials) == 5
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "") and not list(tmp_path.iterdir())


def test_the_plain_way_searches_the_same_space(tmp_path):
    task = hpt.task("wine")
    arrays, model = task.arrays(0), ours.hypermodel(task)
    tuner = keras_tuner.RandomSearch(model, "val_loss", max_trials=1, seed=1, directory=tmp_path)
    assert [one.get_config() for one in tuner.oracle.hyperparameters.space] == [
        one.get_config() for one in declared(task.space).space
    ]
    chosen, seen = ours.suggested(tuner.oracle.hyperparameters, task.space), []

    class Fits:
        def fit(self, *args, **kwargs):
            seen.append(kwargs)

    model.fit(tuner.oracle.hyperparameters, Fits(), arrays.x_train, epochs=1)
    assert seen == [{"batch_size": chosen["batch_size"], "epochs": 1}]
    tuner.search(
        arrays.x_train,
        arrays.y_train,
        epochs=1,
        validation_data=(arrays.x_validation, arrays.y_validation),
        verbose=0,
    )
    assert own(tuner)[0].status == "COMPLETED"
