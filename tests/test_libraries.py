"""Libraries as a whole: the table, the objective, Optuna, and repeats that train together."""

import signal
import threading
import time
from dataclasses import replace

import numpy as np
import optuna
import pytest

import hpt
from hpt import libraries
from hpt.libraries import LIBRARIES, with_optuna
from hpt.libraries.objective import Objective
from hpt.libraries.together import Together
from hpt.search import members
from hpt.seeds import derive
from hpt.training import Progress

from doubles import Pretend

PLANE = hpt.Space({"a": hpt.Float(0, 1), "b": hpt.Float(0, 1)})
BAD = Progress("diverged", "the loss became nan", stopped=True)
CHEAP = {"sklearn_grid": {"points": 2}}
QUICK = [
    "sklearn_grid",
    "sklearn_random",
    "optuna",
    "optuna_median",
    "optuna_hyperband",
    "hyperopt",
    "keras_tuner_random",
]


def bowl(member):
    return -((member.configuration["a"] - 0.3) ** 2) - (member.configuration["b"] - 0.6) ** 2


@pytest.fixture
def toy(wine):
    return wine.with_space(PLANE)


# --- the table


def test_every_row_names_a_function_that_is_there():
    from importlib import import_module

    for name, row in LIBRARIES.items():
        module, function = row.home.split(".")
        assert callable(getattr(import_module(f"hpt.libraries.{module}"), function)), name


def test_every_extra_is_one_of_the_package():
    from importlib.metadata import metadata

    extras = metadata("hpt").get_all("Provides-Extra")
    assert {row.extra for row in LIBRARIES.values() if row.extra} <= set(extras)
    assert "libraries" in extras


def test_a_library_that_is_not_installed_says_how_to_install_it(toy, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "hyperopt", None)
    with pytest.raises(hpt.errors.MissingExtra, match=r"pip install 'hpt\[hyperopt\]'"):
        libraries.tune(toy, "hyperopt", trials=1)


def test_what_cannot_be_is_refused(toy):
    with pytest.raises(hpt.UnknownName, match="did you mean 'optuna'"):
        libraries.tune(toy, "optunna")
    with pytest.raises(hpt.InvalidInput, match="needs a Task"):
        libraries.tune("wine", "optuna")
    with pytest.raises(hpt.InvalidInput, match="trials must be a whole number of at least 1, got 0"):
        libraries.tune(toy, "optuna", trials=0)
    with pytest.raises(hpt.InvalidInput, match="processes of its own"):
        libraries.compare(toy, ["ray_asha"])
    costly = hpt.task("wine", costs=("units",))
    with pytest.raises(hpt.InvalidInput, match="has costs beside it"):
        libraries.tune(costly, "optuna")


@pytest.mark.parametrize("library", QUICK)
def test_every_library_gives_a_study_of_the_task(toy, library):
    study = libraries.tune(toy, library, trials=4, seed=1, trainer=Pretend(bowl), **CHEAP.get(library, {}))
    assert (study.task, study.strategy, study.seed, study.objective) == ("wine", library, 1, "accuracy")
    assert len(study.trials) == 4
    for configuration in study.configurations:
        PLANE.validate(configuration)
    best = max(study.configurations, key=lambda one: -((one["a"] - 0.3) ** 2) - (one["b"] - 0.6) ** 2)
    assert study.best == best


# --- the objective


def test_trial_i_has_the_seeds_of_trial_i_of_tune(wine):
    seen = []

    class Watching(Pretend):
        def start(self, task, members):
            seen.extend(members)
            return super().start(task, members)

    objective = Objective(wine.with_space(PLANE), "by hand", 5, Watching(bowl))
    point = {"a": 0.2, "b": 0.1}
    objective(point)
    objective(point)
    assert seen == [one for i in range(2) for one in members(point, derive(5, "train", i), 1)]


