"""The loop: budgets, results, failures, Ctrl-C."""

import os
import signal
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import optuna
import pytest

import hpt
from hpt import strategies
from hpt.training import Progress, stack

from doubles import Pretend, pretend

COLUMNS = ["score", "accuracy", "f1", "roc_auc", "log_loss", "best_epoch", "epochs", "seconds", "seed", "status"]


def test_a_real_search_end_to_end(wine):
    study = hpt.tune(wine, "random", trials=3, seed=1)
    assert list(study.trials.columns) == ["number", *wine.space, *COLUMNS, "reason"]
    assert study.trials["status"].tolist() == ["complete"] * 3
    assert study.trials["epochs"].tolist() == [2, 2, 2]
    assert len(study.curves) == 6
    assert study.best_score == study.trials["score"].max() > 0.3
    assert study.best == study.configurations[study.best_trial]
    assert list(study.best) == list(wine.space)
    for trial in study.trials["number"]:
        last = study.curves.query("trial == @trial")["score"].iloc[-1]
        assert last == study.trials.loc[trial, "score"]


@pytest.mark.filterwarnings("ignore:this budget pays")
@pytest.mark.parametrize("strategy", [strategies.tpe(startup=2), "random", strategies.grid(2)])
def test_the_same_seed_gives_the_same_study(wine, strategy):
    small = wine.with_space(hpt.Space({"learning_rate": wine.space["learning_rate"], "units": hpt.Int(4, 8)}))
    a, b = (hpt.tune(small, strategy, trials=4, seed=3).trials.drop(columns="seconds") for _ in range(2))
    assert a.equals(b)


# --- several objectives -------------------------------------------------------------------------------


def _priced(wine, **changes):
    space = hpt.Space({"learning_rate": wine.space["learning_rate"], "units": hpt.Int(4, 256, log=True)})
    return replace(wine.with_space(space), costs=("units",), **changes)


def _beaten(points):
    """Which points another one beats, by the definition: smaller is better in both columns."""
    better = (points[:, None] <= points[None]).all(axis=-1) & (points[:, None] < points[None]).any(axis=-1)
    return better.any(axis=0)


@pytest.mark.parametrize("strategy", ["random", "nsga2", strategies.tpe(startup=5)])
@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
def test_the_front_holds_the_trials_that_no_other_one_beats(wine, strategy, metric):
    task = _priced(wine, metrics=(metric, "f1"))
    score = lambda m: np.sin(7 * m.configuration["units"]) + m.configuration["learning_rate"]  # noqa: E731
    study = pretend(task, strategy, score, trials=40)
    points = study.trials[["score", "units"]].to_numpy(dtype=float)
    points[:, 0] *= -1 if metric == "accuracy" else 1
    assert study.front["number"].tolist() == np.flatnonzero(~_beaten(points)).tolist()
    assert 1 < len(study.front) < 40
    assert study.best_trial in study.front["number"].tolist()


def _area(front):
    """The area between a front and the corner (1, 1) in score and logarithm of the width: the larger, the better."""
    points = front[["score", "units"]].to_numpy(dtype=float)
    points[:, 1] = np.log(points[:, 1] / 4) / np.log(64)
    area, highest = 0.0, 1.0
    for score, width in sorted(map(tuple, points[(points < 1).all(axis=1)])):
        area += (1 - score) * (highest - width)
        highest = width
    return area


def test_with_costs_a_genetic_search_finds_a_better_front_than_random_draws(wine):
    task = _priced(wine, metrics=("log_loss",)).with_space(dropout=hpt.Float(0, 0.9))

    def score(member):
        rate, dropout, units = (member.configuration[name] for name in ("learning_rate", "dropout", "units"))
        return 4 / units + abs(np.log10(rate / 0.01)) + abs(dropout - 0.3)

    areas = [
        [_area(pretend(task, name, score, trials=200, seed=seed).front) for name in ("nsga2", "random")]
        for seed in range(10)
    ]
    assert sum(genetic > random for genetic, random in areas) >= 9  # by chance once in 93 times


def test_a_failed_network_is_never_on_the_front(wine):
    bad = Progress("diverged", "the loss became nan", stopped=True)
    study = pretend(_priced(wine), "nsga2", lambda m: bad if m.configuration["units"] < 20 else 0.5, trials=30)
    assert (study.trials["status"] == "diverged").any()
    assert (study.front["units"] >= 20).all()


