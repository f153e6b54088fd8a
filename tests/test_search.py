"""A search pauses networks, lets the best go on, and loses nothing."""

import math
from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest

import hpt
from hpt import strategies
from hpt.samplers import Listed, Random, Sobol
from hpt.schedules import Hyperband, PopulationBased, SuccessiveHalving, hyperband
from hpt.strategies import Strategy
from hpt.training import Progress
from hpt.training.keras_loop import KerasLoop
from hpt.training.stack import Stack

from doubles import Pretend, pretend

BRACKETS = ["one_epoch", "successive_halving", "hyperband", "bohb", "pbt"]
EVERY = [name for name in strategies.STRATEGIES if name not in ("manual", "grid")]


@pytest.fixture
def long():
    return hpt.task("wine", epochs=9)


@pytest.fixture
def small(long):
    """Nets of one layer, quick to train."""
    return long.with_space(hpt.search_space("learning_rate", "units", "dropout", units=hpt.Int(4, 16)))


def rate(member):
    return member.configuration["learning_rate"]


# --- brackets


def test_a_rung_keeps_its_best_and_the_plan_is_kept(long):
    study = pretend(long, "hyperband", score=rate)
    plan = hyperband(9)
    seen = study.rungs.groupby(["bracket", "rung"]).size().tolist()
    assert seen == [rung.networks for bracket in plan.brackets for rung in bracket]
    assert study.epochs == plan.epochs == study.rungs["spent"].iloc[-1]
    for (bracket, rung), group in study.rungs.groupby(["bracket", "rung"]):
        rows = study.rungs
        after = rows[(rows["bracket"] == bracket) & (rows["rung"] == rung + 1)]["trial"]
        if len(after):
            assert set(after) == set(group.sort_values("score", ascending=False)["trial"][: len(after)])


def test_a_length_in_the_defaults_is_planned_for_and_trained(long):
    task, seen = replace(long, epochs=27, defaults={"epochs": 9}), []
    study = hpt.tune(task, "hyperband", trainer=Pretend(rate, seen))
    assert study.rungs["epoch"].max() == max(seen) == 9
    assert study.epochs == hyperband(9).epochs
    assert pretend(task, trials=2, epochs=9).trials["epochs"].tolist() == [9]
    priced = task.with_space(hpt.search_space("learning_rate", epochs=hpt.Choice(2, 3)))
    assert set(pretend(priced, trials=8).trials["epochs"]) == {2, 3}


def test_the_first_bracket_by_hand(long):
    """Nine listed networks whose scores are told beforehand; 3 go on, then 1."""
    scores = [0.3, 0.9, 0.1, 0.5, 0.8, 0.2, 0.4, 0.7, 0.6]
    space = hpt.Space({"learning_rate": hpt.Choice(*(n / 1000 for n in range(1, 10)))})
    listed = Listed([{"learning_rate": n / 1000} for n in range(1, 10)])
    strategy = Strategy("listed halving", listed, SuccessiveHalving())

    def score(member, epoch):
        place = round(rate(member) * 1000) - 1
        return scores[place] if epoch < 3 else 1 - scores[place]  # the order turns round at epoch 3

    study = pretend(long.with_space(space), strategy, score)
    assert study.rungs.query("rung == 1")["trial"].tolist() == [1, 4, 7]
    assert study.rungs.query("rung == 2")["trial"].tolist() == [7]
    assert study.best_trial == 7
    assert study.trials["status"].tolist() == ["complete" if i == 7 else "pruned" for i in range(9)]
    assert study.trials["epochs"].tolist() == [1, 3, 1, 1, 3, 1, 1, 9, 1]
    assert study.trials["reason"][0] == "stopped by the schedule after epoch 1"
    assert study.trials["score"][1] == pytest.approx(0.1)  # as it stood when it was stopped


def test_the_best_is_one_that_was_trained_to_the_end(long):
    study = pretend(long, "successive_halving", score=lambda member, epoch: 1 / epoch)
    assert study.trials["score"].max() == 1.0
    assert study.best_score == pytest.approx(1 / 9)
    assert len(study.curves.query("trial == @study.best_trial")) == 9


