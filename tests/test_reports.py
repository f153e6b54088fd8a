"""A report trains winner and default in fresh pairs, opens the test part once, and says it all on one page."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

import hpt
from hpt.data import TestAlreadyOpened
from hpt.reports import ROW_MEANS, Difference, _drawn_rows
from hpt.training import Progress

from doubles import Pretend, pretend


@pytest.fixture
def small():
    """A task, and a short search of it."""
    task = hpt.task("wine", epochs=3, metrics=("log_loss", "accuracy"))
    return task, hpt.tune(task, "random", trials=3)


@pytest.fixture(scope="module")
def made():
    """A report on wine in three folds, its task and its study."""
    task = hpt.task("wine", epochs=2, folds=3)
    study = hpt.tune(task, "random", trials=4, seed=0)
    return hpt.report(task, study, repeats=4, seed=5, also={"wide": {"units": 200}}), task, study


def _of(report, network, rows="test"):
    return report.scores[(report.scores["network"] == network) & (report.scores["rows"] == rows)]


class Answering(Pretend):
    """A trainer whose networks give class 1 the probability that a function of member and number of rows says."""

    def __init__(self, answer, score=lambda m: 0.5):
        super().__init__(score)
        self.answer = answer

    def start(self, task, members):
        run = super().start(task, members)
        run.outputs = lambda position, x: self.answer(members[position], len(x))[:, None]
        return run


def _simulated(answer, repeats=20, **kwargs):
    task = hpt.task("breast_cancer", metrics=("accuracy",))
    return hpt.report(task, pretend(task, trials=2), repeats=repeats, trainer=Answering(answer), **kwargs)


def _pretended(repeats=4, score=lambda member: member.configuration.get("learning_rate", 0.5), **changes):
    """A report of networks that only pretend, made in no time."""
    task = replace(hpt.task("wine", epochs=2), **changes)
    study = hpt.tune(task, trials=3, trainer=Pretend(lambda member: 0.5))
    return hpt.report(task, study, repeats=repeats, trainer=Pretend(score))


def _errors(report, seeds, rows, name="rmse", shift=0.0):
    """The report with outputs of our own: errors that go with the rows, almost the same under every seed."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=rows)
    shared = rng.normal(size=(1, rows, 1))
    outputs = {
        network: y[:, None] + factor * shared + 0.01 * rng.normal(size=(seeds, rows, 1))
        for network, factor in (("default", 1.0), ("tuned", 1.0 + shift))
    }
    score = hpt.metrics.metric(name).score
    frames = [
        report.scores.iloc[:0].reindex(range(seeds)).assign(
            network=network, repeat=range(seeds), rows="test", **{name: score(y, out)}, status="complete"
        )
        for network, out in outputs.items()
    ]  # fmt: skip
    scores = pd.concat(frames, ignore_index=True)
    return replace(
        report, scores=scores, outputs=outputs, y_test=y, x_test=y[:, None], objective=name, _truth=y, _differences={}
    )


# --- pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folds", [1, 2])
def test_each_network_is_the_one_that_train_gives_for_its_seed(folds):
    task = hpt.task("wine", epochs=3, folds=folds, metrics=("log_loss",))
    study = hpt.tune(task, "random", trials=3)
    x, y = task.split.test._dataset.x[task.split.test._rows], task.split.test._dataset.y[task.split.test._rows]
    report = hpt.report(task, study, repeats=3)
    for row in report.scores.query("rows == 'validation'").to_dict("records"):
        configuration = {"default": {}, "tuned": study.best}[row["network"]]
        alone = hpt.train(task, configuration, seed=row["seed"], fold=row["fold"])
        # To float accuracy: in a stack it is padded, and its sums are added in another order.
        assert row["log_loss"] == pytest.approx(alone.metrics["log_loss"], rel=1e-4)
        test = hpt.metrics.metric("log_loss").score(y, alone.predict(x))
        own = report.scores.query("rows == 'test' and network == @row['network'] and repeat == @row['repeat']")
        assert own["log_loss"].item() == pytest.approx(test, rel=1e-4)
        assert np.allclose(report.outputs[row["network"]][row["repeat"]], alone.predict(x), atol=1e-4)
    assert report.scores["fold"].tolist() == [r % folds for _ in range(2) for r in range(3) for _ in range(2)]