def test_without_costs_the_front_is_the_best_trial(wine):
    study = pretend(wine, trials=6)
    assert study.front["number"].tolist() == [study.best_trial]


@pytest.mark.parametrize("name", ["gp", "cmaes", "evolution", "hyperband", "bohb", "successive_halving", "pbt"])
def test_a_strategy_that_knows_one_objective_refuses_costs(wine, name):
    with pytest.raises(hpt.InvalidInput, match="knows one objective, and 'wine' has costs beside it, units: take"):
        pretend(_priced(wine, epochs=27), name, trials=200)


@pytest.mark.parametrize("name", ["dropout", "activation", "momentum"])
def test_a_cost_is_a_number_that_every_configuration_has(wine, name):
    space = hpt.search_space("units", "activation", "optimizer", "momentum")
    with pytest.raises(hpt.InvalidInput, match=f"numbers that every configuration of the space has, got '{name}'"):
        replace(wine, space=space, costs=(name,))


def test_a_trial_can_be_trained_again_from_its_row(wine):
    study = hpt.tune(wine, "random", trials=2, seed=6)
    row = study.trials.loc[1]
    again = hpt.train(wine, study.configurations[1], seed=int(row["seed"]))
    # To float accuracy: alone it is not padded to its neighbours' widths, and its sums are added in another order.
    assert again.metrics["log_loss"] == pytest.approx(row["log_loss"], rel=1e-5)


def test_cross_validation_averages_the_folds(wine):
    task = hpt.task("wine", folds=3, epochs=1)
    study = pretend(task, score=lambda m: float(m.fold), trials=2)
    assert study.trials["score"].tolist() == [1.0, 1.0]
    assert study.trials["epochs"].tolist() == [3, 3]
    assert sorted(study.curves["fold"].unique()) == [0, 1, 2]


def test_an_epoch_budget_is_never_overspent(wine):
    study = pretend(wine, epochs=9)
    assert (len(study.trials), study.epochs) == (4, 8)
    assert pretend(hpt.task("wine", folds=2, epochs=2), epochs=9).epochs == 8


def test_the_first_budget_to_run_out_ends_the_search(wine):
    assert len(pretend(wine, trials=3, epochs=100).trials) == 3
    assert len(pretend(wine, trials=100, epochs=6).trials) == 3


def test_epochs_can_be_a_hyperparameter(wine):
    task = wine.with_space(hpt.Space({"epochs": hpt.Choice(3, 7), "learning_rate": wine.space["learning_rate"]}))
    asked = []
    study = hpt.tune(task, "random", epochs=50, trainer=Pretend(lambda m: 0.0, asked))
    assert set(asked) == {3, 7}
    assert len(asked) < len(study.trials)  # those of one length are trained together
    assert study.trials["epochs"].tolist() == [c["epochs"] for c in study.configurations]
    assert 50 - 7 < study.epochs <= 50
    assert list(study.trials.columns).count("epochs") == 1


def test_manual_and_grid_search_end_by_themselves(wine):
    task = wine.with_space(hpt.Space({"learning_rate": hpt.Float(1e-3, 1e-1, log=True), "units": hpt.Choice(8, 16)}))
    assert len(pretend(task, "grid").trials) == 6
    listed = strategies.manual([{"learning_rate": 0.01, "units": 8}])
    assert pretend(task, listed).best == {"learning_rate": 0.01, "units": 8}


def test_smaller_is_better_where_the_metric_says_so():
    task = hpt.task("diabetes", epochs=1)
    study = pretend(task, trials=5)
    assert study.best_score == study.trials["score"].min()
    assert study.record.direction == optuna.study.StudyDirection.MINIMIZE


def test_any_python_value_comes_back_as_itself(wine):
    task = wine.with_space(hpt.Space({"units": hpt.Choice((8,), (8, 4)), "learning_rate": hpt.Choice(0.1, 0.01)}))
    study = pretend(task, trials=6)
    assert {c["units"] for c in study.configurations} == {(8,), (8, 4)}
    assert all(isinstance(t.params["units"], str) for t in study.record.trials)


