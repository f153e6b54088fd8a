"""Samplers offer what they promise, and trial n depends on the seed and n alone."""

from itertools import product

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from scipy.stats import qmc

import hpt
from hpt.domains import Choice, Float, Int
from hpt.samplers import AgeingEvolution, Bohb, CmaEs, GaussianProcess, Grid, Listed, Nsga2, Random, Sobol, Tpe
from hpt.seeds import derive
from hpt.space import Space

SPACE = Space(
    {
        "optimizer": Choice("adam", "sgd"),
        "momentum": Float(0.8, 0.99).when(optimizer="sgd"),
        "units": Choice((8,), (8, 8)),
        "learning_rate": Float(1e-4, 1e-1, log=True),
    }
)
BOWL = Space({name: Float(-1, 1) for name in "abcd"})

# Every sampler that looks back, so set that it leaves its random start early.
LOOKING_BACK = [
    Tpe(startup=4),
    CmaEs(population=4),
    Nsga2(population=4),
    GaussianProcess(startup=4),
    AgeingEvolution(population=4),
    Bohb(),
]
ALL = [Random(), Sobol(), *LOOKING_BACK]


def _name(sampler):
    return type(sampler).__name__


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
        result = value(seen[-1])
        record.tell(trial, result, state=TrialState.PRUNED if result is None else None)
    return seen


def _bowl(configuration):
    return sum((value - 0.3) ** 2 for value in configuration.values())


def _learning_rate(configuration):
    return configuration["learning_rate"]


def _wins(sampler, trials):
    """On how many of twenty seeds the best of a sampler's trials lies deeper in a bowl than random search's best."""
    ours, theirs = (
        [min(map(_bowl, _run(one, BOWL, trials, seed, _bowl))) for seed in range(20)] for one in (sampler, Random())
    )
    return sum(a < b for a, b in zip(ours, theirs, strict=True))


def test_manual_search_tries_the_list_in_order_and_ends():
    wanted = [{"x": 3}, {"x": 1}]
    assert _run(Listed(wanted), Space({"x": Int(1, 5)}), 10) == wanted


def test_manual_search_refuses_what_lies_outside_the_space():
    with pytest.raises(hpt.InvalidInput, match="x"):
        _run(Listed([{"x": 9}]), Space({"x": Int(1, 5)}), 1)


@pytest.mark.parametrize("sampler", [Random(), Grid(), Sobol(), Listed([{"x": 1}])])
def test_trials_that_wait_for_no_result_can_all_be_asked_for_ahead(sampler):
    assert sampler.ahead(0) == sampler.ahead(1000) > 10**9