def test_both_networks_of_a_pair_have_one_seed_and_it_is_none_of_the_searchs(small):
    task, study = small
    scores = hpt.report(task, study, repeats=4).scores
    assert (scores.groupby("repeat")["seed"].agg(np.ptp) == 0).all()
    assert scores["seed"].nunique() == 4
    assert not set(scores["seed"]) & set(study.trials["seed"])


def test_the_test_part_is_opened_once(small):
    task, study = small
    hpt.report(task, study, repeats=2)
    with pytest.raises(TestAlreadyOpened):
        hpt.report(task, study, repeats=2)


def test_a_second_report_fails_before_it_trains(small):
    task, study = small
    task.split.test.open()
    asked = []
    with pytest.raises(TestAlreadyOpened):
        hpt.report(task, study, trainer=Pretend(lambda m: 0.5, asked))
    assert asked == []


def test_an_autoencoder_is_judged_on_its_scaled_inputs():
    task = hpt.task("digits_autoencoder", epochs=1)
    report = hpt.report(task, hpt.tune(task, "random", trials=2), repeats=2)
    scaled = task.arrays().transform(report.x_test)
    error = np.mean((scaled - report.outputs["tuned"][1]) ** 2)
    row = report.scores.query("rows == 'test' and network == 'tuned' and repeat == 1")
    assert row["mse"].item() == pytest.approx(error, rel=1e-5)


def test_a_number_is_answered_in_the_units_of_the_data():
    task = hpt.task("diabetes", epochs=5)
    report = hpt.report(task, hpt.tune(task, "random", trials=2), repeats=2)
    assert 50 < report.outputs["default"].mean() < 250  # the targets are 25 to 346
    assert report.y_test.shape == report.outputs["default"].shape[1:2]


def test_a_keras_model_of_the_report_gives_its_answers(small):
    task, study = small
    report = hpt.report(task, study, repeats=2)
    answers = report.model("tuned", 1)(task.arrays().transform(report.x_test), training=False)
    assert np.allclose(answers, report.outputs["tuned"][1], atol=1e-5)


def test_test_scores_are_scikit_learns(made):
    report = made[0]
    for _, row in _of(report, "tuned").iterrows():
        decided = report.outputs["tuned"][row["repeat"]].argmax(axis=1)
        assert row["accuracy"] == pytest.approx(accuracy_score(report.y_test, decided))
        assert row["f1"] == pytest.approx(f1_score(report.y_test, decided, average="macro"))


def test_a_configuration_says_how_long_it_trains():
    task, seen = hpt.task("wine", epochs=2), []
    study = hpt.tune(task, trials=1, trainer=Pretend(lambda member: 0.5))
    hpt.report(task, study, repeats=2, configuration={"epochs": 7}, trainer=Pretend(lambda member: 0.5, seen))
    assert seen == [2, 7]


def test_a_length_in_the_defaults_is_trained_and_shown():
    task, seen = hpt.task("wine", epochs=5, defaults={"epochs": 2}), []
    study = pretend(task, trials=1)
    report = hpt.report(task, study, repeats=2, trainer=Pretend(lambda member: 0.5, seen))
    assert seen == [2, 2]
    assert report.configurations["tuned"]["epochs"] == 2


def test_the_patience_of_a_search_is_in_all_networks_of_its_report():
    task = hpt.task("wine", epochs=40, metrics=("log_loss",))
    study = hpt.tune(task, "random", trials=3, patience=1, seed=1)
    report = hpt.report(task, study, repeats=2, also={"fast": {"learning_rate": 0.03}})
    assert report.configurations["tuned"] == {"patience": 1, **study.best}
    assert report.facts["report epochs"] < 6 * 40
    networks = {"default": {}, "tuned": study.best, "fast": {"learning_rate": 0.03}}
    for row in report.scores.query("rows == 'validation'").to_dict("records"):
        alone = hpt.train(task, {**networks[row["network"]], "patience": 1}, seed=row["seed"])
        assert row["log_loss"] == pytest.approx(alone.metrics["log_loss"], rel=1e-3)


