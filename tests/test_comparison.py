"""A comparison is many searches in lockstep, each the search that it would be alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import hpt
from hpt import strategies
from hpt.comparison import run_in_lockstep
from hpt.data import Split
from hpt.evidence import Interval
from hpt.metrics import metric
from hpt.search import Search
from hpt.seeds import derive
from hpt.strategies import Strategy
from hpt.training.stack import Stack

from doubles import Pretend

NAMES = ["random", "tpe", "hyperband", "pbt"]


@pytest.fixture(scope="module")
def task():
    wine = hpt.task("wine", epochs=9)
    return wine.with_space(hpt.search_space("learning_rate", "units", "dropout", units=hpt.Int(4, 16)))


@pytest.fixture(scope="module")
def compared(task):
    return hpt.compare(task, ["random", strategies.tpe(startup=3), "hyperband", strategies.pbt(6)], epochs=90,
                       repeats=3, seed=1)  # fmt: skip


def test_each_strategy_searches_every_repeat_within_its_budget(compared):
    assert compared.strategies == NAMES
    assert compared.repeats == 3
    assert set(compared.studies) == {(name, repeat) for name in NAMES for repeat in range(3)}
    final = compared.final().set_index("strategy")["spent"]
    assert final.loc["random"].tolist() == [90] * 3
    assert final.loc["hyperband"].tolist() == [90] * 3  # 69, and a bracket of 21
    assert final.loc["pbt"].tolist() == [54] * 3
    assert "4 strategies × 3 repeats" in repr(compared)


def test_a_search_in_lockstep_is_the_search_alone(compared, task):
    """Same draws, same folds, same seeds; the scores agree to float accuracy, since stacks differ."""
    for repeat in range(2):
        split = hpt.holdout(task.dataset, seed=derive(1, "split", repeat))
        alone = replace(task, split=split)
        for name in ("random", "hyperband"):
            study = compared.studies[name, repeat]
            own = hpt.tune(alone, name, epochs=90, seed=derive(1, "repeat", repeat))
            assert list(own.configurations) == list(study.configurations)
            assert own.trials["log_loss"].to_numpy() == pytest.approx(study.trials["log_loss"].to_numpy(), rel=1e-3)


def test_repeats_are_paired(compared):
    """Random search and Hyperband draw the same configurations, in every repeat others."""
    for repeat in range(3):
        first = [compared.studies[name, repeat].configurations[0] for name in ("random", "hyperband")]
        assert first[0] == first[1]
    assert compared.studies["random", 0].configurations[0] != compared.studies["random", 1].configurations[0]


def test_the_test_score_is_that_of_the_network_on_rows_that_no_search_saw(compared, task):
    """Trained again alone, the winner answers the test rows as the comparison says."""
    final = compared.final().set_index(["strategy", "repeat"])
    split = hpt.holdout(task.dataset, seed=derive(1, "split", 0))
    alone = replace(task, split=split)
    study = compared.studies["random", 0]
    best = compared.judgements.query("strategy == 'random' and repeat == 0 and best").iloc[-1]
    again = hpt.train(
        alone, study.configurations[int(best["trial"])], seed=int(study.trials.loc[best["trial"], "seed"])
    )
    x, y = split.test.open()
    assert metric("accuracy").score(y, again.predict(x)) == pytest.approx(final.loc[("random", 0), "test"], abs=0.03)
    assert again.metrics["accuracy"] == pytest.approx(final.loc[("random", 0), "score"], abs=0.03)


def test_anytime_curves_never_fall_on_validation(compared):
    curves = compared.anytime([0, 9, 30, 60, 90])
    assert curves.query("spent == 0")["score"].isna().all()
    for _, one in curves.groupby(["strategy", "repeat"]):
        scores = one["score"].dropna().to_numpy()
        assert (np.diff(scores) >= 0).all()
    last = curves.query("spent == 90").set_index(["strategy", "repeat"])["score"]
    assert last.equals(compared.final().set_index(["strategy", "repeat"])["score"])
    assert compared.anytime([90], "test")["test"].between(0, 1).all()


def test_ranks_share_and_sum(compared):
    ranks = compared.ranks()
    assert ranks.shape == (3, 4)
    assert ranks.sum(axis=1).tolist() == [10.0] * 3


def test_gains_are_paired_differences_with_students_interval(compared):
    from scipy import stats

    wide = compared.final().pivot_table(index="repeat", columns="strategy", values="test")
    gains = compared.gains("random", "test", confidence=0.9).set_index("strategy")
    assert gains.index.tolist() == ["tpe", "hyperband", "pbt"]
    for name in gains.index:
        difference = wide[name] - wide["random"]
        half = stats.t.ppf(0.95, 2) * difference.std(ddof=1) / np.sqrt(3)
        assert gains.loc[name, "gain"] == pytest.approx(difference.mean())
        assert gains.loc[name, "high"] - gains.loc[name, "gain"] == pytest.approx(half)
    with pytest.raises(hpt.UnknownName, match="'rondom'"):
        compared.gains("rondom")


def test_the_interval_of_the_gain_covers_the_truth_as_often_as_it_says(task):
    """A trainer whose scores are drawn: the true gain is 0.1. 95 % of 300 intervals, 4 standard errors below."""
    rng, covered = np.random.default_rng(0), 0
    truth = replace(hpt.compare(task, ["random", "sobol"], epochs=9, repeats=20, trainer=Pretend(lambda m: 0.5)))
    for _ in range(300):
        frame = truth.judgements.assign(score=rng.normal(0, 1, 40))
        frame.loc[frame["strategy"] == "sobol", "score"] += 0.1
        row = replace(truth, judgements=frame).gains().iloc[0]
        covered += row["low"] <= 0.1 <= row["high"]
    assert covered / 300 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 300)


def test_epochs_to_a_target(compared):
    best = compared.final().query("strategy == 'random'").set_index("repeat")["score"].to_dict()
    reached = compared.epochs_to(best).set_index(["strategy", "repeat"])["spent"]
    for repeat in range(3):
        rungs = compared.studies["random", repeat].rungs
        assert reached["random", repeat] == rungs.loc[rungs["score"].idxmax(), "spent"]
    assert compared.epochs_to(2.0)["spent"].isna().all()


def test_budgets_can_differ_by_name(task):
    twice = Strategy("random_twice", strategies.random().sampler)
    found = hpt.compare(task, ["random", twice], epochs={"random": 18, "random_twice": 36}, repeats=2,
                        trainer=Pretend(lambda m: m.configuration["learning_rate"]))  # fmt: skip
    assert found.final()["trials"].tolist() == [2, 2, 4, 4]


def test_smaller_is_better_where_the_metric_says_so():
    task = hpt.task("diabetes", epochs=2)
    found = hpt.compare(task, ["random", "sobol"], epochs=12, repeats=2)
    curves = found.anytime([2, 6, 12]).groupby(["strategy", "repeat"])["score"]
    assert all((np.diff(one) <= 0).all() for _, one in curves)
    wide = found.final().pivot_table(index="repeat", columns="strategy", values="score")
    better = wide["random"] < wide["sobol"]
    assert (found.ranks()["random"] == 1).tolist() == better.tolist()


@pytest.mark.parametrize("name", ["digits_autoencoder", "co2"])
def test_other_problems_have_test_scores_too(name):
    task = hpt.task(name, epochs=1)
    found = hpt.compare(task, ["random"], epochs=2, repeats=2)
    final = found.final()
    assert np.isfinite(final[["score", "test"]].to_numpy()).all()
    assert final["test"].to_numpy() == pytest.approx(final["score"].to_numpy(), rel=0.5)


def test_lockstep_trains_what_all_wait_for_in_one_go(task):
    """Three random searches of one round each: one call of the trainer for all of them."""
    rounds = []

    class Counted(Stack):
        def advance(self, waiting):
            rounds.append(len(waiting))
            super().advance(waiting)

    trainer = Counted()
    searches = [Search(task, strategies.random(), trainer, seed, epochs=27) for seed in range(3)]
    run_in_lockstep(searches, trainer)
    assert rounds[0] == 3
    assert sum(rounds) == 3
    assert all(len(search.rows) == 3 for search in searches)


def test_a_strategy_that_only_fails_leaves_rows_without_a_score(task):
    from hpt.training import Progress

    found = hpt.compare(task, ["random", "hyperband"], epochs=69, repeats=2,
                        trainer=Pretend(lambda m: Progress("failed", "ValueError: no")))  # fmt: skip
    assert not found.judgements["best"].any()
    assert found.anytime([69])["score"].isna().all()
    assert found.final()["score"].isna().all()
    assert found.final()["spent"].tolist() == [63, 63, 51, 51]  # rungs that began are charged in full
    assert found.ranks().to_numpy().tolist() == [[1.5, 1.5]] * 2


def test_ctrl_c_keeps_what_was_judged(task):
    calls = []

    def score(member):
        calls.append(member)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return 0.5

    found = hpt.compare(task, [strategies.tpe(startup=2)], epochs=90, repeats=4, trainer=Pretend(score))
    assert found.interrupted
    assert "this is what there is" in repr(found)
    assert found.final()["score"].tolist() == [0.5] * 4
    statuses = [status for study in found.studies.values() for status in study.trials["status"]]
    assert statuses.count("interrupted") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategies": []}, "needs strategies"),
        ({"strategies": ["random", "random"]}, "each name once"),
        ({"repeats": 0}, "repeats must be"),
        ({"epochs": 8}, "random needs a budget of at least 9 epochs here, got 8"),
        ({"strategies": ["rondom"]}, "did you mean 'random'"),
        ({"epochs": {"rendom": 18}}, "must name each strategy once, random, got rendom"),
    ],
)
def test_bad_input_gets_one_line(task, arguments, message):
    given = {"strategies": ["random"], "epochs": 18, "repeats": 2} | arguments
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message):
        hpt.compare(task, given.pop("strategies"), **given)


def test_the_split_of_a_comparison_has_no_test_rows_of_its_own(task):
    repeated, tests = task.resplit(2, 0)
    assert isinstance(repeated.split, Split)
    assert len(repeated.split.test) == 0
    for fold, test in zip(repeated.split.folds, tests, strict=True):
        x, _ = test.open()
        seen = np.concatenate([fold.train, fold.validation])
        assert len(seen) + len(x) == len(task.dataset)
        assert not pd.DataFrame(x).merge(pd.DataFrame(task.dataset.x[seen])).shape[0] > 2  # equal rows of the data


NAN = float("nan")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(-1, 1, "none"), (0, 1, "none"), (-1, 0, "none"), (0, 0, "none"), (1, 2, "above"), (3, 3, "above"),
     (-2, -1, "below"), (-3, -3, "below"), (NAN, NAN, "none"), (NAN, 1, "none"), (1, NAN, "none"),
     (NAN, -1, "none"), (-1, NAN, "none")],
)  # fmt: skip
def test_an_interval_lies_above_or_below_0_only_where_both_its_ends_do(low, high, word):
    assert Interval(0.0, low, high).against("none", "below", "above") == word