def test_tpe_can_ask_ahead_for_what_is_left_of_its_random_trials_and_then_for_one():
    assert [Tpe(startup=4).ahead(number) for number in range(7)] == [4, 3, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("sampler", [Random(), Grid(), Sobol(), Tpe(startup=6), GaussianProcess(startup=6)], ids=_name)
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


@pytest.mark.parametrize("sampler", ALL, ids=_name)
def test_conditions_hold_in_every_draw(sampler):
    for configuration in _run(sampler, SPACE, 20, value=_learning_rate):
        assert ("momentum" in configuration) == (configuration["optimizer"] == "sgd")
        assert SPACE.validate(configuration) == configuration


@pytest.mark.parametrize("sampler", ALL, ids=_name)
def test_the_same_seed_gives_the_same_trials_and_another_seed_others(sampler):
    first, second, other = (_run(sampler, SPACE, 14, seed, _learning_rate) for seed in (2, 2, 3))
    assert first == second != other


@pytest.mark.parametrize("sampler", LOOKING_BACK, ids=_name)
def test_a_record_that_is_resumed_goes_on_as_if_it_had_not_stopped(sampler):
    """The sampler keeps nothing: a new one of the same settings takes over in the middle."""
    whole = _run(sampler, SPACE, 14, value=_learning_rate)
    record = optuna.create_study()
    for number in range(14):
        record = optuna.load_study(study_name=record.study_name, storage=record._storage)
        trial = sampler.ask(record, SPACE, number, 0)
        assert SPACE.from_labels(trial.params) == whole[number]
        record.tell(trial, _learning_rate(whole[number]))


@pytest.mark.parametrize("sampler", ALL, ids=_name)
def test_trials_that_all_diverged_stop_no_sampler(sampler):
    for configuration in _run(sampler, SPACE, 16, value=lambda configuration: None):
        assert SPACE.validate(configuration) == configuration


@pytest.mark.parametrize("sampler", LOOKING_BACK, ids=_name)
def test_trials_of_which_half_diverged_still_lead_to_the_others(sampler):
    """Whatever lies above 0 diverges. Of the last twenty of sixty trials, random search would put half below, more
    than 15 with a probability below 0.006 (binomial)."""

    def half(configuration):
        return None if configuration["x"] > 0 else (configuration["x"] + 0.5) ** 2 + configuration["y"] ** 2

    seen = _run(sampler, Space({"x": Float(-1, 1), "y": Float(-1, 1)}), 60, value=half)
    assert sum(configuration["x"] <= 0 for configuration in seen[40:]) >= 12


@pytest.mark.parametrize("sampler", ALL, ids=_name)
@pytest.mark.parametrize(
    "space", [Space({"x": Choice("a", "b", None)}), Space({"x": Float(0, 1)}), Space({"x": Int(3, 3), "y": Choice(1)})]
)
def test_a_space_of_one_kind_or_of_one_value_stops_no_sampler(sampler, space):
    for configuration in _run(sampler, space, 12, value=lambda configuration: float(configuration["x"] == "a")):
        assert space.validate(configuration) == configuration


@pytest.mark.parametrize(
    ("sampler", "start"),
    [(CmaEs(population=6), 1), (CmaEs(population=6), 13), (Nsga2(population=6), 6), (Nsga2(population=6), 12)],
    ids=str,
)
def test_a_generation_that_is_asked_for_at_once_is_the_one_asked_for_one_by_one(sampler, start):
    """Not the second of CMA-ES: Optuna draws it from the same cloud, but by another seed, until the cloud is stored
    with a trial that has a result."""
    whole = _run(sampler, BOWL, 20, value=_bowl)
    record = optuna.create_study()
    for number in range(start):
        record.tell(sampler.ask(record, BOWL, number, 0), _bowl(whole[number]))
    assert sampler.ahead(start, record, BOWL) == 6
    batch = [sampler.ask(record, BOWL, number, 0) for number in range(start, start + 6)]
    for trial, one in zip(batch, whole[start : start + 6], strict=True):
        assert trial.params == pytest.approx(one, abs=1e-9)  # the stored cloud is rounded in the last digit


def test_sobols_points_are_scipys():
    engine = qmc.Sobol(len(SPACE), scramble=True, rng=derive(5, "sobol"))
    assert _run(Sobol(), SPACE, 70, seed=5) == [SPACE.at(row) for row in engine.random(128)[:70].tolist()]


def test_sobol_gives_trial_n_whatever_came_before():
    whole = _run(Sobol(), SPACE, 100, seed=4)
    trial = Sobol().ask(optuna.create_study(), SPACE, 77, 4)
    assert SPACE.from_labels(trial.params) == whole[77]


def test_sobol_is_more_even_than_random_search():
    """Sixty-four points in four dimensions, twenty seeds: the centred discrepancy is lower every time."""
    for seed in range(20):
        sobol, random = (
            qmc.discrepancy([[(v + 1) / 2 for v in one.values()] for one in _run(sampler, BOWL, 64, seed)])
            for sampler in (Sobol(), Random())
        )
        assert sobol < random


def test_tpe_starts_with_random_searchs_draws_and_then_departs():
    random, tpe = (_run(s, SPACE, 8, value=lambda c: c["learning_rate"]) for s in (Random(), Tpe(startup=5)))
    assert tpe[:5] == random[:5]
    assert tpe[5:] != random[5:]


@pytest.mark.parametrize(
    ("sampler", "trials", "least"), [(Tpe(), 40, 18), (CmaEs(), 40, 18), (Nsga2(population=10), 100, 15)], ids=str
)
def test_it_beats_random_search_on_a_bowl(sampler, trials, least):
    """Twenty seeds of a smooth bowl in four dimensions. The sign test's p is below 0.001 from 18 wins on, and below
    0.03 from 15 (binomial, one-sided): a genetic algorithm is slow."""
    assert _wins(sampler, trials) >= least


def test_cmaes_knows_the_numbers_that_are_in_every_configuration():
    """In Optuna's own search space the first trials decide: here they would all have the conditional number, the
    cloud would get a dimension too many, and every trial from the first without it on would be a random draw."""
    space = Space(
        {
            "deep": Choice(*range(9)),
            "width": Int(1, 50).when(deep=tuple(range(8))),
            "x": Float(-1, 1),
            "y": Float(-1, 1),
            "one": Int(2, 2),
        }
    )
    assert CmaEs().size(space) == 4 + 2  # ⌊3 ln 2⌋ = 2

    def value(configuration):
        return (configuration["x"] - 0.3) ** 2 + (configuration["y"] + 0.5) ** 2

    for seed in range(5):
        late = _run(CmaEs(), space, 80, seed, value)[60:]
        assert np.median([value(one) for one in late]) < 0.1  # of random draws about 0.7


@pytest.mark.parametrize("bad", [0, 1, 2.5, True])
@pytest.mark.parametrize("sampler", [CmaEs, Nsga2])
def test_a_population_needs_two(sampler, bad):
    with pytest.raises(hpt.InvalidInput, match="a population, a whole number of at least 2"):
        sampler(population=bad)


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
def test_tpe_needs_a_start(bad):
    with pytest.raises(hpt.InvalidInput, match="random trials to start from"):
        Tpe(startup=bad)