def test_a_patience_of_the_configuration_goes_before_that_of_the_search():
    task = hpt.task("wine", epochs=2)
    study = pretend(task, trials=2, patience=3)
    report = hpt.report(
        task, study, repeats=2, configuration={**study.best, "patience": 7}, trainer=Pretend(lambda m: 0)
    )
    assert report.configurations["tuned"]["patience"] == 7
    assert report.facts["search score"] == study.best_score  # patience was not searched, so it is not compared


def test_a_trial_that_was_stopped_early_has_no_score_of_the_search():
    task = hpt.task("wine", epochs=9)
    study = pretend(task, "hyperband")
    scores = {}
    for status in ("pruned", "complete"):
        trial = int(study.trials.query("status == @status")["number"].iloc[0])
        own = hpt.task("wine", epochs=9)
        report = hpt.report(
            own, study, repeats=2, configuration=study.configurations[trial], trainer=Pretend(lambda m: 0.5)
        )
        scores[status] = report.facts["search score"], study.trials["score"].iloc[trial]
    assert scores["pruned"][0] is None and np.isfinite(scores["pruned"][1])
    assert scores["complete"][0] == scores["complete"][1]


def _own(lr=0.02, batch_size=8, neurons=5):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("build", "searched", "known"),
    [
        (hpt.networks.mlp, ("learning_rate", "layers"), {"learning_rate": 1e-3, "layers": 2}),
        (lambda configuration, shape: None, ("learning_rate", "batch_size"), {"batch_size": 32}),  # the loop reads it
    ],
)
def test_the_default_is_what_is_known_of_its_builder(build, searched, known):
    for keras in (False, True):
        space, split = hpt.search_space(*searched), hpt.task("wine").split
        task = hpt.Task("wine", split, build, space, ("accuracy",), epochs=2)
        task = hpt.Task.from_keras(build, split, space, epochs=2) if keras else task
        report = hpt.report(task, pretend(task, trials=2), repeats=2, trainer=Pretend(lambda m: 0.5))
        assert report.configurations["default"] == known


def test_the_default_of_a_function_is_its_own():
    space = hpt.Space({"lr": hpt.Float(1e-3, 1e-1), "neurons": hpt.Int(2, 9), "epochs": hpt.Int(1, 3)})
    task = hpt.Task.from_keras(_own, hpt.load("wine"), space, epochs=2)
    study = pretend(task, trials=2, score=lambda m: m.configuration["lr"])
    report = hpt.report(task, study, repeats=2, trainer=Pretend(lambda m: 0.5))
    assert report.configurations["default"] == {"epochs": 2, "lr": 0.02, "neurons": 5}


def test_a_configuration_may_replace_the_winner(made):
    task = hpt.task("wine", epochs=1)
    study = hpt.tune(task, trials=3, trainer=Pretend(lambda member: member.configuration["learning_rate"]))
    other = next(i for i in range(3) if i != study.best_trial)
    report = hpt.report(
        task, study, repeats=2, configuration=study.configurations[other], trainer=Pretend(lambda m: 0.5)
    )
    assert report.configurations["tuned"] == task.configuration(study.configurations[other])
    assert report.facts["search score"] == study.trials["score"].iloc[other]
    foreign = hpt.report(
        hpt.task("wine", epochs=1), study, repeats=2, configuration={"units": 3}, trainer=Pretend(lambda m: 0.5)
    )
    assert "the search did not try this configuration" in " ".join(str(foreign).split())


def test_baselines_stand_beside_the_networks(made):
    report, task, _ = made
    found = report.baselines.set_index(["baseline", "rows"])
    folds = [hpt.baseline(task, fold=fold) for fold in range(3)]
    for name in ("majority class", "logistic regression"):
        mean = np.mean([fold.loc[name, "log_loss"] for fold in folds])
        assert found.loc[(name, "validation"), "log_loss"] == pytest.approx(mean)
    truth = np.bincount(report.y_test).max() / len(report.y_test)
    assert found.loc[("majority class", "test"), "accuracy"] == pytest.approx(truth)