def test_a_loss_is_small_where_the_score_is_large(toy):
    objective = Objective(toy, "by hand", trainer=Pretend(bowl))
    assert objective({"a": 0.3, "b": 0.6}) == 0
    assert objective({"a": 0.3, "b": 0.1}) == pytest.approx(0.25)
    assert objective.worst == pytest.approx(0.25)
    assert objective.study().best == {"a": 0.3, "b": 0.6}


def test_a_network_that_fails_has_an_infinite_loss_and_is_a_row(toy):
    objective = Objective(toy, "by hand", trainer=Pretend(lambda member: BAD))
    assert objective({"a": 0.0, "b": 0.0}) == np.inf
    assert objective.worst == pytest.approx(-hpt.baseline(toy)["accuracy"].iloc[0])
    assert objective.study().trials["status"].tolist() == ["diverged"]


def test_a_configuration_of_another_space_is_refused(toy):
    with pytest.raises(hpt.InvalidInput, match="lacks b"):
        Objective(toy, "by hand", trainer=Pretend(bowl))({"a": 0.5})


def test_what_was_trained_elsewhere_is_on_record(toy):
    objective = Objective(toy, "elsewhere")
    curve = [{"epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "score": 0.7}]
    progress = Progress(curve=curve, metrics=dict.fromkeys(toy.metrics, 0.7), best_epoch=1)
    assert objective.add({"a": 0.1, "b": 0.2}, [progress], 1) == -0.7
    study = objective.study()
    assert study.best == {"a": 0.1, "b": 0.2}
    assert study.curves["score"].tolist() == [0.7]


# --- Optuna


def test_optuna_proposes_what_it_proposes_without_hpt(toy):
    study = libraries.tune(toy, "optuna", trials=15, seed=3, trainer=Pretend(bowl))
    plain = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plain.optimize(
        lambda trial: (trial.suggest_float("a", 0, 1) - 0.3) ** 2 + (trial.suggest_float("b", 0, 1) - 0.6) ** 2, 15
    )
    optuna.logging.set_verbosity(before)
    assert list(study.configurations) == [trial.params for trial in plain.trials]


@pytest.mark.parametrize("library", ["optuna_median", "optuna_hyperband"])
def test_a_pruner_stops_networks_and_the_same_seed_stops_the_same(toy, library):
    longer = replace(toy, epochs=9)
    runs = [libraries.tune(longer, library, trials=30, seed=0, trainer=Pretend(bowl)) for _ in range(2)]
    one, other = (run.trials.drop(columns="seconds") for run in runs)
    assert one.equals(other)
    assert 0 < (one["status"] == "pruned").sum() < 30
    assert runs[0].best_trial in one.index[one["status"] == "complete"]


def test_the_epochs_at_which_a_pruner_looks():
    assert with_optuna.looks(1) == [1]
    assert with_optuna.looks(81) == [1, 3, 9, 27, 81]


def test_optuna_says_what_it_said_before(toy):
    before = optuna.logging.get_verbosity()
    libraries.compare(toy, ["optuna"], trials=2, repeats=3, trainer=Pretend(bowl))
    assert optuna.logging.get_verbosity() == before


def test_two_objectives_share_one_study_through_a_storage(toy, tmp_path):
    from optuna.storages.journal import JournalFileBackend

    where = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    shared = optuna.create_study(study_name="wine", storage=where)
    first, second = (Objective(toy, "optuna", trainer=Pretend(bowl)) for _ in range(2))
    for one, trials in ((first, 3), (second, 2)):
        shared.optimize(lambda trial, one=one: with_optuna.suggested(one, trial), n_trials=trials)
    assert [trial.number for trial in shared.trials] == [0, 1, 2, 3, 4]
    assert first.study().trials["number"].tolist() == [0, 1, 2]
    found = second.study()
    assert found.trials["number"].tolist() == [3, 4]
    assert found.best_trial in (3, 4)
    assert found.best == found.configurations[found.best_trial - 3]
    assert found.best_score == found.trials["score"].max() if found.greater_is_better else found.trials["score"].min()


@pytest.mark.parametrize("library", ["optuna", "sklearn_random", "hyperopt"])
def test_ctrl_c_gives_what_there_is(toy, library):
    def score(member):
        seen.append(member)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return bowl(member)

    seen = []
    study = libraries.tune(toy, library, trials=6, trainer=Pretend(score))
    assert study.interrupted
    assert study.trials["status"].tolist() == ["complete", "complete", "interrupted"]


def test_ctrl_c_ends_repeats_that_train_together(toy):
    def score(member):
        seen.append(member)
        if len(seen) == 5:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # others may have threads by now
            time.sleep(0.2)
        return bowl(member)

    seen = []
    with pytest.raises(KeyboardInterrupt):
        libraries.compare(toy, ["optuna"], trials=20, repeats=2, trainer=Pretend(score))
    assert len(seen) <= 6  # the heap that was being trained


# --- repeats that train together


def test_repeats_that_train_together_find_what_each_finds_alone(toy):
    real = toy.with_space(hpt.Space({"units": hpt.Int(4, 16), "learning_rate": hpt.Float(1e-3, 0.1, log=True)}))
    real = replace(real, epochs=2, metrics=("log_loss",))
    comparison = libraries.compare(real, ["sklearn_random", "optuna"], trials=3, repeats=3, seed=7)
    split, _ = real.resplit(3, 7)
    for (name, repeat), study in comparison.studies.items():
        alone = Objective(split, name, derive(7, "repeat", repeat), folds=[repeat])
        LIBRARIES[name].drive(alone, 3, derive(7, "repeat", repeat))
        expected = alone.study().trials
        assert study.trials["units"].tolist() == expected["units"].tolist()
        assert study.trials["score"].to_numpy() == pytest.approx(expected["score"].to_numpy(), rel=1e-4)
    assert comparison.judgements.query("best")["test"].notna().all()
    assert (comparison.asking["milliseconds"] > 0).all()
    assert comparison.epochs == {"sklearn_random": 6, "optuna": 6}


def test_all_that_wait_are_trained_at_once(toy):
    heaps = []

    class Counting(Pretend):
        def advance(self, waiting):
            heaps.append(len(waiting))
            super().advance(waiting)

    libraries.compare(toy, ["optuna"], trials=4, repeats=5, trainer=Counting(bowl))
    assert heaps == [5, 5, 5, 5]


def test_who_is_done_keeps_nobody_waiting(toy):
    heaps = []

    class Counting(Pretend):
        def advance(self, waiting):
            heaps.append(len(waiting))
            super().advance(waiting)

    together = Together(Counting(bowl))
    objectives = [Objective(toy, "by hand", i, together) for i in range(3)]

    def search(i):
        for _ in range(i + 1):
            objectives[i]({"a": 0.1 * i, "b": 0.5})

    together.run([lambda i=i: search(i) for i in range(3)])
    assert heaps == [3, 2, 1]
    assert [len(one.study().trials) for one in objectives] == [1, 2, 3]


def test_a_search_that_raises_ends_alone(toy):
    together = Together(Pretend(bowl))
    objectives = [Objective(toy, "by hand", i, together) for i in range(2)]
    done = threading.Event()

    def good():
        for _ in range(5):
            objectives[0]({"a": 0.1, "b": 0.5})
        done.set()

    def bad():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        together.run([good, bad])
    assert done.is_set()


def test_a_trainer_that_raises_ends_all(toy):
    class Broken(Pretend):
        def advance(self, waiting):
            raise OSError("no more")

    together = Together(Broken(bowl))
    objectives = [Objective(toy, "by hand", i, together) for i in range(2)]
    with pytest.raises(RuntimeError, match="training for all searches failed") as raised:
        together.run([lambda one=one: one({"a": 0.1, "b": 0.5}) for one in objectives])
    assert isinstance(raised.value.__cause__, OSError)