def test_a_network_that_diverges_or_raises_is_a_row(wine):
    def score(member):
        rate = member.configuration["learning_rate"]
        if rate > 1e-2:
            return Progress("diverged", "the training loss became nan in epoch 1")
        return Progress("failed", "ValueError: no") if rate < 1e-3 else rate

    study = pretend(wine, score=score, trials=30)
    assert len(study.trials) == 30
    by_status = study.trials.groupby("status")["reason"].unique().to_dict()
    assert {k: list(v) for k, v in by_status.items()} == {
        "complete": [""],
        "diverged": ["the training loss became nan in epoch 1"],
        "failed": ["ValueError: no"],
    }
    assert 1e-3 <= study.best["learning_rate"] <= 1e-2
    assert study.trials.loc[study.trials["status"] != "complete", "score"].isna().all()


def test_tpe_learns_to_stay_away_from_what_diverges(wine):
    """Half of the log range diverges, and the best rate lies well inside the other half."""
    space = hpt.Space({"learning_rate": hpt.Float(1e-4, 1.0, log=True)})

    def score(member):
        rate = member.configuration["learning_rate"]
        return Progress("diverged", "nan") if rate > 1e-2 else -((np.log10(rate) + 3) ** 2)

    shares = {}
    for name in ("tpe", "random"):
        statuses = [
            status
            for seed in range(5)
            for status in pretend(wine.with_space(space), name, score, trials=40, seed=seed).trials["status"][20:]
        ]
        shares[name] = np.mean([status == "diverged" for status in statuses])
    assert shares["tpe"] < shares["random"] - 0.1
    assert shares["random"] == pytest.approx(0.5, abs=0.2)  # 4 standard errors of 100 coin flips


def test_a_real_divergence_and_a_real_exception_are_rows():
    def build(configuration, shape):
        if configuration["units"] == 5:
            raise RuntimeError("no network today")
        return hpt.networks.mlp(configuration, shape)

    task = replace(hpt.task("diabetes", epochs=3), build=build)
    task = task.with_space(hpt.Space({"units": hpt.Choice(4, 5), "learning_rate": hpt.Choice(1e-3, 1e9)}))
    study = hpt.tune(replace(task, defaults={"optimizer": "sgd"}), "grid")
    assert study.trials["status"].tolist() == ["complete", "diverged", "failed", "failed"]
    assert study.trials["reason"][2] == "RuntimeError: no network today"


def test_when_nothing_completes_there_is_no_best_but_everything_is_kept(wine):
    study = pretend(wine, score=lambda m: Progress("failed", "ValueError: never"), trials=4)
    assert len(study.trials) == 4
    assert "4 failed" in repr(study)
    with pytest.raises(hpt.InvalidInput, match=r"none of the 4 trials .* ValueError: never"):
        _ = study.best


@pytest.mark.parametrize(("together", "cut_off"), [(1, 1), (2, 2)])
def test_ctrl_c_returns_what_there_is(wine, monkeypatch, together, cut_off):
    """What was trained before is kept; the trials that were being trained together are interrupted together."""
    monkeypatch.setattr(hpt.study, "TOGETHER", together)
    calls = []

    def score(member):
        calls.append(member)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    study = pretend(wine, score=score, trials=10)
    assert study.interrupted
    assert study.trials["status"].tolist() == ["complete", "complete"] + ["interrupted"] * cut_off
    assert study.best_score == 0.5
    assert "this is what there is" in repr(study)
    assert all(trial.state.is_finished() for trial in study.record.trials)


def test_ctrl_c_before_anything_finished_is_a_study_without_a_best(wine):
    def score(member):
        raise KeyboardInterrupt

    study = pretend(wine, score=score, trials=10)
    with pytest.raises(hpt.InvalidInput, match="interrupted"):
        _ = study.best
    assert "10 interrupted" in repr(study)


def test_ctrl_c_in_a_batch_keeps_the_batches_before_it(wine, monkeypatch):
    """A real signal, while the stack of the second batch trains."""
    monkeypatch.setattr(hpt.study, "TOGETHER", 3)
    traced, calls = stack.traced, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return traced(*args)

    monkeypatch.setattr(stack, "traced", interrupted)
    alike = {"layers": 1, "units": 16, "batch_size": 32, "dropout": 0.2}
    listed = strategies.manual([{**alike, "learning_rate": rate} for rate in np.geomspace(1e-3, 1e-2, 8)])
    study = hpt.tune(wine, listed)
    assert study.interrupted
    assert study.trials["status"].tolist() == ["complete"] * 3 + ["interrupted"] * 3
    assert study.trials["epochs"].tolist() == [2, 2, 2, 0, 0, 0]
    assert study.best_trial in (0, 1, 2)
    assert all(trial.state.is_finished() for trial in study.record.trials)