# --- differences --------------------------------------------------------------------------------------


def test_the_interval_over_seeds_is_students(small):
    task, study = small
    report = hpt.report(task, study, repeats=5)
    for rows in ("validation", "test"):
        wide = report.scores.query("rows == @rows").pivot_table(index="repeat", columns="network", values="log_loss")
        pairs = wide["tuned"] - wide["default"]
        known = stats.ttest_1samp(pairs, 0).confidence_interval(0.95)
        assert report.difference(rows=rows).seeds == pytest.approx((pairs.mean(), *known))


def test_a_network_against_itself_is_no_difference(small):
    task, study = small
    report = hpt.report(task, study, repeats=3, configuration={}, also={"twin": {}})
    for name in ("tuned", "twin"):
        found = report.difference(network=name)
        assert (*found.seeds, *found.rows) == pytest.approx((0,) * 6, abs=1e-6)
        assert found.verdict == "no difference shown"


def _better_by_luck(rng_rows):
    """Networks that are right on 90 rows of 114, the tuned on 95, the same rows whatever the seed."""

    def answer(member, count):
        right = np.arange(count) < (90 if member.configuration == {} else 95)
        return np.where(right == (rng_rows == 1), 0.9, 0.1)

    return answer


def test_rows_that_all_seeds_agree_on_widen_the_interval_over_rows_only():
    task = hpt.task("breast_cancer", metrics=("accuracy",))
    y = task.dataset.y[task.split.test._rows]
    report = _simulated(_better_by_luck(y))
    found = report.difference()
    assert found.seeds == pytest.approx((5 / 114, 5 / 114, 5 / 114))
    assert found.rows.mean == found.seeds.mean
    # The difference is a mean of 114 numbers, five of them 1 and the others 0: a binomial share.
    spread = np.sqrt(5 / 114 * (1 - 5 / 114) / 114)
    assert found.rows.high - found.rows.low == pytest.approx(2 * 1.96 * spread, rel=0.25)
    assert found.verdict == "better"


@pytest.mark.parametrize(
    ("repeats", "wrong", "clear"),
    [
        # Three seeds of which two agree: a bootstrap of so few is narrow, Student's t is not.
        (3, lambda seed: 20 + seed % 19, (False, True)),
        (20, lambda seed: 20 + seed % 19, (True, True)),
        # Two rows of 114, whatever the seed: of rows drawn anew, neither is among every seventh, (112 / 114) ** 114.
        (20, lambda seed: 38, (True, False)),
    ],
)
def test_a_verdict_wants_both_intervals_to_leave_out_0(repeats, wrong, clear):
    task = hpt.task("breast_cancer", metrics=("accuracy",))
    y = task.dataset.y[task.split.test._rows]

    def answer(member, count):
        mistakes = 40 if member.configuration == {} else wrong(member.seed)
        return np.where((np.arange(count) >= mistakes) == (y == 1), 0.9, 0.1)

    found = _simulated(answer, repeats=repeats).difference()
    assert (found.seeds.low > 0, found.rows.low > 0) == clear
    assert found.verdict == ("better" if all(clear) else "no difference shown")


def _of_few_rows(y):
    """A report on a few test rows, judged by a score that wants both classes."""
    task = hpt.task("breast_cancer", metrics=("roc_auc",))
    noise = Answering(lambda member, count: np.random.default_rng(member.seed).random(count))
    report = hpt.report(task, pretend(task, trials=2), repeats=5, trainer=noise)
    outputs = {name: one[:, : len(y)] for name, one in report.outputs.items()}
    return replace(report, outputs=outputs, x_test=report.x_test[: len(y)], _truth=np.array(y), _differences={})