def test_the_record_knows_every_rung(long):
    study = pretend(long, "hyperband", score=rate)
    for trial in study.record.trials:
        rows = study.rungs.query("trial == @trial.number")
        assert trial.intermediate_values == dict(zip(rows["epoch"], rows["score"], strict=True))
        status = study.trials.loc[trial.number, "status"]
        assert trial.state.name == {"complete": "COMPLETE", "pruned": "PRUNED"}[status]


def test_a_budget_pays_for_whole_brackets_and_starts_them_over(long):
    study = pretend(long, "hyperband", epochs=2 * 69 + 30)
    assert study.epochs == 2 * 69 + 21
    assert study.rungs["bracket"].max() == 6
    with pytest.warns(UserWarning, match=r"every bracket of hyperband once: they take 69 epochs and 17 trials"):
        assert pretend(long, "hyperband", epochs=50).epochs == 42
    assert len(pretend(long, "successive_halving", trials=20).trials) == 18


def test_folds_multiply_the_price():
    task = hpt.task("wine", folds=3, epochs=9)
    study = pretend(task, "hyperband", score=rate)
    assert study.epochs == 3 * 69
    with pytest.raises(hpt.InvalidInput, match="one bracket of hyperband costs here: 63 epochs"):
        pretend(task, "hyperband", epochs=60)


def test_any_sampler_goes_with_any_schedule(long):
    task = long.with_space(hpt.Space({"learning_rate": long.space["learning_rate"], "units": hpt.Int(4, 16)}))
    for name in EVERY:
        own = Strategy(name, strategies.resolve(name).sampler, SuccessiveHalving(networks=27))
        study = pretend(task, own, score=rate, trials=2 * 27)  # the second bracket is beyond every random start
        assert study.trials["status"].eq("complete").sum() == 2 * 3
        assert len({tuple(one.items()) for one in study.configurations}) > 27


def test_a_sampler_that_ends_fills_what_it_can(long):
    listed = Listed([{"learning_rate": n / 1000} for n in (1, 5, 3, 2)])
    task = long.with_space(hpt.Space({"learning_rate": hpt.Float(1e-4, 1e-1, log=True)}))
    study = pretend(task, Strategy("four", listed, Hyperband()), score=rate)
    assert study.rungs.groupby(["bracket", "rung"]).size().tolist() == [4, 3, 1]
    assert study.best == {"learning_rate": 0.005}


def test_a_space_that_searches_epochs_is_refused(long):
    task = long.with_space(epochs=hpt.Choice(3, 9))
    with pytest.raises(hpt.InvalidInput, match="hyperband decides how long to train, and so would 'epochs'"):
        pretend(task, "hyperband")


def test_too_few_trials_for_a_bracket_are_refused(long):
    with pytest.raises(hpt.InvalidInput, match="5 trials are less than the first bracket of hyperband starts here: 9"):
        pretend(long, "hyperband", trials=5)


def test_the_plan_is_printed_before_anything_runs(long, capsys):
    pretend(long, "hyperband", progress=True)
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert text.index("hyperband, planned: 3 brackets, 17 configurations, 22 trainings, 69 epochs") < text.index(
        "69/69"
    )


# --- real networks: paused and resumed


@pytest.mark.parametrize("trainer", [Stack(), KerasLoop()])
def test_a_survivor_equals_a_network_that_was_never_paused(small, trainer):
    """Weights and the optimizer's memory go on: the curve of the winner is that of one uninterrupted training."""
    task = small if isinstance(trainer, Stack) else small.with_space(units=hpt.Choice(8))
    strategy = Strategy("short", Random(), SuccessiveHalving(networks=9 if isinstance(trainer, Stack) else 3))
    study = hpt.tune(task, strategy, seed=2, trainer=trainer)
    row = study.trials.loc[study.best_trial]
    alone = hpt.train(task, study.best, seed=int(row["seed"]), trainer=trainer)
    curve = study.curves.query("trial == @study.best_trial")
    assert len(curve) == 9
    for column in ("train_loss", "val_loss"):
        # Stacked with others its sums are added in another order.
        assert curve[column].to_numpy() == pytest.approx(alone.curve[column].to_numpy(), rel=1e-4)


