"""Importances are checked on functions whose variance is known in closed form, and against Optuna's own numbers."""

import math
from dataclasses import replace

import numpy as np
import optuna
import pytest

import hpt
from hpt import Choice, Float, Int, Space
from hpt.importances import LEAST, QUESTIONS
from hpt.training import Progress

from doubles import pretend

FOUR = Space({"learning_rate": Float(1e-5, 0.1, log=True), "dropout": Float(0, 0.5), "units": Int(16, 256, log=True),
              "weight_decay": Float(1e-6, 1e-2, log=True)})  # fmt: skip


def searched(score, space=FOUR, trials=120, strategy="random", **kwargs):
    """A study of a known function of the hyperparameters' shares, each 0 to 1 along its scale."""

    def of(member):
        return score(
            **{name: space[name].share(value) for name, value in member.configuration.items() if name in space}
        )

    return pretend(hpt.task("wine", epochs=2, space=space), strategy, of, trials=trials, **kwargs)


def by(frame, method, column="importance"):
    return frame[frame["method"] == method].set_index("hyperparameter")[column].to_dict()


def total(learning_rate, dropout, units, weight_decay):
    return 3 * learning_rate + 2 * dropout + units


@pytest.fixture(scope="module")
def known():
    return searched(total, trials=200)


@pytest.fixture(scope="module")
def small():
    return searched(total, trials=40)


@pytest.fixture(scope="module")
def frame(known):
    return hpt.importance(known, repeats=10)


def test_fanova_recovers_the_variance_shares_of_a_sum(frame):
    """The variance of a sum is that of its terms, here 9, 4 and 1 parts, each on the scale it is searched on.

    A forest of 200 trials smooths, so weak terms come out too small. The tolerance: of 20 such studies the one
    farthest off missed a share by 0.07.
    """
    true = {"learning_rate": 9 / 14, "dropout": 4 / 14, "units": 1 / 14, "weight_decay": 0}
    assert by(frame, "fANOVA") == pytest.approx(true, abs=0.1)


def test_by_itself_optuna_sees_a_log_scale_as_a_plain_one(known):
    """The reason for our own scales: what decides most comes out last but one."""
    forest = optuna.importance.FanovaImportanceEvaluator(n_trees=8, seed=0)
    found = optuna.importance.get_param_importances(known.record, evaluator=forest)
    assert found["learning_rate"] < 0.5 < found["dropout"]


def test_ped_anova_is_optunas(known, frame):
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    expected = optuna.importance.get_param_importances(known.record, evaluator=evaluator)
    assert by(frame, "PED-ANOVA") == pytest.approx(expected)


def test_a_choice_of_many_values_gets_its_share():
    """Variance of the values 0, 1, 0, 3 is 1.5, of twice a uniform number 4/12."""
    worth = {0.125: 0, 0.375: 1, 0.625: 0, 0.875: 3}
    space = Space({"activation": Choice("relu", "tanh", "elu", "selu"), "dropout": Float(0, 0.5)})
    study = searched(lambda activation, dropout: worth[activation] + 2 * dropout, space)
    true = {"activation": 1.5 / (1.5 + 1 / 3), "dropout": (1 / 3) / (1.5 + 1 / 3)}
    assert by(hpt.importance(study, repeats=10), "fANOVA") == pytest.approx(true, abs=0.1)


def test_what_alone_decides_the_best_tenth_comes_first():
    """The bounds: in 20 such studies it had at least 0.967, and none of the others more than 0.022."""
    study = searched(lambda dropout, **others: dropout + 1e-6 * sum(others.values()), trials=200)
    found = hpt.importance(study, repeats=10)
    ped = found[found["method"] == "PED-ANOVA"].set_index("hyperparameter")
    assert ped["importance"].idxmax() == "dropout"
    assert ped.loc["dropout", "importance"] > 0.9
    assert ped.loc["dropout", "first"] == 1
    assert ped["importance"].drop("dropout").max() < 0.05