def test_a_study_is_frozen(wine):
    study = pretend(wine, trials=1)
    with pytest.raises(FrozenInstanceError):
        study.seed = 3
    study.best["learning_rate"] = -1
    assert study.best["learning_rate"] > 0


def test_the_record_is_an_optuna_study_with_everything_on_it(wine):
    study = pretend(wine, trials=3)
    for trial, row in zip(study.record.trials, study.trials.to_dict("records"), strict=True):
        assert trial.value == row["score"]
        assert trial.user_attrs["seed"] == row["seed"]
        assert trial.user_attrs["status"] == "complete"


def test_optunas_own_importance_works_on_the_record(wine):
    study = pretend(wine, trials=30)
    importance = optuna.importance.get_param_importances(study.record)
    assert max(importance, key=importance.get) == "learning_rate"


def test_patience_given_to_tune_stops_networks_early():
    task = hpt.task("wine", epochs=60)
    listed = strategies.manual([{"layers": 1, "units": 64, "learning_rate": 0.05, "batch_size": 16, "dropout": 0.2}])
    study = hpt.tune(task, listed, patience=2)
    row = study.trials.loc[0]
    assert row["epochs"] < 60
    assert row["epochs"] - row["best_epoch"] == 2
    assert study.patience == 2


def test_a_study_remembers_what_it_searched_on(wine):
    study = pretend(_priced(wine), trials=2)
    assert (study.fingerprint, study.patience, study.costs) == (wine.split.fingerprint, None, ("units",))
    assert wine.split.test.opened is None


