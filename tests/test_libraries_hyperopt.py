"""Hyperopt: the space as an expression, and the search."""

import math

import hyperopt
import numpy as np
import pytest

import hpt
from hpt import Choice, Float, Int, InvalidInput, Space
from hpt.libraries import tune
from hpt.libraries.objective import Objective
from hpt.libraries.with_hyperopt import configuration, expression, tpe
from hpt.training import Progress

from doubles import Pretend

NESTED = Space(
    {
        "optimizer": Choice("adam", "sgd", "rmsprop"),
        "momentum": Float(0.1, 0.9).when(optimizer=("sgd", "rmsprop")),
        "nesterov": Choice(True, False).when(optimizer="sgd"),
        "decay": Float(1e-4, 1e-1, log=True).when(nesterov=True),
        "shape": Choice((8,), (16, 8), [4]),
    }
)
FLAT = Space(
    {
        "optimizer": Choice("adam", "sgd"),
        "layers": Int(1, 3),
        "units_2": Int(4, 64, log=True).when(layers=(2, 3)),
        "momentum": Float(0.1, 0.9).when(optimizer="sgd", layers=2),
        "steps": Int(2, 11, step=3).when(optimizer="sgd"),
    }
)


def points(space, count, seed=0):
    rng, drawn = np.random.default_rng(seed), expression(space)
    return [hyperopt.pyll.stochastic.sample(drawn, rng) for _ in range(count)]


def names(point):
    return {name for key, value in point.items() for name in (names(value) if isinstance(value, dict) else [key])}


def rows(study):
    return study.trials.drop(columns="seconds")


def searched(space, score, trials, seed=0, **options):
    objective = Objective(hpt.task("wine", space=space, epochs=3), "hyperopt", seed, Pretend(score))
    return tpe(objective, trials, seed, **options), objective.study()


def by_momentum(member):
    return member.configuration.get("momentum", 0.5)


def test_a_nested_space_draws_what_is_used_and_nothing_else():
    kinds = set()
    for point in points(NESTED, 60):
        chosen = configuration(NESTED, point)
        assert NESTED.validate(chosen) == chosen and names(point) == set(chosen)
        kinds.add(tuple(chosen))
    assert kinds == {tuple(one) for one in NESTED.grid(2)}


def test_what_cannot_be_nested_is_drawn_and_left_out():
    drawn, chosen = points(FLAT, 60), [configuration(FLAT, point) for point in points(FLAT, 60)]
    assert all(FLAT.validate(one) == one for one in chosen)
    assert {tuple(one) for one in chosen} == {tuple(one) for one in FLAT.grid(2)} | {tuple(one) for one in FLAT.grid(3)}
    assert all({"units_2", "momentum"} <= names(point) for point in drawn)
    assert {"steps" in names(point) for point in drawn} == {True, False}


@pytest.mark.parametrize("domain", [Int(3, 6), Int(2, 8, step=3), Int(-1, 1), Int(5, 5), Choice(1, "1", True)])
def test_every_value_comes_equally_often(domain):
    space = Space({"x": domain})
    drawn = [configuration(space, point)["x"] for point in points(space, 600)]
    expected, found = 600 / domain.size(), [sum(hpt.domains.same(x, value) for x in drawn) for value in domain.grid()]
    assert sum(found) == 600
    assert all(abs(count - expected) <= 5 * math.sqrt(expected) for count in found)
    assert all(type(x) is int for x in drawn) or isinstance(domain, Choice)


def test_a_log_scale_of_whole_numbers_has_hpts_shares():
    space = Space({"x": Int(1, 100, log=True)})
    drawn = np.array([configuration(space, point)["x"] for point in points(space, 1000)])
    own = np.array([space.sample(hpt.seeds.stream(0, i))["x"] for i in range(1000)])
    assert drawn.min() == 1 and drawn.max() >= 95
    assert abs(np.median(np.log(drawn)) - np.median(np.log(own))) < 0.3
    assert abs((drawn == 1).mean() - (own == 1).mean()) < 0.08


@pytest.mark.parametrize(("domain", "above"), [(Int(4, 9, log=True), 10), (Float(1e-4, 0.3, log=True), 0.3 + 1e-16)])
def test_the_ends_of_a_log_scale_are_inside(domain, above):
    assert above > domain.high
    assert configuration(Space({"x": domain}), {"x": above}) == {"x": domain.high}


@pytest.mark.parametrize("space", [NESTED, FLAT])
def test_the_same_seed_gives_the_same_search(space):
    _, first = searched(space, by_momentum, 12, startup=4)
    _, again = searched(space, by_momentum, 12, startup=4)
    _, other = searched(space, by_momentum, 12, seed=1, startup=4)
    assert rows(first).equals(rows(again))
    assert first.configurations != other.configurations
    assert all(space.validate(one) == one for one in first.configurations)


def test_numpys_own_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    searched(NESTED, by_momentum, 3)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_tpe_learns_after_the_startup():
    space = Space({"momentum": Float(0, 1)})
    up, _ = searched(space, by_momentum, 40, startup=10)
    down, _ = searched(space, lambda m: -by_momentum(m), 40, startup=10)
    up, down = up.vals["momentum"], down.vals["momentum"]
    assert up[:10] == down[:10]  # drawn, whatever the scores
    assert np.median(up[10:]) > 0.6 > 0.4 > np.median(down[10:])
    with pytest.raises(InvalidInput, match="startup"):
        searched(space, by_momentum, 3, startup=0)


def test_hyperopts_record_holds_the_same_scores():
    record, study = searched(NESTED, by_momentum, 8)
    assert record.losses() == [-score for score in study.trials.score]
    assert record.argmin["optimizer"] == NESTED["optimizer"].values.index(study.best["optimizer"])
    assert record.best_trial["tid"] == study.best_trial


def test_a_network_that_diverges_is_a_failure_and_the_search_goes_on():
    def score(member):
        value = by_momentum(member)
        return Progress("diverged", "the training loss became nan in epoch 1") if value > 0.6 else value

    record, study = searched(NESTED, score, 30, startup=5)
    bad = study.trials.status == "diverged"
    assert 0 < bad.sum() < 30 and len(study.trials) == 30
    assert [status == "fail" for status in record.statuses()] == list(bad)
    assert study.best_score <= 0.6


def test_all_networks_may_diverge():
    record, study = searched(NESTED, lambda m: Progress("diverged", "nan"), 25)
    assert record.statuses() == ["fail"] * 25 and set(study.trials.status) == {"diverged"}


def test_an_error_is_not_swallowed():
    class Broken(Pretend):
        def start(self, task, members):
            raise ZeroDivisionError("broken")

    with pytest.raises(ZeroDivisionError, match="broken"):
        tune(hpt.task("wine"), "hyperopt", trials=2, trainer=Broken(by_momentum))


def test_by_name_with_real_networks_and_quietly(capfd):
    task = hpt.task("wine", epochs=3)
    study = tune(task, "hyperopt", trials=3, seed=0)
    assert study.strategy == "hyperopt" and set(study.trials.status) == {"complete"}
    assert set(study.trials.epochs) == {3} and study.best_score > 0.3
    said = capfd.readouterr()
    assert said.out == ""
