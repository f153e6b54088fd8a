"""Samplers offer what they promise, and trial n depends on the seed and n alone."""

from itertools import product

import numpy as np
import optuna
import pytest

import hpt
from hpt.domains import Choice, Float, Int
from hpt.samplers import Grid, Listed, Random, Tpe
from hpt.space import Space

SPACE = Space(
    {
        "optimizer": Choice("adam", "sgd"),
        "momentum": Float(0.8, 0.99).when(optimizer="sgd"),
        "units": Choice((8,), (8, 8)),
        "learning_rate": Float(1e-4, 1e-1, log=True),
    }
)


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _run(sampler, space, n, seed=0, value=lambda configuration: 0.0):
    record, seen = optuna.create_study(), []
    for number in range(n):
        trial = sampler.ask(record, space, number, seed)
        if trial is None:
            break
        seen.append(space.from_labels(trial.params))
        record.tell(trial, value(seen[-1]))
    return seen


def test_manual_search_tries_the_list_in_order_and_ends():
    wanted = [{"x": 3}, {"x": 1}]
    assert _run(Listed(wanted), Space({"x": Int(1, 5)}), 10) == wanted


def test_manual_search_refuses_what_lies_outside_the_space():
    with pytest.raises(hpt.InvalidInput, match="x"):
        _run(Listed([{"x": 9}]), Space({"x": Int(1, 5)}), 1)


@pytest.mark.parametrize("sampler", [Random(), Grid(), Listed([{"x": 1}])])
def test_trials_that_wait_for_no_result_can_all_be_asked_for_ahead(sampler):
    assert sampler.ahead(0) == sampler.ahead(1000) > 10**9


def test_tpe_can_ask_ahead_for_what_is_left_of_its_random_trials_and_then_for_one():
    assert [Tpe(startup=4).ahead(number) for number in range(7)] == [4, 3, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("sampler", [Random(), Grid(), Tpe(startup=6)])
def test_trials_asked_for_ahead_are_those_asked_for_one_by_one(sampler):
    record = optuna.create_study()
    ahead = [SPACE.from_labels(sampler.ask(record, SPACE, number, 0).params) for number in range(6)]
    assert ahead == _run(sampler, SPACE, 6)


@pytest.mark.parametrize("bad", [[], {"x": 1}])
def test_manual_search_needs_a_list(bad):
    with pytest.raises(hpt.InvalidInput, match="list of configurations"):
        Listed(bad)


def test_grid_search_tries_every_combination_once():
    space = Space({"a": Choice("x", "y"), "b": Int(1, 3), "c": Float(0, 1)})
    seen = _run(Grid({"c": 2, "b": 3}), space, 100)
    assert [tuple(c.values()) for c in seen] == list(product(["x", "y"], [1, 2, 3], [0.0, 1.0]))


def test_random_search_gives_trial_n_whatever_came_before():
    whole = _run(Random(), SPACE, 12, seed=4)
    record = optuna.create_study()
    trial = Random().ask(record, SPACE, 7, 4)
    assert SPACE.from_labels(trial.params) == whole[7]
    assert whole != _run(Random(), SPACE, 12, seed=5)


def test_random_search_is_uniform_on_a_log_scale():
    draws = [c["learning_rate"] for c in _run(Random(), Space({"learning_rate": SPACE["learning_rate"]}), 400)]
    shares = np.histogram(np.log10(draws), bins=[-4, -3, -2, -1])[0] / 400
    assert np.abs(shares - 1 / 3).max() < 0.095  # 4 standard errors of a third of 400


@pytest.mark.parametrize("sampler", [Random(), Tpe(startup=4)])
def test_conditions_hold_in_every_draw(sampler):
    for configuration in _run(sampler, SPACE, 20):
        assert ("momentum" in configuration) == (configuration["optimizer"] == "sgd")
        assert SPACE.validate(configuration) == configuration


def test_tpe_starts_with_random_searchs_draws_and_then_departs():
    random, tpe = (_run(s, SPACE, 8, value=lambda c: c["learning_rate"]) for s in (Random(), Tpe(startup=5)))
    assert tpe[:5] == random[:5]
    assert tpe[5:] != random[5:]


def test_tpe_repeats_itself_under_the_same_seed():
    a, b = (_run(Tpe(startup=3), SPACE, 10, seed=2, value=lambda c: c["learning_rate"]) for _ in range(2))
    assert a == b


def test_tpe_beats_random_search_on_a_bowl():
    """Twenty seeds, forty trials of a smooth bowl in four dimensions: the sign test's p is below 0.001 from
    18 wins on (binomial, one-sided)."""
    space = Space({name: Float(-1, 1) for name in "abcd"})

    def bowl(configuration):
        return sum((v - 0.3) ** 2 for v in configuration.values())

    best = {
        sampler: [min(map(bowl, _run(sampler, space, 40, seed, bowl))) for seed in range(20)]
        for sampler in (Tpe(), Random())
    }
    wins = sum(t < r for t, r in zip(*best.values(), strict=True))
    assert wins >= 18


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
def test_tpe_needs_a_start(bad):
    with pytest.raises(hpt.InvalidInput, match="random trials to start from"):
        Tpe(startup=bad)