def test_random_searchs_trials_are_hyperbands_newcomers(small):
    """One counter for all: trial n is drawn and trained the same, whatever the schedule."""
    full = hpt.tune(small, "random", trials=9, seed=5)
    cut = hpt.tune(small, "successive_halving", seed=5)
    assert list(full.configurations) == list(cut.configurations)
    for number in range(9):
        first = [study.curves.set_index("trial").loc[number:number, "val_loss"].iloc[0] for study in (full, cut)]
        assert first[0] == pytest.approx(first[1], rel=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_every_strategy_repeats_itself_under_the_same_seed(small, name):
    budget = {} if name in BRACKETS else {"epochs": 9 * 26}
    own = strategies.pbt(population=6) if name == "pbt" else name
    a, b = (hpt.tune(small, own, seed=4, **budget) for _ in range(2))
    assert a.trials.drop(columns="seconds").equals(b.trials.drop(columns="seconds"))
    assert a.rungs.equals(b.rungs)
    assert a.best_score > 0.5


@pytest.mark.parametrize("name", EVERY)
def test_a_strategy_fed_only_failures_ends_and_keeps_them(long, name):
    def never(member):
        return Progress("failed", "ValueError: never")

    budget = {} if name in BRACKETS else {"epochs": 9 * 25}
    study = pretend(long, name, score=never, **budget)
    assert (study.trials["status"] == "failed").all()
    assert len(study.trials) >= 9
    assert "failed" in repr(study)
    with pytest.raises(hpt.InvalidInput, match=r"none of the \d+ trials .* ValueError: never"):
        _ = study.best


def test_bohb_sees_the_record_of_every_budget(small):
    """Its densities rest on the largest epoch with enough results; the study reports each rung."""
    from hpt.samplers import observations

    study = hpt.tune(small, "bohb", seed=1)
    seen = observations(study.record, small.space)
    by_epoch = {epoch: sum(epoch in one.merits for one in seen) for epoch in (1, 3, 9)}
    assert by_epoch == study.rungs.groupby("epoch").size().to_dict() == {1: 9, 3: 8, 9: 5}


# --- Ctrl-C


def test_ctrl_c_in_a_bracket_keeps_what_was_judged(long):
    def score(member, epoch):
        if epoch == 9:
            raise KeyboardInterrupt
        return rate(member)

    study = pretend(long, "hyperband", score=score)
    assert study.interrupted
    statuses = study.trials["status"].tolist()
    assert statuses == ["pruned"] * 9
    assert study.trials["reason"].eq("interrupted by Ctrl-C").sum() == 1
    assert study.trials["score"].notna().all()
    assert all(trial.state.is_finished() for trial in study.record.trials)
    with pytest.raises(hpt.InvalidInput, match="none of the 9 trials"):
        _ = study.best


# --- population-based training


def test_the_worst_of_a_population_end_and_their_heirs_name_their_parents(small):
    study = hpt.tune(small, strategies.pbt(population=8, every=3), seed=3)
    assert study.trials["parent"].notna().sum() == 2 * 2  # two looks, a quarter of eight
    assert (study.trials["status"] == "complete").sum() == 8
    assert study.epochs == 8 * 9
    for child in study.trials.dropna(subset="parent").to_dict("records"):
        at = study.rungs.query("trial == @child['number']")["epoch"].min() - 3
        last = study.rungs.query("epoch == @at").set_index("trial")["score"]
        assert child["parent"] in last.sort_values(ascending=False, kind="stable").index[:2]
        parent = study.configurations[int(child["parent"])]
        assert study.configurations[child["number"]]["units"] == parent["units"]
        assert study.curves.query("trial == @child['number']")["epoch"].min() == at + 1


def test_a_lineage_leads_from_the_first_epoch_to_the_last(small):
    study = hpt.tune(small, strategies.pbt(population=8, every=1), seed=3)
    lineage = study.lineage()
    assert lineage["trial"].iloc[-1] == study.best_trial
    assert lineage["from_epoch"].tolist() == [0, *lineage["to_epoch"][:-1]]
    assert lineage["to_epoch"].iloc[-1] == 9
    assert len(lineage) > 1
    plain = hpt.tune(small, "random", trials=2)
    assert plain.lineage(1)[["trial", "from_epoch", "to_epoch"]].to_numpy().tolist() == [[1, 0, 9]]
    with pytest.raises(hpt.InvalidInput, match="trials 0 to 1, got 7"):
        plain.lineage(7)


def test_an_interrupted_trial_has_no_lineage(long):
    def score(member):
        raise KeyboardInterrupt

    with pytest.raises(hpt.InvalidInput, match="trial 0 was interrupted before it was judged"):
        pretend(long, trials=2, score=score).lineage(0)


def test_population_based_training_learns_when_the_rate_should_fall(long):
    """A toy after Jaderberg et al. 2017: a high rate helps early, a low one late. No fixed rate is as good."""
    task = long.with_space(hpt.Space({"learning_rate": hpt.Float(1e-3, 1e-1, log=True)}))
    gained = {}

    class Toy(Pretend):
        def start(self, task, members):
            run = super().start(task, members)
            run.merit = {id(member): 0.0 for member in run.members}
            advance, keep = run.advance, run.keep

            def gain(member, epoch):
                wanted = -1 if epoch <= 5 else -3
                return 1 - abs(math.log10(rate(member)) - wanted) / 2

            def forward(epoch):
                for member in run.members:
                    seen = run.merit[id(member)]
                    run.merit[id(member)] = seen + sum(gain(member, e) for e in range(run.epoch + 1, epoch + 1))
                run.epoch = epoch
                return advance(epoch)

            def kept(survivors, heirs=None):
                before = list(run.members)
                keep(survivors, heirs)
                for new, old in enumerate(survivors):
                    run.merit[id(run.members[new])] = run.merit[id(before[old])]

            run.epoch, run.advance, run.keep = 0, forward, kept
            self.run = run
            return run

    def best(strategy, **budget):
        toy = Toy(lambda member: toy.run.merit[id(member)])
        return hpt.tune(task, strategy, trainer=toy, **budget).best_score

    gained["pbt"] = best(strategies.pbt(population=20, every=1))
    gained["random"] = best("random", trials=20)
    assert gained["pbt"] > gained["random"] + 1


def test_an_heir_continues_with_weights_and_optimizer(small):
    """Exploit without explore: the copy of a network trains on exactly as the network does, but for its own seed."""
    for trainer in (Stack(), KerasLoop()):
        configuration = {"learning_rate": 0.01, "units": 8, "dropout": 0.0, "batch_size": 200}  # one batch: no order
        members = [hpt.training.Member(configuration, seed) for seed in (1, 2)]
        run = trainer.start(small, members)
        run.advance(3)
        run.keep([0, 0], {1: hpt.training.Member(configuration, 99)})
        first, heir = run.advance(6)
        assert heir.curve[:3] == first.curve[:3]
        for a, b in zip(first.curve, heir.curve, strict=True):
            assert b["val_loss"] == pytest.approx(a["val_loss"], rel=1e-5)


def test_an_heir_takes_its_own_learning_rate(small):
    for trainer in (Stack(), KerasLoop()):
        base = {"units": 8, "dropout": 0.0, "batch_size": 200, "optimizer": "sgd", "momentum": 0.0}
        run = trainer.start(small, [hpt.training.Member({**base, "learning_rate": 0.1}, 1)])
        run.advance(2)
        still = hpt.training.Member({**base, "learning_rate": 1e-9}, 5)
        run.keep([0, 0], {1: still})
        _, heir = run.advance(4)
        losses = [point["val_loss"] for point in heir.curve]
        assert losses[3] == pytest.approx(losses[1], rel=1e-4)
        assert losses[1] < losses[0]


def test_an_heir_with_other_layers_is_a_failure_and_the_others_go_on(small):
    for trainer in (Stack(), KerasLoop()):
        run = trainer.start(small, [hpt.training.Member({"units": 8}, 1)])
        run.advance(1)
        run.keep([0, 0], {1: hpt.training.Member({"units": 12}, 2)})
        good, bad = run.advance(2)
        assert (good.status, good.epochs) == ("complete", 2)
        assert bad.status == "failed"


def test_a_population_needs_something_that_can_change_and_says_so_before_it_trains(long):
    task = long.with_space(hpt.Space({"units": hpt.Int(4, 64)}))
    trainer = Pretend(lambda member: float(member.configuration["units"]))
    with pytest.raises(hpt.InvalidInput, match="one of learning_rate, momentum"):
        hpt.tune(task, Strategy("pbt", Sobol(), PopulationBased(8)), trainer=trainer)
    assert trainer.asked == []


def test_heirs_take_no_number_of_the_sampler_and_none_of_the_budget(long):
    task = long.with_space(hpt.Space({"learning_rate": hpt.Float(1e-4, 1e-1, log=True)}))
    rates = [n / 1000 for n in range(1, 25)]
    listed = Strategy("all", Listed([{"learning_rate": one} for one in rates]), PopulationBased(8, every=3))
    study = pretend(task, listed, score=rate, epochs=3 * 8 * 9)
    first = study.trials[study.trials["parent"].isna()]
    assert first["learning_rate"].tolist() == rates
    assert study.epochs == 3 * 8 * 9
    assert pretend(task, strategies.pbt(8, every=3), score=rate, trials=8).trials["parent"].isna().sum() == 8


def test_an_heir_of_a_network_that_had_stopped_early_goes_on(small):
    for trainer in (Stack(), KerasLoop()):
        member = hpt.training.Member({"units": 8, "patience": 1, "learning_rate": 0.5, "optimizer": "sgd"}, 1)
        run = trainer.start(small, [member])
        [before] = run.advance(60)
        assert before.stopped
        epochs = before.epochs
        run.keep(
            [0, 0], {1: hpt.training.Member({"units": 8, "patience": 1, "learning_rate": 0.01, "optimizer": "sgd"}, 2)}
        )
        stays, heir = run.advance(epochs + 4)
        assert stays.epochs == epochs
        assert heir.epochs > epochs


def test_an_heir_may_begin_with_momentum(small):
    for trainer in (Stack(), KerasLoop()):
        base = {"units": 8, "optimizer": "sgd"}
        run = trainer.start(small, [hpt.training.Member({**base, "momentum": 0.0}, 1)])
        run.advance(1)
        run.keep([0, 0], {1: hpt.training.Member({**base, "momentum": 0.9}, 2)})
        assert [one.status for one in run.advance(3)] == ["complete", "complete"]


def test_an_heir_keeps_the_conditions_of_its_space():
    space = hpt.Space(
        {"dropout": hpt.Choice(0.0, 0.2), "weight_decay": hpt.Float(1e-5, 1e-2, log=True).when(dropout=0.2)}
    )
    for seed in range(50):
        for parent in ({"dropout": 0.0}, {"dropout": 0.2, "weight_decay": 1e-3}):
            heir = PopulationBased().heir(space, parent, np.random.default_rng(seed))
            assert space.validate(heir) == heir


@pytest.mark.parametrize(("name", "size"), [("cmaes", 7), ("nsga2", 20)])
def test_a_generation_is_asked_for_as_far_as_it_goes_whatever_failed(long, name, size):
    """Optuna notes the generation on each trial. One that diverged is made up for, and no other is asked for."""
    space = hpt.Space({key: hpt.Float(1e-4, 1e-1, log=True) for key in ("learning_rate", "weight_decay", "momentum")})
    bad = iter([False] * 4 + [True] + [False] * 10**6)

    def score(member):
        return Progress("diverged", "nan") if next(bad) else rate(member)

    study = pretend(long.with_space(space), name, score=score, trials=1 + 5 * size)
    key = {"cmaes": "cma:generation", "nsga2": "NSGAIISampler:generation"}[name]
    done = [t.system_attrs[key] for t in study.record.trials if t.state.name == "COMPLETE" and key in t.system_attrs]
    counts = [done.count(generation) for generation in sorted(set(done))]
    assert counts[:4] == [size] * 4


# --- what a network answers


@pytest.mark.parametrize("trainer", [Stack(), KerasLoop()])
@pytest.mark.parametrize(
    "configuration",
    [
        {"units": (8, 4), "activation": ("tanh", "relu"), "batch_norm": True},
        {"layers": 1, "units": 8, "activation": "leaky_relu", "dropout": 0.3},
        {"layers": 2, "units": 8, "activation": "sigmoid", "patience": 1, "learning_rate": 0.3},
    ],
)
def test_outputs_are_those_of_the_keras_model(long, trainer, configuration):
    run = trainer.start(long, [hpt.training.Member(configuration, 1)])
    run.advance(4)
    x = long.arrays(0).x_validation
    outputs = run.outputs(0, x)
    assert outputs == pytest.approx(np.asarray(run.model(0)(x, training=False)), abs=1e-5)


def test_optunas_own_tools_read_the_record(long):
    study = pretend(long, "hyperband", score=rate)
    importance = optuna.importance.get_param_importances(study.record)
    assert set(importance) == set(long.space)
    assert isinstance(study.record.trials_dataframe(), pd.DataFrame)
