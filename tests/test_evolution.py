"""Ageing evolution is Algorithm 1 of Real et al. (2019), with crossover; its children are valid configurations."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpt
from hpt.domains import Choice, Float, Int
from hpt.samplers import AgeingEvolution, Observation, Random
from hpt.samplers.evolution import WIDTH, cross, mutate
from hpt.space import Space

SPACE = Space(
    {
        "optimizer": Choice("adam", "sgd"),
        "momentum": Float(0.8, 0.99).when(optimizer="sgd"),
        "layers": Int(1, 4),
        "units": Choice((8,), (8, 8), (64, 8)),
        "rate": Float(1e-4, 1e-1, log=True),
    }
)
LINE = Space({"x": Float(0, 1)})
ASEXUAL = AgeingEvolution(population=5, tournament=5, crossover=0)


def _space(seed):
    """A random space of two to six hyperparameters, each of which may depend on those before it."""
    rng = np.random.default_rng(seed)
    domains = {}
    for i in range(rng.integers(2, 7)):
        kinds = (
            Float(0, 1),
            Float(1e-3, 10, log=True),
            Int(1, 3),
            Choice("a", "b", "c"),
            Choice("only"),
            Int(2, 200, log=True),
        )
        domain = kinds[rng.integers(len(kinds))]
        for parent, above in domains.items():
            if not isinstance(above, Float) and rng.random() < 0.4:
                domain = domain.when(**{parent: above.sample(rng)})
        domains[f"h{i}"] = domain
    return Space(domains)


def _seen(merits, first=0):
    return [Observation(first + i, {"x": i / len(merits)}, {1: merit}) for i, merit in enumerate(merits)]


def _parents(sampler, seen, number, seeds=50):
    """Which observations the winner of the tournament was, over many seeds."""
    alive = sampler.alive(seen, number)
    return Counter(sampler.winner(alive, np.random.default_rng(seed)).number for seed in range(seeds))


# Mutation and crossover


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_mutation_changes_one_hyperparameter_and_what_depends_on_it(which, seed):
    space, rng = _space(which), np.random.default_rng(seed)
    before = space.sample(rng)
    after = mutate(space, before, rng)
    assert space.validate(after) == after
    changed = {name for name in after if name in before and after[name] != before[name]}
    assert len(changed) == (space.size() > 1)
    affected = set(changed)
    for name, domain in space.items():
        affected |= {name} if affected & {parent for parent, _ in domain.condition} else set()
    assert set(before) ^ set(after) <= affected


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_crossover_takes_every_value_from_one_of_the_parents(which, seed):
    space, rng = _space(which), np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    child = cross(space, a, b, rng)
    assert space.validate(child) == child
    for name, value in child.items():
        owners = [parent[name] for parent in (a, b) if name in parent]
        assert value in owners if owners else len(space[name].condition) > 0


def test_crossover_takes_from_either_parent_half_of_the_time():
    """1,000 children, 4 standard errors of a half: 0.063. Two values are drawn apart from each other: all four
    combinations come with a quarter, 4 standard errors 0.055."""
    space, rng = Space({"a": Int(0, 1), "b": Int(0, 1)}), np.random.default_rng(0)
    children = [cross(space, {"a": 0, "b": 0}, {"a": 1, "b": 1}, rng) for _ in range(1000)]
    assert abs(np.mean([child["a"] for child in children]) - 0.5) < 0.063
    shares = np.array(list(Counter(tuple(child.values()) for child in children).values())) / 1000
    assert len(shares) == 4 and np.abs(shares - 0.25).max() < 0.055


def test_a_value_that_only_one_parent_has_comes_from_that_one():
    adam = {"optimizer": "adam", "layers": 1, "units": (8,), "rate": 0.01}
    sgd = {**adam, "optimizer": "sgd", "momentum": 0.9}
    children = [cross(SPACE, adam, sgd, np.random.default_rng(seed)) for seed in range(20)]
    assert {child.get("momentum") for child in children} == {None, 0.9}


def test_a_value_that_no_parent_has_is_drawn_where_their_child_needs_it():
    both = Space({"a": Int(0, 1), "b": Int(0, 1), "c": Float(0, 1).when(a=1, b=1)})
    children = [cross(both, {"a": 1, "b": 0}, {"a": 0, "b": 1}, np.random.default_rng(seed)) for seed in range(40)]
    drawn = [child["c"] for child in children if "c" in child]
    assert len(set(drawn)) == len(drawn) > 0


def test_every_hyperparameter_is_as_likely_to_mutate():
    """Of 1,000 mutations of four active ones: a quarter each, within 4 standard errors, 0.055."""
    rng = np.random.default_rng(0)
    adam = {"optimizer": "adam", "layers": 2, "units": (8,), "rate": 0.01}
    children = [mutate(SPACE, adam, rng) for _ in range(1000)]
    shares = [np.mean([child[name] != adam[name] for child in children]) for name in adam]
    assert np.abs(np.array(shares) - 0.25).max() < 0.055


def test_a_number_takes_a_normal_step_that_is_reflected():
    """From the middle, 2.5 standard deviations from both ends: mean 0.5, and the deviation of a reflected normal,
    0.196, both within 4 standard errors of 2,000 draws. From the lower end: |step|, with mean 0.2 √(2/π)."""
    rng = np.random.default_rng(0)
    middle, end = (np.array([mutate(LINE, {"x": x}, rng)["x"] for _ in range(2000)]) for x in (0.5, 0.0))
    assert abs(middle.mean() - 0.5) < 4 * WIDTH / math.sqrt(2000)
    assert abs(middle.std() - 0.196) < 4 * WIDTH / math.sqrt(2 * 2000)
    assert abs(end.mean() - WIDTH * math.sqrt(2 / math.pi)) < 4 * WIDTH / math.sqrt(2000)
    assert middle.min() >= 0 and middle.max() <= 1 and end.min() >= 0


def test_a_choice_takes_every_other_value_and_a_lone_configuration_stays():
    rng = np.random.default_rng(0)
    three = Space({"units": SPACE["units"]})
    assert {mutate(three, {"units": (8, 8)}, rng)["units"] for _ in range(30)} == {(8,), (64, 8)}
    assert mutate(Space({"a": Choice("only"), "b": Int(3, 3)}), {"a": "only", "b": 3}, rng) == {"a": "only", "b": 3}


# Selection and age


def test_the_tournaments_best_is_the_parent():
    """All of P drawn often enough: with 30 draws of 5 the best is missed with probability 0.8^30, about 0.1 %."""
    sampler = AgeingEvolution(population=5, tournament=30)
    assert set(_parents(sampler, _seen([1, 5, 2, 4, 3]), 5)) == {1}


def test_the_tournament_is_drawn_with_replacement():
    """As in the paper, where who is drawn stays in the population. S = P = 5: the best of five takes part with
    probability 1 − (4/5)^5 = 0.672, where without replacement it always would. 2,000 draws, 4 standard errors."""
    wins = _parents(ASEXUAL, _seen([1, 5, 2, 4, 3]), 5, seeds=2000)[1] / 2000
    assert abs(wins - 0.67232) < 4 * math.sqrt(0.672 * 0.328 / 2000)


def test_the_oldest_dies_however_good_it_was():
    superb = _seen([100.0, 1, 2, 3, 4])
    assert 0 in _parents(ASEXUAL, superb, 5)
    older = superb + _seen([1.0], first=5)
    assert 0 not in _parents(ASEXUAL, older, 6)
    assert [one.number for one in ASEXUAL.alive(older, 6)] == [1, 2, 3, 4, 5]


def test_trials_without_a_result_are_not_alive_and_failures_are():
    seen = [*_seen([1.0, -math.inf, 2.0]), Observation(3, {"x": 0.5}, {})]
    assert [one.number for one in ASEXUAL.alive(seen, 5)] == [0, 1, 2]
    assert set(_parents(AgeingEvolution(population=5, tournament=1), seen, 5)) == {0, 1, 2}
    assert set(_parents(AgeingEvolution(population=5, tournament=30), seen, 5)) == {2}


def test_when_all_failed_or_none_is_judged_there_is_still_a_proposal():
    failed = [Observation(i, Random().propose(SPACE, (), i, 0), {1: -math.inf}) for i in range(30)]
    proposed = AgeingEvolution().propose(SPACE, failed, 30, 0)
    assert SPACE.validate(proposed) == proposed
    waiting = [Observation(one.number, one.configuration, {}) for one in failed]
    assert AgeingEvolution().propose(SPACE, waiting, 30, 0) == Random().propose(SPACE, (), 30, 0)


# As a whole


def _run(sampler, space, n, seed, merit):
    seen = []
    for number in range(n):
        proposed = sampler.propose(space, seen, number, seed)
        seen.append(Observation(number, proposed, {1: merit(proposed)}))
    return seen


def _rate(configuration):
    return -abs(math.log(configuration["rate"] / 0.003))


def test_the_first_population_is_random_searchs_and_without_crossover_children_are_mutants():
    seen = [one.configuration for one in _run(ASEXUAL, SPACE, 25, 0, _rate)]
    assert seen[:5] == [Random().propose(SPACE, (), number, 0) for number in range(5)]
    for number in range(5, 25):
        alike = [
            sum(one.get(name) == value for name, value in seen[number].items()) for one in seen[number - 5 : number]
        ]
        assert max(alike) >= len(seen[number]) - 2  # one value mutates, and momentum may come with it


def test_conditions_hold_in_every_proposal():
    for one in _run(AgeingEvolution(population=8), SPACE, 60, 1, _rate):
        assert SPACE.validate(one.configuration) == one.configuration


def test_a_proposal_depends_on_seed_number_and_observations_alone():
    a, b = (_run(AgeingEvolution(population=8), SPACE, 40, 2, _rate) for _ in range(2))
    assert a == b != _run(AgeingEvolution(population=8), SPACE, 40, 3, _rate)


def test_it_can_ask_ahead_for_what_is_left_of_the_start_and_then_of_the_batch():
    assert [AgeingEvolution(population=3).ahead(number) for number in range(6)] == [3, 2, 1, 1, 1, 1]
    assert [AgeingEvolution(population=3, batch=2).ahead(number) for number in range(7)] == [3, 2, 1, 2, 1, 2, 1]


def test_a_batch_asked_for_ahead_is_that_asked_for_one_by_one():
    sampler = AgeingEvolution(population=6, batch=4)
    one_by_one = _run(sampler, SPACE, 22, 0, _rate)
    for first in (6, 10, 14):
        ahead = [sampler.propose(SPACE, one_by_one[:first], number, 0) for number in range(first, first + 4)]
        assert ahead == [one.configuration for one in one_by_one[first : first + 4]]


def test_evolution_beats_random_search_on_a_rugged_mixed_problem():
    """Twenty seeds, 150 trials: steps, ripples and choices, with the optimum 0 at a known place. The sign
    test's p is below 0.001 from 18 wins on (binomial, one-sided)."""
    space = Space(
        {
            "kind": Choice("a", "b", "c", "d"),
            "size": Int(1, 64, log=True),
            "x": Float(0, 1),
            "y": Float(0, 1),
            "bonus": Float(0, 1).when(kind=("b", "c")),
        }
    )
    optimum = {"kind": "c", "size": 20, "x": 0.3, "y": 0.8, "bonus": 0.5}

    def rugged(configuration):
        miss = [abs(configuration.get(name, 0) - optimum[name]) for name in ("x", "y", "bonus")]
        ripples = sum(value + 0.1 * abs(math.sin(40 * value)) for value in miss)
        stairs = math.floor(3 * abs(math.log(configuration["size"] / 20))) / 3
        return -(ripples + stairs + (configuration["kind"] != "c"))

    assert rugged(optimum) == 0
    wins = 0
    for seed in range(20):
        evolved, drawn = (
            max(one.merit for one in _run(sampler, space, 150, seed, rugged))
            for sampler in (AgeingEvolution(), Random())
        )
        wins += evolved > drawn
    assert wins >= 18


@pytest.mark.parametrize(
    "bad", [{"population": 0}, {"tournament": 2.5}, {"batch": True}, {"crossover": 1.1}, {"crossover": "half"}]
)
def test_evolution_refuses_settings_that_are_out_of_range(bad):
    with pytest.raises(hpt.InvalidInput, match="ageing evolution needs"):
        AgeingEvolution(**bad)