def test_the_progress_bar_shows_the_best_so_far(wine, capsys):
    pretend(wine, trials=2, progress=True)
    shown = capsys.readouterr().err
    assert "random: 100%" in shown
    assert "best accuracy" in shown
    pretend(wine, trials=2, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "rondom", "trials": 1}, "did you mean 'random'"),
        ({"strategy": "manual"}, "needs its list"),
        ({}, "no end of its own: say trials=20, or epochs=40"),
        ({"trials": 0}, "trials must be a whole number of at least 1, got 0"),
        ({"trials": -3}, "got -3"),
        ({"trials": True}, "got True"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.5}, "got 2.5"),
        ({"epochs": float("nan")}, "got nan"),
        ({"epochs": 1}, "less than one trial costs here: 2 epochs"),
        ({"trials": 1, "seed": -1}, "a seed is a whole number"),
        ({"trials": 1, "patience": 0}, "patience must be"),
    ],
)
def test_bad_input_gets_one_line(wine, arguments, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        hpt.tune(wine, **arguments)
    assert "\n" not in str(caught.value)


def test_a_name_instead_of_a_task_is_explained():
    with pytest.raises(hpt.InvalidInput, match=r"hpt.task\('breast_cancer'\), got 'wine'"):
        hpt.tune("wine", trials=1)


def test_a_real_ctrl_c_in_a_real_process_returns_a_study():
    """SIGINT while a batch trains, as a terminal sends it."""
    code = (
        "import hpt, signal, threading, os, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "task = hpt.task('wine', epochs=2)\n"
        "hpt.train(task, epochs=1)\n"
        "threading.Timer(4, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "study = hpt.tune(task, 'random', trials=100_000)\n"
        "cut_off = (study.trials['status'] == 'interrupted').sum()\n"
        "print(study.interrupted, cut_off <= hpt.study.TOGETHER, len(study.trials) < 100_000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.split() == ["True", "True", "True"], done.stderr[-2000:]


def test_tpe_without_a_trial_of_its_own_says_that_it_is_random_search(wine):
    with pytest.warns(UserWarning, match=r"pays for 9, so this is random search: .*from 3 trials on"):
        study = pretend(wine, "tpe", trials=9)
    assert study.configurations == pretend(wine, "random", trials=9).configurations


def test_a_grid_that_is_cut_short_says_what_it_leaves_out(wine):
    space = hpt.Space({"layers": hpt.Int(1, 2), "learning_rate": hpt.Float(1e-3, 1e-1, log=True)})
    with pytest.warns(UserWarning, match="pays for 2 of the grid's 6 combinations"):
        pretend(wine.with_space(space), "grid", trials=2)


def test_an_epoch_budget_ends_although_every_network_raises(wine):
    study = pretend(wine, score=lambda m: Progress("failed", "ValueError: never"), epochs=20)
    assert len(study.trials) == 10
    assert study.epochs == 0


def test_a_score_that_is_not_a_number_is_a_failure_and_never_the_best(wine):
    scores = iter([np.nan, 0.9, 0.5])
    study = pretend(wine, score=lambda m: next(scores), trials=3)
    assert study.trials["status"].tolist() == ["failed", "complete", "complete"]
    assert study.trials["reason"][0] == "accuracy is not a finite number on the validation rows"
    assert (study.best_trial, study.best_score) == (1, 0.9)


def test_ctrl_c_while_the_record_is_told_loses_nothing(wine, monkeypatch):
    tell, calls = optuna.Study.tell, []

    def interrupted(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return tell(self, *args, **kwargs)

    monkeypatch.setattr(optuna.Study, "tell", interrupted)
    study = pretend(wine, trials=5)
    assert study.interrupted
    assert study.trials["status"].tolist() == ["complete"] * 5  # all five were trained together before
    assert all(trial.state.is_finished() for trial in study.record.trials)


@pytest.mark.filterwarnings("ignore:this budget pays")
@pytest.mark.parametrize("strategy", ["random", "grid", strategies.tpe(startup=4)])
def test_what_is_tried_does_not_depend_on_how_many_trials_are_asked_for_together(wine, monkeypatch, strategy):
    studies = []
    for together in (1, 3, 64):
        monkeypatch.setattr(hpt.study, "TOGETHER", together)
        studies.append(pretend(wine, strategy, trials=12))
    first, *others = (study.trials.drop(columns="seconds") for study in studies)
    assert len(first) == 12
    assert all(first.equals(other) for other in others)
    assert all(study.configurations == studies[0].configurations for study in studies)


def test_trained_together_trials_score_as_they_do_one_at_a_time(wine, monkeypatch):
    """The same configurations exactly, the same losses to float accuracy: in a stack the sums are added differently."""
    studies = []
    for together in (1, 64):
        monkeypatch.setattr(hpt.study, "TOGETHER", together)
        studies.append(hpt.tune(wine, "random", trials=16, seed=4, patience=1))
    one, many = studies
    assert one.configurations == many.configurations
    assert one.trials["seed"].equals(many.trials["seed"])
    assert np.allclose(one.trials["log_loss"], many.trials["log_loss"], rtol=1e-5)
    assert one.trials["score"].tolist() == pytest.approx(many.trials["score"].tolist())
    places = ["trial", "fold", "epoch"]
    assert one.curves[places].equals(many.curves[places])
    for loss in ("train_loss", "val_loss"):
        assert np.allclose(one.curves[loss], many.curves[loss], rtol=1e-5)


@pytest.mark.parametrize("together", [1, 5, 64])
def test_an_epoch_budget_is_not_overspent_by_batches_that_stop_early(monkeypatch, together):
    """Every trial is paid for in full when it starts; what early stopping leaves pays for more, to the last trial."""
    monkeypatch.setattr(hpt.study, "TOGETHER", together)
    task = hpt.task("wine", folds=2, epochs=10)
    started = []

    def score(member):
        """Stop somewhere between epoch 1 and 10, by the seed."""
        started.append(member)
        length = 1 + member.seed % 10
        curve = [{"epoch": e, "train_loss": 1.0, "val_loss": 1.0, "score": 0.5} for e in range(1, length + 1)]
        return Progress(curve=curve, metrics=dict.fromkeys(task.metrics, 0.5), best_epoch=length)

    study = pretend(task, score=score, epochs=333)
    assert 333 - 20 < study.epochs <= 333
    assert len(started) == 2 * len(study.trials)
    assert len(study.trials) == 28  # whatever is asked together


def test_patience_may_not_be_both_given_and_searched(wine):
    task = wine.with_space(hpt.search_space("patience", "learning_rate"))
    with pytest.raises(hpt.InvalidInput, match="patience is searched"):
        hpt.tune(task, trials=1, patience=3)