def test_resamples_without_a_score_are_counted_and_said(made):
    report = _of_few_rows([0, 0, 0, 0, 0, 1])
    found, share = report.difference(), (5 / 6) ** 6  # the one row of its class is not drawn
    assert found.left_out / 1000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 1000))
    assert np.isfinite(found.rows).all()
    said = f"{found.left_out} of 1,000 resamples left out, for they have no roc_auc"
    assert said in " ".join(str(report).split())
    for page in (report.to_markdown(), report.to_html()):
        assert said in page
    assert made[0].difference("log_loss").left_out == 0
    assert "left out, for" not in " ".join(str(made[0]).split())


def test_without_a_resample_that_has_a_score_nothing_is_shown():
    found = _of_few_rows([1] * 6).difference()
    assert (found.left_out, found.verdict) == (1000, "no difference shown")
    assert np.isnan(found.rows[1:]).all()


def test_the_verdict_knows_which_way_is_up():
    def answer(member, count):
        noise = np.random.default_rng(member.seed).normal(0, 0.01, count)
        return (0.3 if member.configuration == {} else 0.4) + noise

    task = hpt.task("breast_cancer", metrics=("log_loss",))
    report = hpt.report(task, pretend(task, trials=2), trainer=Answering(answer))
    # 63 % of the rows are class 1: 0.4 is nearer to them than 0.3, so the loss is smaller.
    assert (report.difference().seeds.mean < 0, report.difference().verdict) == (True, "better")
    assert report.difference(network="default", over="tuned").verdict == "worse"


def test_rows_of_a_series_are_drawn_in_blocks():
    draws = np.random.default_rng(0)
    rows = _drawn_rows(draws, 100, 12)
    assert len(rows) == 100
    assert (np.diff(rows).reshape(-1)[np.arange(99) % 12 != 11] == 1).all()
    assert _drawn_rows(draws, 5, 12).tolist() == [0, 1, 2, 3, 4]
    counts = np.bincount(np.concatenate([_drawn_rows(draws, 10, 1) for _ in range(3000)]), minlength=10)
    assert counts / 3000 == pytest.approx(np.ones(10), abs=0.1)  # five standard errors


def test_equal_configurations_differ_by_exactly_zero():
    task = hpt.task("wine", epochs=2)
    study = hpt.tune(task, trials=1)
    report = hpt.report(task, study, repeats=3, configuration=task.configuration({}))
    for name in task.metrics:
        assert report.difference(name) == Difference(name, (0, 0, 0), (0, 0, 0), "no difference shown")


def test_over_rows_alone_the_interval_is_scipys_bootstrap():
    """With equal seeds only the rows vary. To 15 %: what two bootstraps of 1000 resamples may differ by."""
    report = _errors(_pretended(), seeds=3, rows=60, name="mae", shift=0.3)
    same = {name: np.repeat(out[:1], 3, axis=0) for name, out in report.outputs.items()}
    report = replace(report, outputs=same, _differences={})
    errors = [np.abs(report.outputs[name][0, :, 0] - report.y_test) for name in ("tuned", "default")]
    theirs = stats.bootstrap((errors[0] - errors[1],), np.mean, method="percentile", n_resamples=1000, rng=0)
    ours = report.difference().rows
    assert ours.high - ours.low == pytest.approx(np.ptp(theirs.confidence_interval), rel=0.15)


def test_metrics_that_are_means_over_rows_are_and_the_others_are_not():
    rng = np.random.default_rng(0)
    y, shares = rng.integers(0, 7, 30), rng.dirichlet(np.ones(7), (2, 30))
    numbers, guesses = rng.normal(size=(30, 7)), rng.normal(size=(2, 30, 7))
    for name, metric in hpt.metrics.METRICS.items():
        of_classes = name in ("accuracy", "top_5_accuracy", "f1", "roc_auc", "log_loss")
        truth, outputs = (y, shares) if of_classes else (numbers, guesses)
        alone = metric.score(truth[:, None], outputs[:, :, None])
        assert np.allclose(alone.mean(axis=1), metric.score(truth, outputs)) == (name in ROW_MEANS), name