def test_the_two_questions_have_two_answers():
    """A learning rate in the lower half spoils a network; of the others the width makes the best.

    The best tenth has the upper half of learning rates (divergence 1) and the upper fifth of units (divergence 4).
    """
    space = Space({name: FOUR[name] for name in ("learning_rate", "dropout", "units")})
    study = searched(lambda learning_rate, dropout, units: units - 10 * (learning_rate < 0.5), space)
    found = hpt.importance(study, repeats=10)
    fanova, ped = by(found, "fANOVA"), by(found, "PED-ANOVA")
    assert max(fanova, key=fanova.get) == "learning_rate"
    assert max(ped, key=ped.get) == "units"


def test_the_table_holds_every_searched_hyperparameter_and_method(frame):
    assert list(frame.columns) == ["hyperparameter", "method", "question", "importance", "low", "high", "first"]
    assert sorted(zip(frame["hyperparameter"], frame["method"], strict=True)) == sorted(
        (name, method) for name in FOUR for method in QUESTIONS
    )
    assert (frame["question"] == frame["method"].map(QUESTIONS)).all()
    means = frame.groupby("hyperparameter", sort=False)["importance"].mean()
    assert means.is_monotonic_decreasing
    assert frame["importance"].between(frame["low"], frame["high"]).all()
    assert frame[["low", "high", "first"]].stack().between(0, 1).all()
    assert frame.groupby("method")["first"].sum().tolist() == [1, 1]


def test_the_seed_decides_the_halves_and_the_forests(small):
    one, again, other = (hpt.importance(small, repeats=10, seed=seed) for seed in (0, 0, 1))
    assert one.equals(again)
    assert by(one, "fANOVA") != by(other, "fANOVA")
    assert by(one, "PED-ANOVA", "high") != by(other, "PED-ANOVA", "high")
    assert by(one, "PED-ANOVA") == by(other, "PED-ANOVA")


def test_the_interval_is_normal(small):
    """Twice the quantile, twice the reach: what is not cut at 0 or 1 says so."""
    wide, narrow = (hpt.importance(small, repeats=10, confidence=share) for share in (0.9545, 0.6827))
    reach = {name: (frame["high"] - frame["importance"]) for name, frame in (("wide", wide), ("narrow", narrow))}
    free = (wide["high"] < 1) & (wide["importance"] > 0)
    assert free.sum() > 4
    assert reach["wide"][free].to_numpy() == pytest.approx(2 * reach["narrow"][free].to_numpy(), rel=1e-3)


def test_more_trials_give_narrower_intervals(small, frame):
    few = hpt.importance(small, repeats=10)
    for method in QUESTIONS:
        assert by(frame, method, "high")["dropout"] - by(frame, method, "low")["dropout"] < (
            by(few, method, "high")["dropout"] - by(few, method, "low")["dropout"]
        )


def test_a_conditional_hyperparameter_has_the_variance_that_it_makes_where_it_is():
    """With SGD the score is 2m - 1, else 0: of the variance 1/6 in all, momentum alone moves 1/12, SGD alone none."""
    space = Space({"optimizer": Choice("adam", "sgd"), "momentum": Float(0.5, 0.9).when(optimizer="sgd"),
                   "dropout": Float(0, 0.5)})  # fmt: skip
    study = searched(lambda optimizer, dropout, momentum=0.5: 2 * momentum - 1, space)
    found = hpt.importance(study, repeats=10)
    true = {"optimizer": 0, "momentum": 0.5, "dropout": 0}
    assert by(found, "fANOVA") == pytest.approx(true, abs=0.1)
    ped = by(found, "PED-ANOVA")
    assert ped["momentum"] > ped["dropout"]


def test_a_hyperparameter_that_nearly_no_trial_has_has_nearly_no_importance():
    space = Space({"optimizer": Choice(*"abcdefghijklmnopqrst"), "momentum": Float(0.5, 0.9).when(optimizer="t"),
                   "dropout": Float(0, 0.5)})  # fmt: skip
    study = searched(lambda optimizer, dropout, momentum=0.0: dropout, space, trials=30, seed=1)
    assert study.trials["momentum"].notna().sum() in range(1, 4)
    assert by(hpt.importance(study, repeats=10), "fANOVA")["momentum"] < 0.05


