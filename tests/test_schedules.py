"""Schedules are counted in whole numbers, and give the numbers that are published."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpt
from hpt.domains import Choice, Float, Int
from hpt.schedules import (
    CHANGEABLE,
    CONVENTIONS,
    Full,
    Hyperband,
    OneEpoch,
    PopulationBased,
    Rung,
    SuccessiveHalving,
    best_of,
    epochs_of,
    hyperband,
    logarithm,
    one_epoch,
    population_based,
    successive_halving,
)
from hpt.space import Space


def sizes(plan):
    return [[rung.networks for rung in bracket] for bracket in plan.brackets]


def test_hyperband_at_81_is_algorithm_1_of_li_et_al():
    plan = hyperband(81, 3)
    assert sizes(plan) == [[81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]
    assert [[rung.epoch for rung in bracket] for bracket in plan.brackets] == [
        [1, 3, 9, 27, 81], [3, 9, 27, 81], [9, 27, 81], [27, 81], [81],
    ]  # fmt: skip
    assert (plan.configurations, plan.trainings, plan.epochs, plan.to_the_end) == (143, 206, 1581, 10)
    assert plan.epochs_from_scratch == 1902


def test_the_table_printed_in_the_paper_and_the_ceiling_are_selectable():
    """Li et al. 2018, Table 1; KerasTuner 1.4.8, ``Hyperband._get_size`` and ``_get_epochs``."""
    assert sizes(hyperband(81, 3, "table")) == [[81, 27, 9, 3, 1], [27, 9, 3, 1], [9, 3, 1], [6, 2], [5]]
    assert hyperband(81, 3, "table").trainings == 187
    assert hyperband(81, 3, "ceiling").trainings == 211
    for longest, eta in ((81, 3), (100, 3), (50, 4), (10, 2)):
        plan, ends = hyperband(longest, eta, "ceiling"), math.ceil(1 + math.log(longest, eta))
        for bracket, s in zip(plan.brackets, range(len(plan.brackets) - 1, -1, -1), strict=True):
            assert [r.networks for r in bracket] == [math.ceil(ends / (s + 1) * eta ** (s - i)) for i in range(s + 1)]
            assert [r.epoch for r in bracket] == [math.ceil(longest / eta ** (s - i)) for i in range(s + 1)]


def test_the_table_is_what_the_original_implementation_of_bohb_computes():
    """HpBandSter 0.7.4, ``BOHB.get_next_iteration``: n0 = ⌊max_SH_iter/(s+1)⌋·η^s, then ⌊n0·η^-i⌋."""
    for longest, top in ((81, 4), (27, 3), (243, 5)):
        expected = [[(top + 1) // (s + 1) * 3**s // 3**i for i in range(s + 1)] for s in range(top, -1, -1)]
        assert sizes(hyperband(longest, 3, "table")) == expected


def test_a_logarithm_in_floating_point_would_lose_a_bracket():
    assert int(math.log(243, 3)) == 4  # what other implementations compute
    assert len(hyperband(243).brackets) == 6
    assert int(math.log(1000, 10)) == 2
    plan = hyperband(1000, 10)
    assert [bracket[0] for bracket in plan.brackets] == [(1000, 1), (134, 10), (20, 100), (4, 1000)]
    assert sizes(plan)[1] == [134, 13, 1]


@given(st.integers(1, 3000), st.integers(2, 10))
def test_every_plan_ends_at_the_longest_and_cuts_by_eta(longest, eta):
    for convention in CONVENTIONS:
        plan = hyperband(longest, eta, convention)
        assert len(plan.brackets) == logarithm(longest, eta) + 1
        for bracket in plan.brackets:
            assert bracket[-1].epoch == longest
            assert bracket[0].epoch >= 1
            for one, after in pairwise(bracket):
                assert after.epoch > one.epoch
                assert 1 <= after.networks <= one.networks
                if convention != "ceiling":
                    assert after.networks <= one.networks // eta
        assert plan.epochs <= plan.epochs_from_scratch
        if convention == "algorithm" and logarithm(longest, eta) > 0:  # each costs about as much as s_max + 1 in full
            assert max(map(epochs_of, plan.brackets)) <= (logarithm(longest, eta) + 2) * longest


@given(st.integers(1, 10**6), st.integers(2, 12))
def test_the_logarithm_is_the_largest_power_that_fits(number, base):
    power = logarithm(number, base)
    assert base**power <= number < base ** (power + 1)


def test_the_smallest_plans():
    assert sizes(hyperband(1)) == [[1]]
    assert sizes(successive_halving(1)) == [[1]]
    assert sizes(hyperband(2, 3)) == [[1]]


def test_successive_halving_is_hyperbands_boldest_bracket():
    assert successive_halving(27).brackets == ((Rung(27, 1), Rung(9, 3), Rung(3, 9), Rung(1, 27)),)
    assert successive_halving(81).brackets[0] == hyperband(81).brackets[0]
    assert sizes(successive_halving(27, networks=12)) == [[12, 4, 1]]  # fewer rungs, so that one is left
    assert sizes(successive_halving(27, networks=100)) == [[100, 33, 11, 3]]
    assert sizes(successive_halving(16, eta=2)) == [[16, 8, 4, 2, 1]]


def test_one_epoch_and_population():
    plan = one_epoch(27, networks=50, best=4)
    assert plan.brackets == ((Rung(50, 1), Rung(4, 27)),)
    assert plan.epochs == 50 + 4 * 26
    assert [rung.epoch for rung in population_based(10, 4, every=3).brackets[0]] == [3, 6, 9, 10]
    assert population_based(30).epochs == 20 * 30


def test_a_plan_says_what_it_costs_before_anything_runs():
    text = repr(hyperband(9))
    assert text.splitlines()[0] == "3 brackets, 17 configurations, 22 trainings, 69 epochs; 5 networks to the end"
    assert "bracket 2: 9 until epoch 1, 3 until 3, 1 until 9; 21 epochs" in text
    table = hyperband(81).table()
    assert table["epochs"].sum() == 1581
    assert table["networks"].sum() == 206
    assert table["bracket"].tolist()[:5] == [4] * 5
    assert (
        repr(Full().plan(1)).splitlines()[0] == "1 bracket, 1 configuration, 1 training, 1 epoch; 1 network to the end"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hyperband(0), "longest must be a whole number of at least 1, got 0"),
        (lambda: hyperband(81.0), "got 81.0"),
        (lambda: hyperband(81, 1), "eta must be a whole number of at least 2, got 1"),
        (lambda: hyperband(81, 3, "celing"), "did you mean 'ceiling'"),
        (lambda: successive_halving(81, 0), "networks must be"),
        (lambda: one_epoch(1), "needs trainings of 2 epochs or more, got 1"),
        (lambda: one_epoch(9, 3, 4), "best 4 of 3 networks can't go on"),
        (lambda: population_based(9, 1), "population must be"),
        (lambda: population_based(9, 4, 0), "every must be"),
        (lambda: population_based(9, 4, 9), "a look every 9 epochs comes too late for trainings of 9"),
        (lambda: PopulationBased(share=0.6), "at most 0.5"),
        (lambda: PopulationBased(resample=2), "0 to 1"),
    ],
)
def test_bad_input_gets_one_line(call, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


# --- who goes on


def test_the_best_go_on_and_what_failed_never_does():
    assert best_of([0.1, 0.5, -math.inf, 0.5, 0.9], 3) == [4, 1, 3]
    assert best_of([-math.inf, 0.2], 2) == [1]
    rng = np.random.default_rng(0)
    for schedule in (Full(), OneEpoch(), SuccessiveHalving(), Hyperband()):
        assert schedule.survivors([0.1, 0.3, 0.2], 2, rng) == [1, 2]


def test_in_a_population_the_worst_quarter_takes_over_from_the_best_quarter():
    schedule, merits = PopulationBased(), [i / 10 for i in (5, 0, 7, 1, 6, 2, 3, 4)]  # worst: 1, 3; best: 2, 4
    for seed in range(50):
        order = schedule.survivors(merits, 8, np.random.default_rng(seed))
        assert [i for i, who in enumerate(order) if who != i] == [1, 3]
        assert {order[1], order[3]} <= {2, 4}
    drawn = {tuple(schedule.survivors(merits, 8, np.random.default_rng(seed))) for seed in range(50)}
    assert len(drawn) == 4


def test_even_a_small_population_replaces_one():
    order = PopulationBased().survivors([0.1, 0.3, 0.2], 3, np.random.default_rng(0))
    assert order == [1, 1, 2]


def test_what_failed_is_replaced_first_and_a_population_of_failures_ends():
    schedule, rng = PopulationBased(), np.random.default_rng(0)
    order = schedule.survivors([0.1, -math.inf, 0.3, -math.inf], 4, rng)
    assert order[1] == order[3] == 2
    assert order[0] == 0
    assert schedule.survivors([-math.inf] * 4, 4, rng) == []
    assert schedule.survivors([-math.inf, -math.inf, 0.3, -math.inf], 4, rng) == [2, 2, 2, 2]


SPACE = Space(
    {
        "layers": Int(1, 3),
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "batch_size": Int(16, 256, log=True),
        "dropout": Choice(0.0, 0.2, 0.4),
        "optimizer": Choice("adam", "sgd"),
        "momentum": Float(0.8, 0.99).when(optimizer="sgd"),
    }
)


def test_an_heir_differs_by_a_fifth_or_is_drawn_anew_and_keeps_its_shape():
    schedule = PopulationBased(resample=0.25)
    parent = {"layers": 2, "learning_rate": 0.01, "batch_size": 64, "dropout": 0.2, "optimizer": "adam"}
    heirs = [schedule.heir(SPACE, parent, np.random.default_rng(seed)) for seed in range(400)]
    assert all(SPACE.validate(heir) == heir for heir in heirs)
    assert all((heir["layers"], heir["optimizer"]) == (2, "adam") for heir in heirs)
    steps = [any(math.isclose(heir["learning_rate"], 0.01 * f) for f in (0.8, 1.2)) for heir in heirs]
    assert np.mean(steps) == pytest.approx(0.75, abs=0.09)  # 4 standard errors of 400 draws
    assert {heir["dropout"] for heir in heirs} == {0.0, 0.2, 0.4}
    assert all("momentum" not in heir for heir in heirs)


def test_an_heir_stays_in_its_space():
    parent = {
        "layers": 1,
        "learning_rate": 0.1,
        "batch_size": 256,
        "dropout": 0.4,
        "optimizer": "sgd",
        "momentum": 0.99,
    }
    for seed in range(100):
        heir = PopulationBased().heir(SPACE, parent, np.random.default_rng(seed))
        assert SPACE.validate(heir) == heir


def test_a_space_in_which_nothing_can_change_is_refused():
    with pytest.raises(hpt.InvalidInput, match="mid-training, one of learning_rate"):
        PopulationBased().heir(Space({"layers": Int(1, 3)}), {"layers": 1}, np.random.default_rng(0))
    assert "layers" not in CHANGEABLE