@pytest.mark.parametrize("name", ["accuracy", "log_loss"])
def test_means_over_rows_give_the_interval_that_judging_anew_gives(made, name, monkeypatch):
    quick = replace(made[0], _differences={}).difference(name)
    monkeypatch.setattr("hpt.reports.ROW_MEANS", frozenset())
    slow = replace(made[0], _differences={}).difference(name)
    assert quick.rows == pytest.approx(slow.rows)


def test_validation_rows_know_the_seeds_only(made):
    gain = made[0].difference(rows="validation")
    assert gain.rows == gain.seeds


def test_further_configurations_can_be_held_against_the_winner(made):
    report = made[0]
    there, back = report.difference(network="wide", over="tuned"), report.difference(network="tuned", over="wide")
    assert there.seeds.mean == pytest.approx(-back.seeds.mean)


# --- what goes wrong ----------------------------------------------------------------------------------


def test_a_lost_network_is_a_row_with_a_reason_and_its_pair_is_left_out():
    def score(member):
        bad = "tuned" in member.configuration and member.seed % 3 == 0
        return Progress("diverged", "the training loss became nan", stopped=True) if bad else 0.5

    task = hpt.task("breast_cancer", metrics=("accuracy",))
    trainer = Answering(lambda member, count: np.full(count, 0.6), score)
    report = hpt.report(task, pretend(task, trials=2), repeats=8, configuration={"tuned": 1}, trainer=trainer)
    gone = report.scores.query("status == 'diverged'")
    assert 0 < len(gone) < 16
    assert set(gone["network"]) == {"tuned"}
    assert gone["accuracy"].isna().all()
    assert f"{len(gone) // 2} of 16 networks diverged or failed" in " ".join(str(report).split())
    assert np.isnan(report.outputs["tuned"]).any(axis=(1, 2)).sum() == len(gone) // 2
    with pytest.raises(hpt.InvalidInput, match="diverged: the training loss became nan"):
        report.model(gone["network"].iloc[0], int(gone["repeat"].iloc[0]))


def test_a_page_without_a_whole_pair_still_says_the_rest():
    def score(member):
        return Progress("diverged", "loss was nan") if member.configuration.get("units") else 0.5

    report = _pretended(score=score)
    assert (_of(report, "tuned")["status"] == "diverged").all()
    assert _of(report, "tuned")[["accuracy", "log_loss"]].isna().all(axis=None)
    assert np.isnan(report.outputs["tuned"]).all()
    assert "4 of 8 networks diverged or failed" in str(report).replace("\n", " ")
    assert "an interval needs two repeats" in str(report)
    with pytest.raises(hpt.InvalidInput, match="this network diverged: loss was nan"):
        report.model("tuned", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeats": 1}, "whole number of at least 2, for an interval, got 1"),
        ({"also": {"tuned": {}}}, "call the further configurations otherwise"),
        ({"confidence": 95}, "share between 0 and 1, such as 0.95, got 95"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_it_opens_anything(small, change, message):
    task, study = small
    with pytest.raises(hpt.InvalidInput, match=message):
        hpt.report(task, study, **change)
    assert task.split.test.opened is None


def test_a_study_of_another_task_is_refused(small):
    with pytest.raises(hpt.InvalidInput, match="this study tuned 'wine', and the task is 'digits'"):
        hpt.report(hpt.task("digits"), small[1])


def test_a_study_of_another_split_or_of_other_data_is_refused(small):
    x = small[0].dataset.x.copy()
    x[0, 0] += 1
    other = replace(small[0], split=hpt.holdout(replace(small[0].dataset, x=x)))
    for task in (hpt.task("wine", seed=1), hpt.task("wine", folds=3, seed=1), other):
        with pytest.raises(
            hpt.InvalidInput, match="may have trained on rows of this test part: report on the task that"
        ):
            hpt.report(task, small[1])
        assert task.split.test.opened is None


def test_a_study_on_other_folds_of_the_same_rows_is_taken(small):
    task = hpt.task("wine", epochs=2, folds=2)
    assert set(task.split.test._rows) == set(small[0].split.test._rows)
    assert len(hpt.report(task, small[1], repeats=2, trainer=Pretend(lambda m: 0.5)).scores) == 8


def test_a_baseline_that_fails_does_so_while_the_test_part_is_closed(small, monkeypatch):
    task, study = small
    short = {"short": lambda arrays, settings, outputs: lambda x: np.zeros((len(x) - 1, outputs))}
    monkeypatch.setitem(hpt.baselines.BASELINES, "multiclass", short)
    asked = []
    with pytest.raises(hpt.InvalidInput, match="outputs have shape"):
        hpt.report(task, study, repeats=2, trainer=Pretend(lambda m: 0.5, asked))
    assert (task.split.test.opened, asked) == (None, [])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda report: report.difference("acuracy"), "did you mean 'accuracy'"),
        (lambda report: report.difference(rows="tst"), "did you mean 'test'"),
        (lambda report: report.difference(network="tunde"), "did you mean 'tuned'"),
        (lambda report: report.model("tuned", 2), "repeat must be 0 to 1, got 2"),
    ],
)
def test_what_a_report_does_not_have_is_named(small, call, message):
    report = hpt.report(*small, repeats=2)
    with pytest.raises((hpt.UnknownName, hpt.InvalidInput), match=message):
        call(report)