def test_hyperparameters_with_one_value_are_left_out():
    space = FOUR.replace(units=Int(32, 32), dropout=Choice(0.5))
    study = searched(lambda learning_rate, dropout, units, weight_decay: learning_rate, space, trials=30)
    assert set(hpt.importance(study, repeats=10)["hyperparameter"]) == {"learning_rate", "weight_decay"}


def test_with_costs_the_objective_counts():
    task = hpt.task("wine", epochs=2, space=FOUR)
    one, several = (
        pretend(given, "random", lambda m: -math.log10(m.configuration["learning_rate"]), trials=30)
        for given in (task, replace(task, costs=("units",)))
    )
    assert len(several.record.directions) == 2
    assert hpt.importance(several, repeats=10).equals(hpt.importance(one, repeats=10))


def test_another_metric_has_its_own_direction():
    """Small log loss is good, so its best tenth is at small dropout; accuracy knows nothing of dropout."""

    def of(member):
        rate, dropout = (FOUR[name].share(member.configuration[name]) for name in ("learning_rate", "dropout"))
        metrics = {"accuracy": rate, "f1": rate, "roc_auc": 0.5, "log_loss": 1 - np.exp(-5 * dropout)}
        return Progress(curve=[{"epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "score": rate}], metrics=metrics)

    study = pretend(hpt.task("wine", epochs=1, space=FOUR), score=of, trials=60)
    first = {metric: hpt.importance(study, repeats=10, metric=metric) for metric in ("accuracy", "log_loss")}
    assert first["accuracy"]["hyperparameter"].iloc[0] == "learning_rate"
    assert first["log_loss"]["hyperparameter"].iloc[0] == "dropout"
    minimized = optuna.create_study(direction="minimize")
    minimized.add_trials(
        optuna.trial.create_trial(params=t.params, distributions=t.distributions, value=t.user_attrs["log_loss"])
        for t in study.record.trials
    )
    expected = optuna.importance.get_param_importances(
        minimized, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    assert by(first["log_loss"], "PED-ANOVA") == pytest.approx(expected)
    with pytest.raises(hpt.UnknownName, match="Known metrics: accuracy, f1, roc_auc, log_loss"):
        hpt.importance(study, metric="rmse")
    with pytest.raises(hpt.InvalidInput, match="all 60 trials have the same roc_auc"):
        hpt.importance(study, metric="roc_auc")


def test_scores_that_differ_in_one_trial_only_are_no_error():
    """Half of the halves see no difference at all."""
    best = searched(total, trials=30).best_score
    study = searched(lambda **shares: float(total(**shares) == best), trials=30)
    assert hpt.importance(study, repeats=10)["importance"].notna().all()


@pytest.mark.filterwarnings("ignore:this budget does not pay")
def test_only_networks_trained_to_the_end_count():
    task = hpt.task("wine", epochs=9, space=FOUR)
    study = pretend(task, "successive_halving", lambda member, epoch: epoch, trials=81)
    complete = int((study.trials["status"] == "complete").sum())
    assert complete < LEAST < len(study.trials)
    with pytest.raises(hpt.InvalidInput, match=rf"this study of {len(study.trials)} has {complete}: tune with trials"):
        hpt.importance(study)


def test_population_based_training_is_refused():
    study = pretend(hpt.task("wine", epochs=10, space=FOUR), "pbt", trials=40, epochs=1000)
    with pytest.raises(hpt.InvalidInput, match="several configurations"):
        hpt.importance(study)


def test_one_hyperparameter_has_nothing_to_be_compared_with():
    space = Space({"dropout": Float(0, 0.5), "units": Choice(32)})
    with pytest.raises(hpt.InvalidInput, match="searched 1 that can change"):
        hpt.importance(searched(lambda dropout, units: dropout, space, trials=30))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"repeats": 9}, "at least 10, got 9"),
        ({"repeats": 20.0}, "whole number"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"confidence": True}, "between 0 and 1"),
        ({"seed": -1}, "a seed is a whole number"),
    ],
)
def test_settings_are_checked(small, setting, message):
    with pytest.raises(hpt.InvalidInput, match=message):
        hpt.importance(small, **setting)


def test_optunas_log_level_stays_as_it_was(small):
    before = optuna.logging.get_verbosity()
    hpt.importance(small, repeats=10)
    assert optuna.logging.get_verbosity() == before