# --- one page -----------------------------------------------------------------------------------------


class _Reader(HTMLParser):
    """Collects the text of a page, and sees that every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_three_forms_state_the_same(small):
    task, study = small
    report = hpt.report(task, study, repeats=2)
    for varies in (True, False):
        text, markdown = " ".join(report.to_text(varies).split()), report.to_markdown(varies)
        for page in (False, True):
            reader = _Reader()
            reader.feed(report.to_html(varies, page=page))
            assert reader.open == []
            shown = " ".join(reader.text)
            for heading, rows in report.sections(varies):
                for part in (heading, *(cell for row in rows for cell in row)):
                    assert " ".join(part.split()) in text
                    assert part in markdown
                    assert part in shown
    assert max(map(len, report.to_text().splitlines())) <= 72


def _rows(markdown):
    """The cells of each line of a Markdown table."""
    return [
        [cell.strip().replace("\\|", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]


def test_markdown_is_tables_of_two_columns(made):
    rows = _rows(made[0].to_markdown())
    assert {len(row) for row in rows} == {2}
    assert rows[1] == ["---", "---"]


def test_what_varies_can_be_left_out(made):
    report = made[0]
    later = replace(
        report, facts={**report.facts, "search seconds": 1e6, "report seconds": 1e6, "versions": {"keras": "99"}}
    )
    assert later.to_markdown() != report.to_markdown()
    for form in ("to_markdown", "to_text", "to_html"):
        assert getattr(later, form)(varies=False) == getattr(report, form)(varies=False)


def test_a_page_states_what_a_reader_asks(small):
    task, study = small
    text = " ".join(str(hpt.report(task, study, repeats=2)).split())
    score = f"{study.best_score:.4g} log_loss on validation rows: the best of many, so optimistic"
    for wanted in (score, "random, 3 trials, seed 0", "9 epochs", "12 epochs", "logistic regression", "majority class",
                   "36 rows, opened once", "keras", "2 fresh seeds", "the default layers 2, units 64"):  # fmt: skip
        assert wanted in text


def test_without_what_varies_a_page_is_the_same_every_time():
    pages = []
    for _ in range(2):
        task = hpt.task("wine", epochs=2)
        pages.append(hpt.report(task, hpt.tune(task, "random", trials=2), repeats=2).to_markdown(varies=False))
    assert pages[0] == pages[1]
    assert "keras" not in pages[0]


def test_a_name_is_text_and_not_code(small):
    task, study = small
    name = "<script>alert(1)</script> | a"
    evil = replace(hpt.report(task, study, repeats=2), task=name)
    for page in (evil.to_html(), evil.to_html(page=True)):
        reader = _Reader()
        reader.feed(page)
        assert "script" not in reader.tags
        assert f"Report on {name!r}" in reader.text
    assert "<script>" not in evil.to_markdown()
    assert "\\|" in evil.to_markdown()
